"""Heat maps: mean scores for each value of the axes, and the colours of means and badges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import cos, fsum, radians, sin
from typing import Any

from ...errors import InputError
from ..colors import RGB
from .axes import Axes, Axis, PictureValues
from .badges import Badges
from .numbers import format_number, least_difference
from .tables import MeanBadge, PageTable, headers_of, places_of, used_places

#: Lightness, chroma and hue of the lowest and the highest value in OKLCH: dark violet over blue and green to light
#: yellow, in even steps of lightness; chroma is small enough for sRGB throughout.
LOWEST = (0.30, 0.12, 305.0)
HIGHEST = (0.93, 0.15, 105.0)
MIDDLE_CHROMA = 0.10
#: Colours of a scale; more cannot be told apart.
STEPS = 100
#: A scale is at least as long as so many differences that mean something, so that noise is not shown as one.
LEAST_STEPS = 4
#: The mean of the pictures of one place, None where none of them has a score.
Mean = float | None


@dataclass(frozen=True)
class HeatScale:
    """Colours between the lowest and the highest value that is shown."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float], least: float = 0.0) -> HeatScale:
        """The scale that holds all of these, which are at least one.

        least: the difference of two values that means something; where the values differ by less than a few of these,
        the scale is longer than they are, with them in its middle.
        """
        low, high = min(values), max(values)
        missing = LEAST_STEPS * least / 2 - (high / 2 - low / 2)
        return cls(low - missing, high + missing) if missing > 0 else cls(low, high)

    def color(self, value: float) -> RGB:
        """The colour of a value; the middle one when all values are the same."""
        # halved first, since the whole range may be more than a float holds
        spread = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / spread if spread > 0 else 0.5
        return heat_color(round(share * (STEPS - 1)))


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
    #: Means by Y value, then by X value.
    cells: tuple[tuple[Mean, ...], ...]
    #: Decimals of the means and of the ends of the scale.
    decimals: int = 3

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the report; an axis that the sheet lacks is left out."""
        axes = {"x": self.x, "y": self.y}
        named = {key: {"name": axis.name, "means": dict(axis.means)} for key, axis in axes.items() if axis}
        cells = [list(row) for row in self.cells]
        return {"score": self.score, "low": self.scale.low, "high": self.scale.high, **named, "cells": cells}

    def scale_texts(self) -> tuple[str, str, str]:
        """The score, and the lowest and the highest value of the scale."""
        low, high = (format_number(end, self.decimals) for end in (self.scale.low, self.scale.high))
        return self.score, low, high

    def on_badges(self, badges: Badges) -> Badges:
        """The badges, each in the colour of its number, and written like the means."""
        tints = {index: self.scale.color(number) for index, number in badges.numbers.items()}
        return replace(badges.with_decimals(self.decimals), tints=tints)

    def on_table(self, table: PageTable) -> PageTable:
        """The table with the mean of each row and column; its headers are still the values of the axes."""
        return replace(
            table,
            row_means=self._badges(self.y, table.row_headers),
            column_means=self._badges(self.x, table.column_headers),
        )

    def _badges(self, axis: AxisMeans | None, headers: Sequence[str]) -> tuple[MeanBadge | None, ...]:
        means = [axis.means.get(header) for header in headers] if axis else []
        return tuple(
            None if mean is None else MeanBadge(f"mean {format_number(mean, self.decimals)}", self.scale.color(mean))
            for mean in means
        )


def find_heat_map(badges: Badges, axes: Axes | None, values: PictureValues) -> tuple[HeatMap | None, list[str]]:
    """The heat map of the badges' numbers, None where they have none, and warnings.

    values: of every picture, those in which the axes were found.
    """
    if not badges.numbers:
        warning = f"there is no heat map: no {badges.name} of a picture is a number"
        return None, [warning] if badges.texts else []
    heat_map = make_heat_map(badges, axes, values)
    warning = "the heat map has no table with axes to show means on; only the badges are tinted"
    return heat_map, [] if heat_map.x or heat_map.y else [warning]


def missing_score(scores: Sequence[Mapping[str, float]], *, heat_map: bool, winner: bool) -> list[str]:
    """Warnings that what is wanted has no score to show; raises InputError if a heat map could show several scores."""
    names = ", ".join(dict.fromkeys(name for picture_scores in scores for name in picture_scores))
    if heat_map and names:
        raise InputError(f"heatmap is on, and there are the scores {names}; name one of them in badge")
    cure = f"name one of the scores {names} in badge" if names else "give scores, or name a column of numbers in badge"
    reason = f"{'no score is named' if names else 'the pictures have no score'}; {cure}"
    lost = {"there is no heat map": heat_map, "no picture is marked as the winner": winner}
    return [f"{what}: {reason}" for what, is_wanted in lost.items() if is_wanted]


def make_heat_map(badges: Badges, axes: Axes | None, values: PictureValues) -> HeatMap:
    """The means of the badges' numbers, of which there is at least one."""
    x, y = (axes.x, axes.y) if axes else (None, None)
    numbers = badges.numbers
    columns, rows = places_of(x, values), places_of(y, values)
    by_cell = _means({index: (rows[index], columns[index]) for index in numbers}, numbers)
    across, down = used_places(x, columns), used_places(y, rows)
    x_means, y_means = _axis_means(x, columns, numbers), _axis_means(y, rows, numbers)
    scale = HeatScale.over(list(numbers.values()), least_difference(badges.name, numbers.values()))
    return HeatMap(
        score=badges.name,
        scale=scale,
        x=x_means,
        y=y_means,
        cells=tuple(tuple(by_cell.get((row, column)) for column in across) for row in down),
        decimals=_decimals(badges, [mean for axis in (x_means, y_means) if axis for mean in axis.means.values()]),
    )


