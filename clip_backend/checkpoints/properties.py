"""Properties of a model that its shapes do not determine: which source wins, valid values, and usual values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeGuard, get_args

from ...errors import InputError
from .info import Activation, CheckpointInfo, Family, Fit, Interpolation, Pool, Rgb, Source, TextCleaning, TextPool


@dataclass(frozen=True, kw_only=True)
class Properties:
    """What one source states; None for what it does not."""

    #: For the vision or the only encoder, as are ``eps`` and ``heads``; for both if ``text_activation`` is None.
    activation: Activation | None = None
    text_activation: Activation | None = None
    eps: float | None = None
    text_eps: float | None = None
    heads: int | None = None
    text_heads: int | None = None
    pool: Pool | None = None
    text_pool: TextPool | None = None
    is_causal: bool | None = None
    text_cleaning: TextCleaning | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    fit: Fit | None = None
    short_side: int | None = None
    pad_color: Rgb | None = None
    interpolation: Interpolation | None = None
    image_size: int | None = None
    space: str | None = None
    #: Why what is stated about a property cannot be obeyed, by its name.
    refused: Mapping[str, str] = field(default_factory=dict)


NAMES = tuple(one.name for one in fields(Properties) if one.name != "refused")
#: Properties of texts that are those of pictures where a source states these alone.
_SHARED = {"text_activation": "activation", "text_eps": "eps"}
#: Properties that mean something only beside the ``fit`` of the same source.
_OF_FIT = ("short_side", "pad_color")


def resolve(sources: Iterable[tuple[Source, Properties]]) -> tuple[Properties, dict[str, Source], list[str]]:
    """For every property the value of the first source that states it, which source that is, and what is refused.

    A property that a source states and that cannot be obeyed is refused unless a stronger source states it.
    """
    values: dict[str, Any] = {}
    winners: dict[str, Source] = {}
    refused: dict[str, str] = {}
    for source, one in sources:
        refused |= {name: why for name, why in one.refused.items() if name not in winners and name not in refused}
        stated = {name: getattr(one, name) for name in NAMES}
        stated |= {text: stated[both] for text, both in _SHARED.items() if stated[text] is None}
        if "fit" in winners:
            stated |= dict.fromkeys(_OF_FIT)
        new = {name: value for name, value in stated.items() if value is not None and name not in winners}
        values |= new
        winners |= dict.fromkeys(new, source)
    return Properties(**values), {name: winners[name] for name in NAMES if name in winners}, list(refused.values())


def without_impossible(stated: Properties, info: CheckpointInfo) -> tuple[Properties, list[str]]:
    """The properties that are possible with the shapes of a model, and what is wrong with the others."""
    vision, text, wrong = info.vision, info.text, dict[str, str]()
    first = vision or text
    if stated.heads and first and first.width % stated.heads:
        wrong["heads"] = f"{stated.heads} heads do not divide a width of {first.width}"
    if stated.text_heads and text and text.width % stated.text_heads:
        wrong["text_heads"] = f"{stated.text_heads} heads do not divide a width of {text.width}"
    is_any_size = info.family in ANY_SIZE
    patches = (stated.image_size // vision.patch) ** 2 if stated.image_size and vision and not is_any_size else None
    if vision and patches not in (None, vision.tokens - vision.has_class_token):
        wrong["image_size"] = f"pictures of {stated.image_size} px do not fit {vision.tokens} tokens"
    nothing: dict[str, Any] = dict.fromkeys(wrong)
    return replace(stated, **nothing), list(wrong.values())


def check_size(where: str, what: str, stated: object, actual: int) -> None:
    """Raises InputError if a config states another size than the tensors have: it is that of another model."""
    if stated != actual:
        raise InputError(f"{where} says {what} {stated!r} where the tensors say {actual}")


def check_properties(raw: Mapping[str, object], where: str) -> Properties:
    """The properties in a mapping with their names as keys; other keys and None are ignored.

    Raises InputError for an invalid value; the message names ``where``.
    """
    values: dict[str, Any] = {name: raw[name] for name in NAMES if raw.get(name) is not None}
    for name, value in values.items():
        is_valid, hint = _VALID[name]
        if not is_valid(value):
            raise InputError(f"{where}: {name} is {value!r}; give {hint}")
        values[name] = _KINDS.get(name, _same)(value)
    return Properties(**values)


def properties_of_config(
    raw: Mapping[str, object], where: str, info: CheckpointInfo, refused: Mapping[str, str] | None = None
) -> Properties:
    """As ``check_properties``, but what is invalid or impossible is refused by name.

    refused: what the reader of the config could not make a property of.
    """
    refusals = dict(refused or {})
    valid: dict[str, object] = {}
    for name in NAMES:
        try:
            check_properties({name: raw.get(name)}, where)
        except InputError as error:
            refusals.setdefault(name, f"{error} there, or as an option")
        else:
            valid[name] = raw.get(name)
    properties = check_properties({name: value for name, value in valid.items() if name not in refusals}, where)
    for name, shape in (("heads", info.vision or info.text), ("text_heads", info.text)):
        heads = getattr(properties, name)
        if heads and shape and shape.width % heads:
            refusals[name] = f"{where}: {heads} heads do not divide a width of {shape.width}; give another number"
            nothing: dict[str, Any] = {name: None}
            properties = replace(properties, **nothing)
    return replace(properties, refused=refusals)


def _same(value: Any) -> Any:
    return value


def _floats(value: Iterable[float]) -> tuple[float, ...]:
    return tuple(map(float, value))


#: What a valid value becomes.
_KINDS: Mapping[str, Callable[[Any], Any]] = {"mean": _floats, "std": _floats, "pad_color": tuple}


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_color(value: object) -> TypeGuard[Sequence[float]]:
    numbers = value if isinstance(value, (list, tuple)) and len(value) == 3 else [None]
    return all(_is_number(number) and abs(number) < 1000 for number in numbers)


def _is_rgb(value: object) -> bool:
    return _is_color(value) and all(isinstance(level, int) and 0 <= level <= 255 for level in value)


def _one_of(choices: tuple[str, ...]) -> tuple[Callable[[object], bool], str]:
    return choices.__contains__, f"one of {', '.join(choices)}"


_LARGEST_COUNT = 65_536
_COUNT = (
    lambda value: type(value) is int and 0 < value <= _LARGEST_COUNT,
    f"a whole number from 1 to {_LARGEST_COUNT}",
)
_EPS = (lambda value: _is_number(value) and 0 < value < 1, "a number between 0 and 1")
#: For each property whether a value is valid, and what to give instead.
_VALID: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "activation": _one_of(get_args(Activation)),
    "text_activation": _one_of(get_args(Activation)),
    "eps": _EPS,
    "text_eps": _EPS,
    "pool": _one_of(get_args(Pool)),
    "text_pool": _one_of(get_args(TextPool)),
    "is_causal": (lambda value: isinstance(value, bool), "true or false"),
    "text_cleaning": _one_of(get_args(TextCleaning)),
    "short_side": _COUNT,
    "pad_color": (_is_rgb, "three whole numbers from 0 to 255"),
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
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
_SIGLIP = ("siglip", "siglip2", "naflex")
#: Families whose pictures may have another size than their position table.
ANY_SIZE: tuple[Family, ...] = ("dinov2", "dinov3", "naflex")
#: Widths of vision encoders with 16 heads of more than 64 dimensions each.
_SIXTEEN_HEADS = (1152, 1280, 1408, 1536, 1664, 1792)
_H_WIDTH, _TOKENS_224, _TOKENS_378 = 1280, 16 * 16 + 1, 27 * 27 + 1
#: Vocabulary size of XLM-V, whose tokenizer MetaCLIP 2 uses.
METACLIP2_VOCABULARY = 901_629
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
        usual = replace(usual, activation="gelu_tanh", eps=1e-6, mean=HALF, std=HALF, fit="squash")
        return replace(usual, interpolation="bicubic" if family == "siglip" else "bilinear")
    if family in ("dinov2", "dinov3"):
        return replace(usual, eps=1e-6 if family == "dinov2" else 1e-5, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    if text and text.vocabulary == METACLIP2_VOCABULARY:
        # of MetaCLIP 2 only ViT-H for 224 px has quick_gelu. Source: open_clip, pretrained.py
        is_quick = vision is None or (vision.width, vision.tokens) == (_H_WIDTH, _TOKENS_224)
        is_378 = vision is not None and vision.tokens == _TOKENS_378
        return replace(usual, activation="quick_gelu" if is_quick else "gelu", fit="squash" if is_378 else "crop")
    if vision and (vision.width, vision.tokens) == (_H_WIDTH, _TOKENS_378):
        # DFN
        return replace(usual, activation="quick_gelu", fit="squash")
    # the models of OpenAI have quick_gelu; the larger ones are of LAION, which trained with gelu
    is_large = vision.width > 1024 if vision else text is not None and text.width > 768
    return usual if is_large else replace(usual, activation="quick_gelu")
