"""What is marked on single pictures: the badge with a score or value, its colour, and the frame of the winners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from ...csv_cells import plain_name
from ..labels.names import ColumnNames
from ..text.line import RGB


@dataclass(frozen=True)
class Marks:
    """Marks by picture: texts of badges, winners, and the colours of badges that have one."""

    badges: Mapping[int, str] = field(default_factory=dict)
    winners: frozenset[int] = frozenset()
    tints: Mapping[int, RGB] = field(default_factory=dict)
    #: The score or column that the badges show, as it is written there.
    name: str = ""


@dataclass(frozen=True)
class BadgeValues:
    """The score or column ``name`` of each picture that has it: as text, and as a number where it is a finite one."""

    name: str = ""
    texts: Mapping[int, str] = field(default_factory=dict)
    numbers: Mapping[int, float] = field(default_factory=dict)

    def best(self, which: str) -> frozenset[int]:
        """The pictures with the ``highest`` or the ``lowest`` number, in full precision; nobody for ``none``."""
        if which == "none" or not self.numbers:
            return frozenset()
        best = (max if which == "highest" else min)(self.numbers.values())
        return frozenset(index for index, number in self.numbers.items() if number == best)


def read_badges(name: str, scores: Sequence[Mapping[str, float]], values: Sequence[Mapping[str, str]]) -> BadgeValues:
    """The values of a score, or else a column, of this name in any spelling; a score beats a column."""
    texts: dict[int, str] = {}
    numbers: dict[int, float] = {}
    for index, (given, columns) in enumerate(zip(scores, values, strict=True)):
        score = score_named(name, given)
        text = ColumnNames(columns).get(name) if score is None else format_score(score)
        number = _number(text or "") if score is None else score
        if text:
            texts[index] = text
            if number is not None and isfinite(number):
                numbers[index] = number
    return BadgeValues(_written(name, [*scores, *values]), texts, numbers)


def score_named(name: str, scores: Mapping[str, float]) -> float | None:
    """The score of this name in any spelling."""
    return {plain_name(key): value for key, value in scores.items()}.get(plain_name(name))


def _written(name: str, records: Sequence[Mapping[str, object]]) -> str:
    """The name as the first record that has it spells it."""
    return next((key for record in records for key in record if plain_name(key) == plain_name(name)), name)


def format_score(score: float) -> str:
    """Three decimals for fractions, whole numbers as they are; a dash for what is no number."""
    if not isfinite(score):
        return "–"
    return f"{score:.0f}" if score == int(score) and abs(score) >= 2 else f"{score:.3f}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
