"""What the JSON files of a model state: config.json, open_clip_config.json, preprocessor_config.json and sidecars.

A sidecar of ``model.safetensors`` is ``model.clip.json``, or else ``model.json``: an object with any of the names of
``Properties``, or a copy of the model's config.json or open_clip_config.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose, isqrt
from pathlib import Path

from ...errors import CheckpointError, InputError
from ...json_text import JsonError, parse_object
from .info import CheckpointInfo, Family, Source, VisionShape
from .open_clip_configs import open_clip_properties
from .properties import (
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    OPENAI_MEAN,
    OPENAI_STD,
    Properties,
    check_properties,
    check_size,
    properties_of_config,
    without_impossible,
)
from .unsupported import TIPS
from .weight_files import Json, part, read_json

_HF, _OPEN_CLIP = "config.json", "open_clip_config.json"
#: The second is what a processor of transformers 5 writes; the first goes before it.
_PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
_OUR_SIDECAR = ".clip.json"
#: Keys of a header's metadata that are read: properties as in a sidecar, and a copy of config.json.
_METADATA_KEYS = ("clip_grid", "config")


def stated_properties(
    info: CheckpointInfo, folder: Path | None, metadata: Mapping[str, str]
) -> tuple[list[tuple[Source, Properties]], list[str]]:
    """What sidecar, configs and metadata of a model state, the strongest first, and notes about what is ignored.

    folder: the one with the configs of the model. A config that contradicts the shapes is that of another model and is
    ignored; what cannot be obeyed of the model's own is ``refused``. Raises CheckpointError for a ``.clip.json`` that
    is invalid: it was written for this package.
    """
    stated: list[tuple[Source, Properties]] = [("sidecar", _sidecar_properties(info))]
    notes: list[str] = []
    processor = next((name for name in _PREPROCESSORS if folder and info.vision and (folder / name).is_file()), "")
    for name in (processor, _OPEN_CLIP, _HF):
        if folder and name and (folder / name).is_file():
            try:
                stated.append(("config", _config_properties(folder / name, info)))
            except InputError as error:
                notes.append(f"{error}; it is ignored")
    try:
        stated.append(("metadata", _metadata_properties(metadata, info)))
    except InputError as error:
        notes.append(f"{error}; it is ignored")
    for index, (source, properties) in enumerate(stated):
        possible, wrong = without_impossible(properties, info)
        stated[index] = source, possible
        notes += [f"{what}; it is ignored" for what in wrong]
    return stated, notes


def _sidecar_properties(info: CheckpointInfo) -> Properties:
    """What the JSON sidecar of a model file states; a folder has none."""
    files = [info.path.with_name(info.path.stem + suffix) for suffix in (_OUR_SIDECAR, ".json")]
    sidecar = next((file for file in files if file.is_file() and file != info.path), None)
    if sidecar is None or info.path.is_dir():
        return Properties()
    try:
        return _any_form(read_json(sidecar), info, sidecar.name)
    except InputError as error:
        if sidecar.name.endswith(_OUR_SIDECAR):
            reason = error.reason if isinstance(error, CheckpointError) else str(error)
            raise CheckpointError(str(sidecar), reason) from error
        # many programs write such files
        return Properties()


def _config_properties(file: Path, info: CheckpointInfo) -> Properties:
    """What a config of the model or its preprocessor states; InputError for a broken one or another model's."""
    raw = read_json(file)
    if file.name in _PREPROCESSORS:
        own = raw if file.name == _PREPROCESSORS[0] else part(raw, "image_processor")
        return preprocessor_properties(own, info, file.name) if own else Properties()
    if file.name == _OPEN_CLIP and not _is_open_clip(raw):
        return Properties()
    return _any_form({"model_type": "clip", **raw}, info, file.name)


def _metadata_properties(metadata: Mapping[str, str], info: CheckpointInfo) -> Properties:
    key = next((key for key in _METADATA_KEYS if key in metadata), None)
    if key is None:
        return Properties()
    try:
        raw = parse_object(metadata[key])
    except JsonError as error:
        raise InputError(f"__metadata__ {key} is no sound JSON ({str(error)[:100]})") from error
    return _any_form(raw, info, f"__metadata__ {key}")


