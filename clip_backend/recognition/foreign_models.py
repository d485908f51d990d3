"""Models in files that are no safetensors: recognised, refused with the cure, or told by the configuration beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..checkpoint_info import CheckpointInfo, Source
from .config_shapes import ConfiguredModel, configured_model
from .description import Request
from .evidence import gather, resolved
from .habits import with_habits
from .pickle_files import PickleFile
from .spaces import Towers, known_space

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
