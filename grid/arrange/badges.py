"""The score or column that is shown as a badge on each picture, and which pictures have the best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from ...csv_cells import plain_name
from ..colors import RGB
from ..table.records import ColumnValues


@dataclass(frozen=True)
class Badges:
    """The badges of a sheet, by the index of the picture; pictures without a value have none."""

    #: The score or column that they show, as it is spelled there.
    name: str = ""
    texts: Mapping[int, str] = field(default_factory=dict)
    #: Values that are finite numbers, in full precision.
    numbers: Mapping[int, float] = field(default_factory=dict)
    #: Pictures with the highest or the lowest number.
    winners: frozenset[int] = frozenset()
    #: Colours of the badges in a heat map.
    tints: Mapping[int, RGB] = field(default_factory=dict)


def read_badges(
    name: str, scores: Sequence[Mapping[str, float]], values: Sequence[Mapping[str, str]], winner: str = "none"
) -> Badges:
    """Badges of the score, or else the column, of this name in any spelling; a score goes before a column.

    winner: ``highest`` or ``lowest`` marks the pictures with that number.
    """
    texts: dict[int, str] = {}
    numbers: dict[int, float] = {}
    for index, (picture_scores, columns) in enumerate(zip(scores, values, strict=True)):
        score = score_named(name, picture_scores)
        text = ColumnValues(columns).get(name) if score is None else format_score(score)
        number = _number(text or "") if score is None else score
        if text:
            texts[index] = text
            if number is not None and isfinite(number):
                numbers[index] = number
    spellings = (key for record in (*scores, *values) for key in record if plain_name(key) == plain_name(name))
    return Badges(next(spellings, name), texts, numbers, _winners(numbers, winner))


def _winners(numbers: Mapping[int, float], winner: str) -> frozenset[int]:
    if winner == "none" or not numbers:
        return frozenset()
    best = (max if winner == "highest" else min)(numbers.values())
    return frozenset(index for index, number in numbers.items() if number == best)


def score_named(name: str, scores: Mapping[str, float]) -> float | None:
    """The score of this name in any spelling."""
    return {plain_name(key): value for key, value in scores.items()}.get(plain_name(name))


def shared_score_name(scores: Sequence[Mapping[str, float]]) -> str:
    """The name of the only score that any picture has; empty when there are several, or none."""
    names = {name for picture_scores in scores for name in picture_scores}
    return names.pop() if len(names) == 1 else ""


def format_score(score: float) -> str:
    """Three decimals for fractions, whole numbers as they are; a dash for infinity and NaN."""
    if not isfinite(score):
        return "–"
    return f"{score:.0f}" if score == int(score) and abs(score) >= 2 else f"{score:.3f}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
