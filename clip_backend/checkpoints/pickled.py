"""The sizes of towers by a configuration alone: for weights in a pickle, whose shapes nobody may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import CheckpointError, InputError
from .configs import TowerConfigs, read_object, tower_configs
from .evidence import Request, gather, resolved
from .info import CheckpointInfo, Family, Source, TextShape, VisionShape
from .properties import with_habits
from .spaces import Towers, known_space
from .weight_listing import PickleFile

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


_NO_CONFIG = (
    "weights in a pickle, whose sizes cannot be seen without opening it; "
    "put the model's config.json beside it in a folder of its own, or use its .safetensors file"
)


def describe_foreign(request: Request, foreign: PickleFile, *, allow_pickle: bool) -> CheckpointInfo:
    """What is known of such a file; without a problem only where pickles are allowed and a configuration is there."""
    is_allowed = allow_pickle and foreign.can_be_allowed
    info = CheckpointInfo(
        path=request.path,
        files=request.listing.files,
        layout=foreign.layout,
        family="other",
        size_bytes=request.listing.size_bytes,
        problem=_NO_CONFIG if is_allowed else foreign.problem,
    )
    model = _configured(request.listing.folder) if foreign.layout == "pickle" else None
    if model is None:
        return info
    return _with_model(replace(info, problem="" if is_allowed else foreign.problem), request, model)


def _configured(folder: Path | None) -> ConfiguredModel | None:
    return configured_model(folder) if folder else None


def _with_model(info: CheckpointInfo, request: Request, model: ConfiguredModel) -> CheckpointInfo:
    vision, text = model.vision, model.text
    evidence = gather(request.path, request.listing, vision, text)
    stated, sources = resolved((("argument", request.argument), *evidence.sources))
    if vision:
        vision = replace(vision, heads=stated.heads or vision.heads)
    towers = Towers(
        family=model.family,
        vision=vision,
        text=text,
        projection=model.projection,
        has_vision_projection=bool(vision and model.projection),
        has_text_projection=bool(text and model.projection),
        activation=stated.activation,
    )
    known = known_space(towers) if model.projection else None
    winners: dict[str, Source] = {"shapes": "config", "family": "config", **sources}
    for name in ("mean", "std", "fit", "interpolation") if vision else ():
        winners.setdefault(name, "assumed")
    if known:
        winners.setdefault("space", "assumed")
    info = replace(
        info,
        layout=model.layout,
        family=model.family,
        vision=vision,
        text=text,
        projection=model.projection,
        has_vision_projection=towers.has_vision_projection,
        has_text_projection=towers.has_text_projection,
        space=stated.space or (known.name if known else None),
        sources=winners,
        notes=(*info.notes, *evidence.notes),
    )
    return with_habits(info, stated)
