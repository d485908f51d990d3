"""What the shapes of a model do not tell, as one source or another states it, each value checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Literal, get_args

from ...errors import InputError
from .info import Activation, CheckpointInfo, Family, Fit, Interpolation, TextShape, VisionShape

_LARGEST_PICTURE = 65_536


@dataclass(frozen=True, kw_only=True)
class Properties:
    """What one source says; None where it says nothing."""

    activation: Activation | None = None
    eps: float | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    fit: Fit | None = None
    interpolation: Interpolation | None = None
    image_size: int | None = None
    #: Of the picture tower, or of the only tower.
    heads: int | None = None
    text_heads: int | None = None
    space: str | None = None


NAMES = tuple(field.name for field in fields(Properties))


def properties_of(raw: Mapping[str, object], where: str) -> Properties:
    """The properties in a mapping with their names as keys; other keys are left alone.

    Raises InputError for a value that cannot be; ``where`` is named in it.
    """
    values = {name: _CHECKS[name](value, f"{where}: {name}") for name in NAMES if (value := raw.get(name)) is not None}
    return Properties(**values)  # type: ignore[arg-type]


def _one_of(*choices: str) -> Callable[[object, str], str]:
    def check(value: object, where: str) -> str:
        if value not in choices:
            raise InputError(f"{where} is {value!r}; give one of {', '.join(choices)}")
        return str(value)

    return check


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise InputError(f"{where} is {value!r}; give a number between 0 and 1")
    return float(value)


def _count(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST_PICTURE:
        raise InputError(f"{where} is {value!r}; give a whole number from 1 to {_LARGEST_PICTURE}")
    return value


def _colour(value: object, where: str) -> tuple[float, float, float]:
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not all(map(_is_number, value)):
        raise InputError(f"{where} is {value!r}; give three numbers, for red, green and blue")
    red, green, blue = (float(number) for number in value)
    return red, green, blue


def _spread(value: object, where: str) -> tuple[float, float, float]:
    spread = _colour(value, where)
    if min(spread) <= 0:
        raise InputError(f"{where} is {value!r}; give three numbers above 0")
    return spread


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value) and abs(value) < 1000


def _words(value: object, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise InputError(f"{where} is {value!r}; give the name of an embedding space")
    return value


_CHECKS: Mapping[str, Callable[[object, str], object]] = {
    "activation": _one_of(*get_args(Activation)),
    "eps": _number,
    "mean": _colour,
    "std": _spread,
    "fit": _one_of(*get_args(Fit)),
    "interpolation": _one_of(*get_args(Interpolation)),
    "image_size": _count,
    "heads": _count,
    "text_heads": _count,
    "space": _words,
}
_OPENAI_MEAN, _OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)
#: Widths of picture towers with 16 heads of more than 64 numbers each.
_SIXTEEN_HEADS = (1152, 1280, 1408, 1536, 1664, 1792)
_DFN_TOKENS = 27 * 27 + 1
_DINOV3_7B_WIDTH = 4096


def default_image_size(family: Family) -> int:
    """Of a model whose tensors do not tell it."""
    return 256 if family == "naflex" else 224


def default_heads(family: Family, part: Literal["vision", "text"], width: int) -> int:
    """Usual number of heads; always a divisor of the width."""
    if family == "dinov3" and width == _DINOV3_7B_WIDTH:
        return width // 128
    is_siglip_text = part == "text" and family in ("siglip", "siglip2", "naflex") and width == 1152
    is_big = part == "vision" and family not in ("dinov2", "dinov3") and width in _SIXTEEN_HEADS
    if is_big or is_siglip_text:
        return 16
    if width % 64 == 0:
        return width // 64
    return next(heads for heads in (8, 6, 5, 4, 3, 2, 1) if width % heads == 0)


def family_defaults(family: Family, vision: VisionShape | None, text: TextShape | None) -> Properties:
    """The habits of a family, by its shapes where the members differ."""
    if family in ("siglip", "siglip2", "naflex"):
        interpolation: Literal["bicubic", "bilinear"] = "bicubic" if family == "siglip" else "bilinear"
        return Properties(
            activation="gelu_tanh", eps=1e-6, mean=_HALF, std=_HALF, fit="squash", interpolation=interpolation
        )
    if family in ("dinov2", "dinov3"):
        eps = 1e-6 if family == "dinov2" else 1e-5
        return _clip_like("gelu", eps=eps, mean=_IMAGENET_MEAN, std=_IMAGENET_STD)
    if vision and vision.width == 1280 and vision.tokens == _DFN_TOKENS:
        return Properties(
            activation="quick_gelu",
            eps=1e-5,
            mean=_OPENAI_MEAN,
            std=_OPENAI_STD,
            fit="squash",
            interpolation="bicubic",
        )
    return _clip_like(_clip_activation(vision, text), eps=1e-5, mean=_OPENAI_MEAN, std=_OPENAI_STD)


def _clip_activation(vision: VisionShape | None, text: TextShape | None) -> Activation:
    """OpenAI's own sizes have the quick one; the larger models came from LAION, which left it."""
    is_large = vision.width > 1024 if vision else text is not None and text.width > 768
    return "gelu" if is_large else "quick_gelu"


def _clip_like(
    activation: Activation, *, eps: float, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Properties:
    return Properties(activation=activation, eps=eps, mean=mean, std=std, fit="crop", interpolation="bicubic")


def with_habits(info: CheckpointInfo, stated: Properties) -> CheckpointInfo:
    """The same model with its activation, eps, colours, fit and interpolation; its towers and family must be set."""
    usual = family_defaults(info.family, info.vision, info.text)
    return replace(
        info,
        activation=stated.activation or usual.activation or info.activation,
        eps=stated.eps or usual.eps or info.eps,
        mean=stated.mean or usual.mean or info.mean,
        std=stated.std or usual.std or info.std,
        fit=stated.fit or usual.fit or info.fit,
        interpolation=stated.interpolation or usual.interpolation or info.interpolation,
    )
