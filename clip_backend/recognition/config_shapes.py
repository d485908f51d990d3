"""The sizes of towers by a configuration alone: for weights in a pickle, whose shapes nobody may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import CheckpointError, InputError
from ..checkpoint_info import Family, TextShape, VisionShape
from .hf_config import TowerConfigs, tower_configs
from .json_files import read_object

_MOST = 10_000_000


@dataclass(frozen=True, kw_only=True)
class ConfiguredModel:
    """A model as its config.json tells it."""

    layout: str
    family: Family
    vision: VisionShape | None
    text: TextShape | None
    projection: int | None


def configured_model(folder: Path) -> ConfiguredModel | None:
    """What the config.json of a folder tells of its towers; None without one that can be understood."""
    file = folder / "config.json"
    if not file.is_file():
        return None
    try:
        raw = read_object(file)
        configs = tower_configs(raw)
        vision = _vision(configs) if "vision" in configs.parts else None
        text = _text(configs) if "text" in configs.parts else None
        return ConfiguredModel(
            layout="dinov2" if configs.family == "dinov2" else f"hf-{configs.family}",
            family=_family(configs, text),
            vision=vision,
            text=text,
            projection=_projection(raw, configs, vision),
        )
    except InputError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(str(file), f"{error}") from error


def _vision(configs: TowerConfigs) -> VisionShape:
    raw = configs.vision
    patch, image = _count(raw, "patch_size"), _count(raw, "image_size")
    has_class = configs.family != "siglip"
    if not image // patch:
        raise InputError(f"patches of {patch} px do not fit pictures of {image} px; fetch the file again")
    return VisionShape(
        width=_count(raw, "hidden_size"),
        layers=_count(raw, "num_hidden_layers"),
        heads=_count(raw, "num_attention_heads"),
        mlp=_count(raw, "intermediate_size"),
        patch=patch,
        tokens=(image // patch) ** 2 + has_class,
        image_size=image,
        has_class_token=has_class,
    )


def _text(configs: TowerConfigs) -> TextShape:
    raw = configs.text
    return TextShape(
        width=_count(raw, "hidden_size"),
        layers=_count(raw, "num_hidden_layers"),
        heads=_count(raw, "num_attention_heads"),
        mlp=_count(raw, "intermediate_size"),
        context=_count(raw, "max_position_embeddings"),
        vocabulary=_count(raw, "vocab_size"),
    )


def _family(configs: TowerConfigs, text: TextShape | None) -> Family:
    if configs.family == "clip" and text and text.context == 248:
        return "longclip"
    if configs.family == "siglip" and text and text.vocabulary == 256_000:
        return "siglip2"
    return configs.family


def _projection(raw: Mapping[str, object], configs: TowerConfigs, vision: VisionShape | None) -> int | None:
    if configs.family == "siglip":
        return vision.width if vision else None
    if configs.family != "clip":
        return None
    classes = raw.get("architectures")
    is_projected = isinstance(classes, list) and any(str(name).endswith("WithProjection") for name in classes)
    if len(configs.parts) == 2:
        return _count({"projection_dim": 512} | dict(raw), "projection_dim")
    tower = configs.vision if vision else configs.text
    return _count(tower, "projection_dim") if is_projected else None


def _count(raw: Mapping[str, object], name: str) -> int:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST:
        raise InputError(f"{name} is {value!r}, no size; fetch the file again")
    return value
