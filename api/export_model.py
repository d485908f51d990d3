"""A trained model as files that other programs open, by one call."""

from __future__ import annotations

from pathlib import Path

from ..clip_backend.learning.exports.result import FOLDERS, Exported, Target
from ..errors import InputError
from .models import ModelChoice
from .pictures import StrPath


def export_model(
    model: StrPath | ModelChoice,
    to: Target,
    out: StrPath | None = None,
    *,
    base: StrPath | None = None,
    strength: float | None = None,
    dtype: str = "auto",
    overwrite: bool = False,
) -> Exported:
    """Writes a run, a LoRA or a model in the layout of another program.

    to: "hf" (a folder for transformers), "open-clip" (one for open_clip), "peft" (a LoRA for PEFT), "kohya" (a LoRA of
    the text encoder for ComfyUI's Load LoRA), "comfy-vision" and "comfy-text" (for ComfyUI's Load CLIP Vision and Load
    CLIP). out: the file or folder; without it one in the current folder that is named after the model.
    base, strength: as for ``load_encoder``; the strength becomes part of the weights. dtype: "fp32", "fp16", "bf16" or
    "auto". A file or folder of another program is only replaced with ``overwrite``.
    Raises InputError for a model that is not found or has no such layout, and for a run with a head alone.
    """
    choice = model if isinstance(model, ModelChoice) else ModelChoice(model)
    if base is not None or strength is not None:
        given = {"base": base, "strength": strength}
        choice = choice.with_model(choice.files()[0], **{name: one for name, one in given.items() if one is not None})
    path = choice.files()[0]
    learnt = choice.learnt
    if learnt and learnt.trained is None:
        what = learnt.head or learnt.calibration
        raise InputError(f"{path} trained no model: what it learnt is in {what}, which label and match take as it is")
    infos = choice.checkpoints()
    suffix = "" if to in FOLDERS else ".safetensors"
    target = Path(f"{path.stem}-{to}{suffix}") if out is None else Path(out).expanduser()
    # torch is imported where it computes, not with the API
    from ..clip_backend.learning.exports.export import export_checkpoints

    return export_checkpoints(infos, to, target, dtype=dtype, overwrite=overwrite)
