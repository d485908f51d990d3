"""Properties of a model that its shapes do not determine: which source wins, valid values, and usual values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeGuard, get_args

from ...errors import InputError
from .info import Activation, CheckpointInfo, Family, Fit, Interpolation, Source


@dataclass(frozen=True, kw_only=True)
class Properties:
    """What one source states; None for what it does not."""

    activation: Activation | None = None
    eps: float | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    fit: Fit | None = None
    interpolation: Interpolation | None = None
    image_size: int | None = None
    #: Of the vision encoder, or of the only encoder.
    heads: int | None = None
    text_heads: int | None = None
    space: str | None = None


NAMES = tuple(field.name for field in fields(Properties))


def resolve(sources: Iterable[tuple[Source, Properties]]) -> tuple[Properties, dict[str, Source]]:
    """For every property the value of the first source that states it, and which source that is."""
    stated = [(name, source, getattr(one, name)) for source, one in reversed(list(sources)) for name in NAMES]
    winners = {name: (source, value) for name, source, value in stated if value is not None}
    values = {name: value for name, (_, value) in winners.items()}
    return Properties(**values), {name: winners[name][0] for name in NAMES if name in winners}


def without_impossible(stated: Properties, info: CheckpointInfo) -> tuple[Properties, list[str]]:
    """The properties that are possible with the shapes of a model, and what is wrong with the others."""
    vision, text, wrong = info.vision, info.text, dict[str, str]()
    first = vision or text
    if stated.heads and first and first.width % stated.heads:
        wrong["heads"] = f"{stated.heads} heads do not divide a width of {first.width}"
    if stated.text_heads and text and text.width % stated.text_heads:
        wrong["text_heads"] = f"{stated.text_heads} heads do not divide a width of {text.width}"
    patches = (stated.image_size // vision.patch) ** 2 if stated.image_size and vision else None
    if vision and patches not in (None, vision.tokens - vision.has_class_token):
        wrong["image_size"] = f"pictures of {stated.image_size} px do not fit {vision.tokens} tokens"
    return replace(stated, **dict.fromkeys(wrong)), list(wrong.values())


def check_properties(raw: Mapping[str, object], where: str) -> Properties:
    """The properties in a mapping with their names as keys; other keys and None are ignored.

    Raises InputError for an invalid value; the message names ``where``.
    """
    values: dict[str, Any] = {name: raw[name] for name in NAMES if raw.get(name) is not None}
    for name, value in values.items():
        is_valid, hint = _VALID[name]
        if not is_valid(value):
            raise InputError(f"{where}: {name} is {value!r}; give {hint}")
        values[name] = tuple(map(float, value)) if name in ("mean", "std") else value
    return Properties(**values)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_color(value: object) -> TypeGuard[Sequence[float]]:
    numbers = value if isinstance(value, (list, tuple)) and len(value) == 3 else [None]
    return all(_is_number(number) and abs(number) < 1000 for number in numbers)


def _one_of(choices: tuple[str, ...]) -> tuple[Callable[[object], bool], str]:
    return choices.__contains__, f"one of {', '.join(choices)}"


_LARGEST_COUNT = 65_536
_COUNT = (
    lambda value: type(value) is int and 0 < value <= _LARGEST_COUNT,
    f"a whole number from 1 to {_LARGEST_COUNT}",
)
#: For each property whether a value is valid, and what to give instead.
_VALID: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "activation": _one_of(get_args(Activation)),
    "eps": (lambda value: _is_number(value) and 0 < value < 1, "a number between 0 and 1"),
    "mean": (_is_color, "three numbers, for red, green and blue"),
    "std": (lambda value: _is_color(value) and min(value) > 0, "three numbers above 0, for red, green and blue"),
    "fit": _one_of(get_args(Fit)),
    "interpolation": _one_of(get_args(Interpolation)),
    "image_size": _COUNT,
    "heads": _COUNT,
    "text_heads": _COUNT,
    "space": (lambda value: isinstance(value, str) and 0 < len(value) <= 200, "the name of an embedding space"),
}

OPENAI_MEAN, OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)
_SIGLIP = ("siglip", "siglip2", "naflex")
#: Widths of vision encoders with 16 heads of more than 64 numbers each.
_SIXTEEN_HEADS = (1152, 1280, 1408, 1536, 1664, 1792)
_DFN_WIDTH, _DFN_TOKENS = 1280, 27 * 27 + 1
_DINOV3_7B_WIDTH = 4096


def default_heads(family: Family, part: Literal["vision", "text"], width: int) -> int:
    """The usual number of heads at this width; always a divisor of it."""
    if family == "dinov3" and width == _DINOV3_7B_WIDTH:
        return width // 128
    is_siglip_text = part == "text" and family in _SIGLIP and width == 1152
    is_large_vision = part == "vision" and family not in ("dinov2", "dinov3") and width in _SIXTEEN_HEADS
    if is_large_vision or is_siglip_text:
        return 16
    if width % 64 == 0:
        return width // 64
    return next(heads for heads in (8, 6, 5, 4, 3, 2, 1) if width % heads == 0)


def default_properties(info: CheckpointInfo) -> Properties:
    """The usual properties of a model of this family, by its shapes where the models of the family differ."""
    family, vision, text = info.family, info.vision, info.text
    usual = Properties(
        activation="gelu", eps=1e-5, mean=OPENAI_MEAN, std=OPENAI_STD, fit="crop", interpolation="bicubic",
        heads=vision.heads if vision else text.heads if text else None,
        text_heads=text.heads if vision and text else None,
        image_size=vision.image_size if vision else None,
    )  # fmt: skip
    if family in _SIGLIP:
        usual = replace(usual, activation="gelu_tanh", eps=1e-6, mean=_HALF, std=_HALF, fit="squash")
        return replace(usual, interpolation="bicubic" if family == "siglip" else "bilinear")
    if family in ("dinov2", "dinov3"):
        return replace(usual, eps=1e-6 if family == "dinov2" else 1e-5, mean=_IMAGENET_MEAN, std=_IMAGENET_STD)
    if vision and (vision.width, vision.tokens) == (_DFN_WIDTH, _DFN_TOKENS):
        return replace(usual, activation="quick_gelu", fit="squash")
    # the models of OpenAI have quick_gelu; the larger ones are of LAION, which trained with gelu
    is_large = vision.width > 1024 if vision else text is not None and text.width > 768
    return usual if is_large else replace(usual, activation="quick_gelu")
