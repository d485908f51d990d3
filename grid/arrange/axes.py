"""Which values of the pictures vary, which make the rows, columns and pages, and where each picture then goes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, isqrt, prod

from ...errors import InputError
from ..table.records import find_column
from .axis_choice import choose_axes
from .axis_columns import Column, code_columns, identity, sorted_values
from .heat import Plate

#: Heads the row, column or page of the pictures that have no value there.
NO_VALUE = "–"
_MOST_CELLS = 1_000_000
Pictures = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Axis:
    """A column and its different values: numbers by size, other texts in natural order."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Axes:
    """What is the same in all pictures, and what tells them apart. An axis is in neither `constant` nor `varying`."""

    #: Column -> value that every picture has.
    constant: dict[str, str]
    #: Columns that differ, or that some pictures lack, in their order.
    varying: tuple[str, ...]
    x: Axis | None
    y: Axis | None
    page: Axis | None


@dataclass(frozen=True)
class Slot:
    """A place in the table, from the upper left, and the index of its picture; None marks a hole."""

    index: int | None
    row: int
    column: int


@dataclass(frozen=True)
class Sheet:
    """One table: its size, its places in reading order, and a header for every row and column ("" = none)."""

    #: What all pictures of the sheet have in common, if there is a page axis.
    page_value: str | None
    rows: int
    columns: int
    slots: tuple[Slot, ...]
    row_headers: tuple[str, ...]
    column_headers: tuple[str, ...]
    #: Of a heat map: what stands with the header of each row and column; empty when there is none.
    row_means: tuple[Plate | None, ...] = ()
    column_means: tuple[Plate | None, ...] = ()


def find_axes(values: Pictures, *, x: str = "auto", y: str = "auto", page: str = "auto") -> Axes:
    """The axes of the pictures, whatever their order; one mapping of column to text for each picture.

    x, y, page: "auto", a column in any spelling, or "none" or "" for no such axis. grid/axis_choice.py has the rules
    for auto. Raises InputError for a column that no picture has, or that is to be two axes.
    """
    columns = code_columns(values)
    wanted = {"x": x.strip(), "y": y.strip(), "page": page.strip()}
    auto = frozenset(role for role, name in wanted.items() if name.lower() == "auto")
    named = {role: name for role, name in wanted.items() if role not in auto and name.lower() not in ("", "none")}
    given = {role: _column(name, columns, role) for role, name in named.items()}
    _check_different(given)
    chosen = choose_axes(columns, given, auto)
    names = {column.name for column in chosen.values()}
    others = [column for column in columns if column.name not in names]
    return Axes(
        constant={column.name: column.values[0] for column in others if column.constant},
        varying=tuple(column.name for column in others if not column.constant),
        x=_axis(chosen.get("x")),
        y=_axis(chosen.get("y")),
        page=_axis(chosen.get("page")),
    )


def _column(name: str, columns: Sequence[Column], role: str) -> Column:
    found = find_column(name, [column.name for column in columns], role=f"{role} axis")
    return next(column for column in columns if column.name == found)


def _check_different(given: Mapping[str, Column]) -> None:
    for name, count in Counter(column.name for column in given.values()).items():
        if count > 1:
            roles = " and ".join(role for role, column in given.items() if column.name == name)
            raise InputError(f"column {name!r} is asked for as {roles} axis; give each axis a column of its own")


def _axis(column: Column | None) -> Axis | None:
    return Axis(column.name, sorted_values(column.values)) if column else None