def _any_form(raw: Json, info: CheckpointInfo, where: str) -> Properties:
    """The properties in a config of open_clip or transformers, or under their own names.

    Raises InputError for invalid values and for a config that contradicts the shapes.
    """
    if _is_open_clip(raw):
        return open_clip_properties(raw, info, where)
    if "model_type" in raw or "vision_config" in raw or "text_config" in raw:
        return _hf_properties(raw, info, where)
    return check_properties(raw, where)


def _is_open_clip(raw: Json) -> bool:
    """Whether a config is one of open_clip."""
    return isinstance(raw.get("model_cfg"), dict)


_ACTIVATIONS = {
    "quick_gelu": "quick_gelu", "gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh", "gelu_accurate": "gelu_tanh", "gelu_python_tanh": "gelu_tanh", "gelu_python": "gelu",
    "silu": "silu", "swish": "silu",
}  # fmt: skip
_CLIP = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
_SIGLIP = {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6}
_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
_CLIP_VISION = _CLIP | _BASE | {"image_size": 224, "patch_size": 32, "projection_dim": 512}
_CLIP_TEXT = _CLIP | {
    "hidden_size": 512, "num_hidden_layers": 12, "num_attention_heads": 8, "intermediate_size": 2048,
    "max_position_embeddings": 77, "vocab_size": 49408, "projection_dim": 512,
}  # fmt: skip
#: The class of SigLIP 2 has no image_size, for it takes any.
_SIGLIP2_VISION = _SIGLIP | _BASE | {"patch_size": 16}
_SIGLIP_VISION = _SIGLIP2_VISION | {"image_size": 224}
_SIGLIP_TEXT = _SIGLIP | _BASE | {"max_position_embeddings": 64, "vocab_size": 32000}
_DINOV2 = _BASE | {"hidden_act": "gelu", "layer_norm_eps": 1e-6, "image_size": 224, "patch_size": 14}
_DINOV3 = _DINOV2 | {
    "layer_norm_eps": 1e-5, "patch_size": 16, "hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536,
}  # fmt: skip
_DINO = {"dinov2": _DINOV2, "dinov2_with_registers": _DINOV2 | {"patch_size": 16}, "dinov3_vit": _DINOV3}


def encoder_configs(raw: Json) -> tuple[Family, Json | None, Json | None]:
    """(family, vision, text): the parts of a config.json, with the defaults of their classes in transformers filled in.

    The family is that of ``model_type``; an unknown one is taken for CLIP's.
    """
    kind = str(raw.get("model_type", "clip"))
    if kind.startswith("dino"):
        family: Family = "dinov3" if kind.startswith("dinov3") else "dinov2"
        return family, {**_DINO.get(kind, _DINOV2), **raw}, None
    vision: Json = _CLIP_VISION
    text: Json = _CLIP_TEXT
    family = "clip"
    if kind.startswith("siglip"):
        vision, text = _SIGLIP2_VISION if kind.startswith("siglip2") else _SIGLIP_VISION, _SIGLIP_TEXT
        family = "siglip"
    if "vision_config" not in raw and ("vision" in kind or kind.endswith("image")):
        return family, {**vision, **raw}, None
    if "text_config" not in raw and "text" in kind:
        return family, None, {**text, **raw}
    # older files of CLIP have what differs from the defaults a second time, in *_config_dict
    vision = {**vision, **part(raw, "vision_config_dict"), **part(raw, "vision_config")}
    text = {**text, **part(raw, "text_config_dict"), **part(raw, "text_config")}
    return family, vision, text


def _hf_properties(raw: Json, info: CheckpointInfo, where: str) -> Properties:
    """The properties in a config.json; what cannot be computed is refused.

    Raises InputError for the config of another model, by its family or its sizes.
    """
    vision, text = info.vision, info.text
    if str(raw.get("model_type")).startswith("tips"):
        return Properties(refused={"family": TIPS})
    family, vision_raw, text_raw = encoder_configs(raw)
    stated: dict[str, object] = {}
    if text and text_raw:
        check_size(where, "width of text", text_raw.get("hidden_size"), text.width)
        check_size(where, "number of text layers", text_raw.get("num_hidden_layers"), text.layers)
        own = _of_encoder(text_raw)
        stated = {f"text_{name}": value for name, value in own.items()} if vision else own
    if vision and vision_raw:
        if vision.has_class_token == (family == "siglip"):
            raise InputError(f"{where} says {family} where the tensors are of another family")
        check_size(where, "width", vision_raw.get("hidden_size"), vision.width)
        check_size(where, "patch size", vision_raw.get("patch_size"), vision.patch)
        check_size(where, "number of layers", vision_raw.get("num_hidden_layers"), vision.layers)
        stated |= _of_encoder(vision_raw)
        if not family.startswith("dino"):  # theirs is that of the position table, which is interpolated
            stated["image_size"] = vision_raw.get("image_size")
    return properties_of_config(stated, where, info)


