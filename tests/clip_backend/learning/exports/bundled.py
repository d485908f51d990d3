"""The bundled model with a LoRA of fixed random numbers, exported for open_clip, and what open_clip is asked."""

from __future__ import annotations

from pathlib import Path

from clip_grid.clip_backend.learning.exports.export import export_checkpoints
from clip_grid.clip_backend.loading import find_checkpoints
from clip_grid.clip_backend.shapes_demo import shapes_demo_path

from ...tiny_models import random_pictures
from ..trained import save_lora

GOLDEN = Path(__file__).parents[2] / "goldens" / "open_clip_export.json"
PICTURES = random_pictures(3)
TEXTS = ["a red circle", "a large green star on a black background", "noise"]


def export_bundled(folder: Path) -> Path:
    """The folder ``oc`` in this one, as ``export-model --to open-clip --strength 0.7`` writes it."""
    lora = save_lora(folder / "lora.safetensors", shapes_demo_path())
    export_checkpoints(find_checkpoints(lora, strength=0.7), "open-clip", folder / "oc")
    return folder / "oc"