def arrange(axes: Axes, values: Pictures, *, columns: int = 0) -> tuple[Sheet, ...]:
    """Tables in which every picture has exactly one place; one for each page value that occurs.

    Several pictures with the same values fill extra rows (extra columns if there is only a Y axis), in their order.
    Pictures without a value get a last row, column or sheet headed "–". A hole is marked where a combination has fewer
    pictures than is usual. Without X and Y: reading order in `columns` columns, 0 = about square.
    Raises InputError when the axes have so many values that the table would be nearly empty.
    """
    _check_size(axes)
    places = [places_of(axis, values) for axis in (axes.page, axes.y, axes.x)]
    pages: dict[int, dict[tuple[int, int], list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, (page, row, column) in enumerate(zip(*places, strict=True)):
        pages[page][row, column].append(index)
    usual = _usual_count(pages.values())
    return tuple(
        _sheet(axes, headers_of(axes.page)[page] if axes.page else None, pages[page], usual, columns)
        for page in sorted(pages)
    )


#: Pictures by (row value, column value), both as indices into the headers of their axis.
Cells = Mapping[tuple[int, int], Sequence[int]]


def _check_size(axes: Axes) -> None:
    used = [axis for axis in (axes.page, axes.y, axes.x) if axis]
    if prod(len(axis.values) for axis in used) > _MOST_CELLS:
        sizes = ", ".join(f"{axis.name} ({len(axis.values)} values)" for axis in used)
        raise InputError(f"the axes {sizes} make more than {_MOST_CELLS} cells; choose columns with fewer values")


def places_of(axis: Axis | None, values: Pictures) -> list[int]:
    """For each picture the index of its header in ``headers_of(axis)``."""
    if axis is None:
        return [0] * len(values)
    place_of = {identity(value): place for place, value in enumerate(axis.values)}
    return [place_of.get(identity(picture.get(axis.name, "")), len(axis.values)) for picture in values]


def headers_of(axis: Axis | None) -> tuple[str, ...]:
    """A header for each value, and one for the pictures without a value; a single empty one where there is no axis."""
    return (*axis.values, NO_VALUE) if axis else ("",)


def _usual_count(pages: Iterable[Cells]) -> int:
    """The most common number of pictures in a cell that has any; the smaller of two."""
    counts = Counter(len(pictures) for cells in pages for pictures in cells.values())
    return min(counts, key=lambda count: (-counts[count], count), default=1)


def _sheet(axes: Axes, page_value: str | None, cells: Cells, usual: int, columns: int) -> Sheet:
    if axes.x is None and axes.y is None:
        return _flow(page_value, cells[0, 0], columns)
    if axes.x is None:
        flipped = {(column, row): pictures for (row, column), pictures in cells.items()}
        return _flip(_table(page_value, None, axes.y, flipped, usual))
    return _table(page_value, axes.y, axes.x, cells, usual)


def _flow(page_value: str | None, pictures: Sequence[int], columns: int) -> Sheet:
    """Pictures in reading order, with nothing after the last."""
    columns = columns or ceil(len(pictures) / isqrt(len(pictures)))
    slots = tuple(Slot(index, *divmod(place, columns)) for place, index in enumerate(pictures))
    rows = ceil(len(pictures) / columns)
    return Sheet(page_value, rows, columns, slots, ("",) * rows, ("",) * columns)


def _table(page_value: str | None, down: Axis | None, across: Axis | None, cells: Cells, usual: int) -> Sheet:
    """One row for each value, and as many more as its fullest cell needs."""
    row_values = used_places(down, {row for row, _ in cells})
    column_values = used_places(across, {column for _, column in cells})
    heights = dict.fromkeys(row_values, 1)
    for (value, _), pictures in cells.items():
        heights[value] = max(heights[value], len(pictures))
    tops = dict(zip(row_values, accumulate(heights.values(), initial=0), strict=False))
    slots: list[Slot] = []
    for row in row_values:
        for place, column in enumerate(column_values):
            pictures = cells.get((row, column), ())
            expected = min(usual, heights[row]) if _has_value(down, row) and _has_value(across, column) else 0
            filled = [*pictures, *[None] * (expected - len(pictures))]
            slots += (Slot(index, tops[row] + step, place) for step, index in enumerate(filled))
    row_headers = tuple(headers_of(down)[row] for row in row_values for _ in range(heights[row]))
    column_headers = tuple(headers_of(across)[column] for column in column_values)
    return Sheet(page_value, len(row_headers), len(column_headers), _reading_order(slots), row_headers, column_headers)


def used_places(axis: Axis | None, used: set[int]) -> list[int]:
    """All values of the axis, and the place of pictures without one if there are any."""
    values = range(len(axis.values) if axis else 1)
    return [*values, *sorted(used.difference(values))]


def _has_value(axis: Axis | None, place: int) -> bool:
    return axis is None or place < len(axis.values)


def _flip(sheet: Sheet) -> Sheet:
    """Rows become columns."""
    slots = [Slot(slot.index, slot.column, slot.row) for slot in sheet.slots]
    return Sheet(
        sheet.page_value, sheet.columns, sheet.rows, _reading_order(slots), sheet.column_headers, sheet.row_headers
    )


def _reading_order(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    return tuple(sorted(slots, key=lambda slot: (slot.row, slot.column)))