def _of_encoder(raw: Json) -> dict[str, object]:
    activation = raw.get("hidden_act")
    known = _ACTIVATIONS.get(activation, activation) if isinstance(activation, str) else activation
    return {"activation": known, "eps": raw.get("layer_norm_eps"), "heads": raw.get("num_attention_heads")}


#: Names of resize filters, in the order of Pillow's constants.
_FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
_SQUARE = {"height": 224, "width": 224}
_CROPPED = {"size": {"shortest_edge": 224}, "crop_size": _SQUARE, "do_center_crop": True, "resample": 3}
_CROP = _CROPPED | {"image_mean": OPENAI_MEAN, "image_std": OPENAI_STD}
_STRETCHED = {"size": _SQUARE, "resample": 2, "image_mean": HALF, "image_std": HALF}
#: The defaults of the classes, by the start of their names.
_CLASSES: tuple[tuple[str, Json], ...] = (
    ("CLIP", _CROP), ("ChineseCLIP", _CROP), ("Bit", _CROP),
    ("Siglip2", {"resample": 2, "image_mean": HALF, "image_std": HALF}),
    ("Siglip", _STRETCHED | {"resample": 3}), ("ViT", _STRETCHED),
    ("DINOv3ViT", _STRETCHED | {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}),
)  # fmt: skip
#: Classes for which a size that is one number is that of the short side.
_OF_SHORT_SIDE = ("CLIP", "ChineseCLIP", "Bit", "Siglip")
#: Switches of steps that are obeyed, or that no picture that comes here needs.
_KNOWN_STEPS = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb")
_LEVELS = 255
_OTHER = "correct or delete the file, or load it with fit='crop' or fit='squash'"


class _Refused(Exception):
    """A size that cannot be obeyed, with the reason and the cure."""


def preprocessor_properties(raw: Json, info: CheckpointInfo, where: str) -> Properties:
    """The properties in a config of a processor for pictures; what cannot be obeyed is refused.

    Missing keys have the defaults of the class, if it is known. The factor of rescaling, by 1/255 as a rule, becomes a
    part of mean and std. Source: transformers, image_processing_clip and image_transforms.
    """
    kind = str(raw.get("image_processor_type") or raw.get("feature_extractor_type") or "")
    defaults = next((known for start, known in _CLASSES if kind.startswith(start)), {})
    settings = {**defaults, **{key: value for key, value in raw.items() if value is not None}}
    refused = {
        key: f"{where} says {key}, which is not done here; set it to false if the model needs no such step"
        for key, value in settings.items()
        if key.startswith("do_") and value is True and key not in _KNOWN_STEPS
    }
    stated: dict[str, object] = {}
    if "resample" in settings:
        stated["interpolation"] = _filter(settings["resample"])
    _state_levels(settings, stated, refused, where)
    if info.vision:
        try:
            is_short = kind.startswith(_OF_SHORT_SIDE) or settings.get("do_center_crop") is True
            is_naflex = info.family == "naflex"
            stated |= _flexible(settings, info.vision) if is_naflex else _square(settings, info, is_short)
        except _Refused as error:
            refused["fit"] = f"{where} {error}"
    return properties_of_config(stated, where, info, refused)


def _filter(resample: object) -> object:
    if isinstance(resample, int) and not isinstance(resample, bool) and 0 <= resample < len(_FILTERS):
        return _FILTERS[resample]
    return resample