def _decimals(badges: Badges, means: Sequence[Mean]) -> int:
    """Those of the badges, or one for the means of whole numbers."""
    decimals = badges.decimals or 0
    is_whole = all(mean is None or mean == round(mean) for mean in means)
    return decimals or (0 if is_whole else 1)


def _axis_means(axis: Axis | None, places: Sequence[int], numbers: Mapping[int, float]) -> AxisMeans | None:
    if axis is None:
        return None
    means = _means({index: places[index] for index in numbers}, numbers)
    headers = headers_of(axis)
    return AxisMeans(axis.name, {headers[place]: means.get(place) for place in used_places(axis, places)})


def _means(group_of: Mapping[int, object], numbers: Mapping[int, float]) -> dict[Any, float]:
    groups: dict[object, list[float]] = defaultdict(list)
    for index, group in group_of.items():
        groups[group].append(numbers[index])
    # each divided before it is added, since a sum may be more than a float holds
    return {group: fsum(number / len(members) for number in members) for group, members in groups.items()}


@lru_cache(maxsize=STEPS)
def heat_color(step: int) -> RGB:
    """The colour of a step, 0 to STEPS - 1; relative luminance grows with every step.

    A line in OKLCH; source: B. Ottosson, "A perceptual color space for image processing", 2020.
    """
    share = step / (STEPS - 1)
    lightness, _, hue = (low + share * (high - low) for low, high in zip(LOWEST, HIGHEST, strict=True))
    end = (LOWEST if share < 0.5 else HIGHEST)[1]
    chroma = MIDDLE_CHROMA + (end - MIDDLE_CHROMA) * (2 * share - 1) ** 2
    return _to_rgb(lightness, chroma * cos(radians(hue)), chroma * sin(radians(hue)))


def _to_rgb(lightness: float, a: float, b: float) -> RGB:
    """An OKLab colour as 8-bit sRGB."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _to_byte(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _to_byte(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _to_byte(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _to_byte(linear: float) -> int:
    """Linear light as an sRGB byte (IEC 61966-2-1); what sRGB does not reach is cut off."""
    light = min(1.0, max(0.0, linear))
    return round(255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055))
