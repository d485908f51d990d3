"""What a preprocessor_config.json of transformers states about the pictures of a model."""

from __future__ import annotations

from math import isclose, isqrt

from .info import CheckpointInfo, VisionShape
from .json_files import Json
from .properties import (
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    OPENAI_MEAN,
    OPENAI_STD,
    Properties,
    properties_of_config,
)

#: By Pillow's numbers.
_FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
_SQUARE = {"height": 224, "width": 224}
_CROPPED = {"size": {"shortest_edge": 224}, "crop_size": _SQUARE, "do_center_crop": True, "resample": 3}
_CLIP = _CROPPED | {"image_mean": OPENAI_MEAN, "image_std": OPENAI_STD}
_VIT = {"size": _SQUARE, "resample": 2, "image_mean": HALF, "image_std": HALF}
#: The defaults of the classes, by the start of their names.
_CLASSES: tuple[tuple[str, Json], ...] = (
    ("CLIP", _CLIP), ("ChineseCLIP", _CLIP), ("Bit", _CLIP),
    ("Siglip2", {"resample": 2, "image_mean": HALF, "image_std": HALF}),
    ("Siglip", _VIT | {"resample": 3}), ("ViT", _VIT),
    ("DINOv3ViT", _VIT | {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}),
)  # fmt: skip
#: Classes for which a size that is one number is that of the short side.
_OF_SHORT_SIDE = ("CLIP", "ChineseCLIP", "Bit", "Siglip")
#: Switches of steps that are obeyed, or that no picture that comes here needs.
_KNOWN_STEPS = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb")
_LEVELS = 255
_OTHER = "correct the file, or give a fit"


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