def _state_levels(settings: Json, stated: dict[str, object], refused: dict[str, str], where: str) -> None:
    """Mean and std, as they are for levels of 0..1."""
    mean, std = settings.get("image_mean"), settings.get("image_std")
    if settings.get("do_normalize", True) is False:
        mean, std = [0.0] * 3, [1.0] * 3
    factor = settings.get("rescale_factor", 1 / _LEVELS) if settings.get("do_rescale", True) is not False else 1
    if isinstance(factor, (int, float)) and isclose(factor, 1 / _LEVELS, rel_tol=1e-6):
        stated |= {"mean": mean, "std": std}
        return
    triples = [triple for triple in (mean, std) if isinstance(triple, (list, tuple))]
    numbers = [value for triple in triples for value in triple if isinstance(value, (int, float))]
    if len(numbers) != 6 or not isinstance(factor, (int, float)) or isinstance(factor, bool) or factor <= 0:
        refused["mean"] = f"{where} says rescale_factor {factor!r} without mean and std for it; correct the file"
        return
    scaled = [value / (_LEVELS * factor) for value in numbers]
    stated |= {"mean": scaled[:3], "std": scaled[3:]}


def _square(settings: Json, info: CheckpointInfo, is_short: bool) -> dict[str, object]:
    """The fit, the side of the square that the model takes, and the short side before a crop; raises _Refused.

    is_short: a size that is one number is that of the short side.
    """
    crops = settings.get("do_center_crop") is True
    if not {"size", "crop_size"} & settings.keys():
        return {"fit": "crop"} if crops else {}
    if settings.get("do_resize", True) is False:
        raise _Refused(f"says do_resize false, and pictures are always resized here; {_OTHER}")
    crop = _side(settings.get("crop_size"), "crop_size", "height", "width") if crops else None
    fit, side = _resized(settings.get("size"), is_short, crop)
    if fit == "crop" and crop is None:
        raise _Refused(f"resizes the short side to {side} px without a crop, which makes no square; {_OTHER}")
    final = side if crop is None else crop
    if final > side:
        raise _Refused(f"crops pictures of {side} px to {final} px, more than there is; {_OTHER}")
    _check_final(final, info.vision, info.family in ("dinov2", "dinov3"))
    return {"fit": fit, "image_size": final, "short_side": side}


def _resized(size: object, is_short: bool, crop: int | None) -> tuple[str, int]:
    """(fit, side) that ``size`` states: of the short side, or of a square."""
    if size is None and crop is not None:
        return "crop", crop
    if isinstance(size, dict) and "shortest_edge" in size and not size.get("longest_edge"):
        return "crop", _side(size["shortest_edge"], "size.shortest_edge")
    if isinstance(size, dict) and not {"height", "width"} <= size.keys():
        raise _Refused(f"says size {size}, which makes no square; {_OTHER}")
    side = _side(size, "size", "height", "width")
    return ("crop" if isinstance(size, int) and is_short else "squash"), side


def _side(value: object, name: str, *keys: str) -> int:
    """One whole number, from itself, from two that are equal, or from an object with these keys."""
    sides = [value.get(key) for key in keys] if isinstance(value, dict) else value
    both = sides if isinstance(sides, (list, tuple)) else [sides]
    numbers = [one for one in both if isinstance(one, int) and not isinstance(one, bool) and one > 0]
    if not numbers or len(numbers) < len(both):
        raise _Refused(f"says {name} {value!r}, which is no size; {_OTHER}")
    if len(set(numbers)) > 1:
        raise _Refused(f"says {name} {value!r}, and only squares are taken here; {_OTHER}")
    return numbers[0]


def _check_final(side: int, vision: VisionShape | None, is_any_size: bool) -> None:
    if vision and not is_any_size and (side // vision.patch) ** 2 != vision.tokens - vision.has_class_token:
        raise _Refused(
            f"makes squares of {side} px where the model takes {vision.image_size} px: it is that of another model; "
            f"{_OTHER}"
        )


def _flexible(settings: Json, vision: VisionShape) -> dict[str, object]:
    """The size of a square picture with as many patches as NaFlex may have."""
    most = settings.get("max_num_patches")
    if most is None:
        return {}
    side = isqrt(most) if isinstance(most, int) and most > 0 else 0
    if not side or side * side != most:
        raise _Refused(f"says max_num_patches {most!r}, and only square numbers are taken here; {_OTHER}")
    return {"image_size": side * vision.patch}
