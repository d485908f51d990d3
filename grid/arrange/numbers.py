"""How the numbers of a sheet are written, and which differences between them mean something."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal, InvalidOperation
from math import floor, isfinite, log10

from ...csv_cells import plain_name

#: By the name of a score, the difference below which two pictures are equally good on its scale: a cosine of CLIP moves
#: by 0.01 with the wording of the text alone, CLIPScore is 2.5 times as large, and so on.
LEAST_DIFFERENCES = {
    "cosine": 0.01, "clipsimilarityscore": 0.01, "similarity": 0.01, "clipscore": 0.025, "z": 0.5, "percentile": 5.0,
    "probability": 0.05, "clipprobability": 0.05,
}  # fmt: skip
#: The same for every other score, as a share of its largest value.
_LEAST_SHARE = 0.01
_MOST_DECIMALS = 6


def least_difference(name: str, numbers: Collection[float]) -> float:
    """The difference of two scores of this name that means something; numbers: all of them."""
    known = LEAST_DIFFERENCES.get(plain_name(name))
    return _LEAST_SHARE * max(map(abs, numbers), default=0.0) if known is None else known


def decimals_of(numbers: Collection[float]) -> int:
    """The decimals with which all of some finite numbers are written: 0 for whole ones, else three for most."""
    if all(float(number).is_integer() for number in numbers):
        return 0
    largest = max(map(abs, numbers))
    if largest >= 0.01:
        return 3 if largest < 100 else 1
    return min(_MOST_DECIMALS, 1 - floor(log10(largest)))


def decimals_in(texts: Sequence[str]) -> int | None:
    """The most decimals that any of some texts has; None where they are not all numbers, or all whole."""
    most = 0
    for text in texts:
        try:
            exponent = Decimal(text.strip()).as_tuple().exponent
        except InvalidOperation:
            return None
        if not isinstance(exponent, int):
            return None
        most = max(most, -exponent)
    return min(most, _MOST_DECIMALS) or None


def format_number(number: float, decimals: int) -> str:
    """The number with its decimals, never a negative zero; a dash for infinity and NaN."""
    if not isfinite(number):
        return "–"
    text = f"{number:.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def format_score(score: float) -> str:
    """A score that stands alone: three decimals for fractions, whole numbers as they are."""
    whole = isfinite(score) and score == int(score) and abs(score) >= 2
    return format_number(score, 0 if whole else 3)
