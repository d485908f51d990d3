"""The score or column that is shown as a badge on each picture, and which picture has the best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

from ...csv_cells import plain_name
from ..colors import RGB
from ..table.records import ColumnValues
from .numbers import decimals_in, decimals_of, format_number, least_difference


@dataclass(frozen=True)
class Badges:
    """The badges of a sheet, by the index of the picture; pictures without a value have none."""

    #: The score or column that they show, as it is spelled there.
    name: str = ""
    texts: Mapping[int, str] = field(default_factory=dict)
    #: Values that are finite numbers, in full precision.
    numbers: Mapping[int, float] = field(default_factory=dict)
    #: Those with which the numbers are written; None for texts of a column that stand as they are.
    decimals: int | None = None
    #: The picture with the highest or the lowest number, where it stands out; no more than one.
    winners: frozenset[int] = frozenset()
    #: Colours of the badges in a heat map.
    tints: Mapping[int, RGB] = field(default_factory=dict)
    #: Whether each badge begins with the name.
    is_named: bool = False
    #: What the user should know.
    notes: tuple[str, ...] = ()

    def text(self, index: int) -> str:
        """What stands on the badge of a picture; "" for no badge."""
        text = self.texts.get(index, "")
        return f"{self.name} {text}" if text and self.is_named else text

    def with_decimals(self, decimals: int) -> Badges:
        """The badges with all numbers written alike."""
        written = {index: format_number(number, decimals) for index, number in self.numbers.items()}
        return replace(self, texts={**self.texts, **written}, decimals=decimals)


def read_badges(
    name: str, scores: Sequence[Mapping[str, float]], values: Sequence[Mapping[str, str]], winner: str = "none"
) -> Badges:
    """Badges of the score, or else the column, of this name in any spelling; a score goes before a column.

    winner: ``highest`` or ``lowest`` marks the picture with that number, unless the next one is about as good.
    """
    texts: dict[int, str] = {}
    numbers: dict[int, float] = {}
    is_score = False
    for index, (picture_scores, columns) in enumerate(zip(scores, values, strict=True)):
        score = score_named(name, picture_scores)
        is_score = is_score or score is not None
        text = ColumnValues(columns).get(name) if score is None else "–"
        number = _number(text or "") if score is None else score
        if text:
            texts[index] = text
            if number is not None and isfinite(number):
                numbers[index] = number
    spellings = (key for record in (*scores, *values) for key in record if plain_name(key) == plain_name(name))
    name = next(spellings, name)
    decimals = decimals_of(numbers.values()) if is_score else decimals_in(list(texts.values()))
    winners, notes = _winners(name, numbers, winner)
    badges = Badges(name, texts, numbers, winners=winners, notes=notes)
    return badges if decimals is None else badges.with_decimals(decimals)


def _winners(name: str, numbers: Mapping[int, float], winner: str) -> tuple[frozenset[int], tuple[str, ...]]:
    """The picture with the best number, and a note where the next one is about as good."""
    if winner == "none" or not numbers:
        return frozenset(), ()
    best, *others = sorted(numbers, key=lambda index: numbers[index], reverse=winner == "highest")
    least = least_difference(name, numbers.values())
    if others and abs(numbers[best] / 2 - numbers[others[0]] / 2) < max(least / 2, 5e-324):
        return frozenset(), (
            f"no picture is marked as the winner: the two {winner} values of {name} are {numbers[best]:g} and "
            f"{numbers[others[0]]:g}, and a difference of less than {least:.2g} does not tell which is better",
        )
    return frozenset([best]), ()


def score_named(name: str, scores: Mapping[str, float]) -> float | None:
    """The score of this name in any spelling."""
    return {plain_name(key): value for key, value in scores.items()}.get(plain_name(name))


def shared_score_name(scores: Sequence[Mapping[str, float]]) -> str:
    """The name of the only score that any picture has; empty when there are several, or none."""
    names = {name for picture_scores in scores for name in picture_scores}
    return names.pop() if len(names) == 1 else ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
