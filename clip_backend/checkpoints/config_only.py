"""What a file in another format than safetensors is: its sizes come from the config.json in its folder, if any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...errors import CheckpointError, InputError
from .config_files import encoder_configs
from .detection import LONGCLIP_CONTEXT, SIGLIP2_VOCABULARY
from .info import CheckpointInfo, Family, TextShape, VisionShape
from .weight_files import Json, OtherFormat, WeightFiles, read_json

_LARGEST_SIZE = 10_000_000
_NO_CONFIG = (
    "weights in a pickle, whose sizes cannot be seen without opening it; "
    "put the model's config.json beside it in a folder of its own, or use its .safetensors file"
)


def describe_other_format(files: WeightFiles, other: OtherFormat, *, allow_pickle: bool) -> CheckpointInfo:
    """The file, without a problem only if it is a pickle with a config.json and pickles are allowed.

    Raises CheckpointError for a config.json with invalid sizes.
    """
    is_allowed = allow_pickle and other.is_readable_pickle
    config = files.folder / "config.json" if files.folder and other.layout == "pickle" else None
    has_config = config is not None and config.is_file()
    info = CheckpointInfo(
        path=files.path, files=files.files, layout=other.layout, family="other", size_bytes=files.size_bytes,
        problem=other.problem if not is_allowed else "" if has_config else _NO_CONFIG,
    )  # fmt: skip
    return _with_sizes(info, config) if config is not None and has_config else info


def _with_sizes(info: CheckpointInfo, file: Path) -> CheckpointInfo:
    raw = read_json(file)
    family, vision_raw, text_raw = encoder_configs(raw)
    text = None
    try:
        vision = _vision(vision_raw, family) if vision_raw else None
        if text_raw:
            context, vocabulary = _size(text_raw, "max_position_embeddings"), _size(text_raw, "vocab_size")
            text = TextShape(**_sizes(text_raw), context=context, vocabulary=vocabulary)
        projection = None
        if family == "siglip":
            projection = vision.width if vision else None
        elif family == "clip":
            projection = _clip_projection(raw, vision_raw, text_raw)
    except InputError as error:
        raise CheckpointError(str(file), f"{error}") from error
    layout = "dinov2" if family == "dinov2" else f"hf-{family}"
    if family == "clip" and text and text.context == LONGCLIP_CONTEXT:
        family = "longclip"
    if family == "siglip" and text and text.vocabulary == SIGLIP2_VOCABULARY:
        family = "siglip2"
    return replace(
        info, layout=layout, family=family, vision=vision, text=text, projection=projection,
        has_vision_projection=bool(vision and projection), has_text_projection=bool(text and projection),
    )  # fmt: skip


def _vision(raw: Json, family: Family) -> VisionShape:
    has_class_token = family != "siglip"
    patch, image_size = _size(raw, "patch_size"), _size(raw, "image_size")
    if patch > image_size:
        raise InputError(f"patches of {patch} px do not fit pictures of {image_size} px; fetch the file again")
    tokens = (image_size // patch) ** 2 + has_class_token
    return VisionShape(
        **_sizes(raw), patch=patch, tokens=tokens, image_size=image_size, has_class_token=has_class_token
    )


def _sizes(raw: Json) -> dict[str, int]:
    """What both kinds of encoders have."""
    names = {"width": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads"}
    return {name: _size(raw, key) for name, key in {**names, "mlp": "intermediate_size"}.items()}


def _clip_projection(raw: Json, vision: Json | None, text: Json | None) -> int | None:
    if vision and text:
        return _size({"projection_dim": 512, **raw}, "projection_dim")
    classes = raw.get("architectures")
    is_projected = isinstance(classes, list) and any(str(name).endswith("WithProjection") for name in classes)
    return _size(vision or text or {}, "projection_dim") if is_projected else None


def _size(raw: Json, name: str) -> int:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST_SIZE:
        raise InputError(f"{name} is {value!r}, no size; fetch the file again")
    return value
