"""The legend: the values that all pictures of a sheet share, and what its badges show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..labels.shared import without_shared
from ..labels.sources import LONG_COLUMNS
from ..template import GridTemplate
from .axes import Axes, find_axes
from .axis_columns import Kind, kind_of
from .badges import Badges

#: What is left out: it is seen in the pictures, or says nothing to a reader.
_DULL = frozenset({Kind.SIZE, Kind.HASH, Kind.RECORD})


def legend_of(template: GridTemplate, axes: Axes | None, values: Sequence[Mapping[str, str]], badges: Badges) -> str:
    """The values that all pictures share, long texts last, then what badges without a name show.

    Sizes and hashes say little and are left out. Of long texts in headers it has what they share.
    """
    if template.legend == "off":
        return ""
    parts: list[str] = []
    if template.legend == "on" or (axes and axes.used):
        constant = (axes or find_axes(values, x="none", y="none", page="none")).constant
        told = {name: value for name, value in constant.items() if value and kind_of(name) not in _DULL}
        for axis in axes.used if axes else ():
            if shared := without_shared(axis.values)[1]:
                told[axis.title] = shared
        shown = sorted(told.items(), key=lambda item: item[0] in LONG_COLUMNS)
        parts += [": ".join(filter(None, (column, " ".join(value.split())))) for column, value in shown]
    if badges.texts and not badges.is_named and not badges.tints:
        parts.append(f"in the corners: {badges.name}")
    return " · ".join(parts)
