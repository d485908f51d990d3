"""What the shapes of a model do not tell, as one source or another states it, each value checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import get_args

from ...errors import InputError
from ..checkpoint_info import Activation, Fit, Interpolation

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
