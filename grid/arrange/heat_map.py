"""Mean scores for each value of the axes of a table, and the colours that they and the badges stand on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Any

from ...errors import InputError
from ..text.line import RGB
from .axes import Axes, Axis, Pictures, Sheet, headers_of, places_of, used_places
from .badges import BadgeValues, format_score
from .heat import HeatScale, Plate

#: The mean of the pictures of one place, None where none of them has a score.
Mean = float | None


@dataclass(frozen=True)
class AxisMeans:
    """The mean for each header of an axis; the last one may be that of the pictures without a value."""

    name: str
    means: Mapping[str, Mean]


@dataclass(frozen=True)
class HeatMap:
    """Means of a score over all pages of a sheet; pictures without the score are left out of them."""

    score: str
    scale: HeatScale
    x: AxisMeans | None
    y: AxisMeans | None
    #: By Y value, then by X value.
    cells: tuple[tuple[Mean, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """As the report has it; an axis that the sheet has not is left out."""
        axes = {key: axis for key, axis in (("x", self.x), ("y", self.y)) if axis}
        named = {key: {"name": axis.name, "means": dict(axis.means)} for key, axis in axes.items()}
        cells = [list(row) for row in self.cells]
        return {"score": self.score, "low": self.scale.low, "high": self.scale.high, **named, "cells": cells}

    def tints(self, numbers: Mapping[int, float]) -> dict[int, RGB]:
        """The colour of each picture's score."""
        return {index: self.scale.color(number) for index, number in numbers.items()}

    def on_sheet(self, sheet: Sheet) -> Sheet:
        """The table with a plate for each row and column; its headers are still the values of the axes."""
        return replace(
            sheet,
            row_means=self._plates(self.y, sheet.row_headers),
            column_means=self._plates(self.x, sheet.column_headers),
        )

    def _plates(self, axis: AxisMeans | None, headers: Sequence[str]) -> tuple[Plate | None, ...]:
        return tuple(self._plate(axis.means.get(header)) for header in headers) if axis else ()

    def _plate(self, mean: Mean) -> Plate | None:
        return None if mean is None else Plate(f"mean {format_score(mean)}", self.scale.color(mean))


def find_heat_map(badges: BadgeValues, axes: Axes | None, values: Pictures) -> tuple[HeatMap | None, list[str]]:
    """The heat map of the badges' numbers, None where they have none, and warnings."""
    if not badges.numbers:
        none = f"there is no heat map: no {badges.name} of a picture is a number"
        return None, [none] if badges.texts else []
    flat = not (axes and (axes.x or axes.y))
    note = "the heat map has no table with axes to show means on; only the badges are tinted"
    return make_heat_map(badges, axes, values), [note] if flat else []


def no_heat_map(scores: Sequence[Mapping[str, float]]) -> tuple[str, str]:
    """Why it is not known which score to show, and the warning where scores were looked for and not found.

    Raises InputError if there are several.
    """
    names = list(dict.fromkeys(name for given in scores for name in given))
    if names:
        raise InputError(f"heatmap is on, and there are the scores {', '.join(names)}; name one of them in badge")
    return (
        "heatmap is on, but the pictures have no score; give scores, or name a column of numbers in badge",
        "there is no heat map: the pictures have no score",
    )


def make_heat_map(badges: BadgeValues, axes: Axes | None, values: Pictures) -> HeatMap:
    """The means of the badges' numbers, of which there is at least one; ``values`` of every picture as in the axes."""
    x, y = (axes.x, axes.y) if axes else (None, None)
    numbers = badges.numbers
    columns, rows = places_of(x, values), places_of(y, values)
    across, down = used_places(x, set(columns)), used_places(y, set(rows))
    by_cell = _means({index: (rows[index], columns[index]) for index in numbers}, numbers)
    return HeatMap(
        score=badges.name,
        scale=HeatScale.over(list(numbers.values())),
        x=_axis_means(x, columns, numbers),
        y=_axis_means(y, rows, numbers),
        cells=tuple(tuple(by_cell.get((row, column)) for column in across) for row in down),
    )


def _axis_means(axis: Axis | None, places: Sequence[int], numbers: Mapping[int, float]) -> AxisMeans | None:
    if axis is None:
        return None
    means = _means({index: places[index] for index in numbers}, numbers)
    headers = headers_of(axis)
    return AxisMeans(axis.name, {headers[place]: means.get(place) for place in used_places(axis, set(places))})


def _means(group_of: Mapping[int, object], numbers: Mapping[int, float]) -> dict[Any, float]:
    groups: dict[object, list[float]] = defaultdict(list)
    for index, group in group_of.items():
        groups[group].append(numbers[index])
    # each divided before it is added, since a sum may be more than a float holds
    return {group: fsum(number / len(members) for number in members) for group, members in groups.items()}
