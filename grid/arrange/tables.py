"""Which picture is in which cell of a page: tables by axes or in reading order, and tables cut into smaller ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import ceil, prod

from ...errors import InputError
from ..colors import RGB
from .axes import Axes, Axis, PictureValues
from .axis_columns import identity

#: Heads the row, column or page of the pictures that have no value there.
NO_VALUE = "–"
_MOST_CELLS = 1_000_000
#: Indices of pictures by (row value, column value), both as indices into the headers of their axis.
PicturesByValue = Mapping[tuple[int, int], Sequence[int]]

#: Columns that may stay empty: a page of 10,000 for one picture takes half a minute and 600 MB.
_MOST_EMPTY = 1000


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell of the table, counted from the upper left, and the index of its picture; None marks a hole."""

    index: int | None
    row: int
    column: int


@dataclass(frozen=True)
class MeanBadge:
    """The mean of a heat map's scores, as text, and the colour that it stands on."""

    text: str
    tint: RGB


@dataclass(frozen=True)
class PageTable:
    """The table of one page: its cells in reading order, and a header for every row and column ("" = none)."""

    #: What all pictures of the page have in common, if there is a page axis.
    page_value: str | None
    rows: int
    columns: int
    cells: tuple[TableCell, ...]
    row_headers: tuple[str, ...]
    column_headers: tuple[str, ...]
    #: What stands with the header of each row and column; empty without a heat map.
    row_means: tuple[MeanBadge | None, ...] = ()
    column_means: tuple[MeanBadge | None, ...] = ()
    #: What the headers are values of, where these do not say it themselves.
    row_axis: str = ""
    column_axis: str = ""


def arrange_by_axes(axes: Axes, values: PictureValues, *, columns: int = 0) -> tuple[PageTable, ...]:
    """Tables in which every picture has exactly one cell; one for each page value that occurs.

    Several pictures with the same values fill extra rows (extra columns if there is only a Y axis), in their order.
    Pictures without a value get a last row, column or page headed "–". A hole is marked where a combination has fewer
    pictures than is usual. Without X and Y: reading order in ``columns`` columns, 0 = about square.
    Raises InputError when the axes have so many values that the table would be nearly empty.
    """
    if prod(len(axis.values) for axis in axes.used) > _MOST_CELLS:
        sizes = ", ".join(f"{axis.name} ({len(axis.values)} values)" for axis in axes.used)
        raise InputError(f"the axes {sizes} make more than {_MOST_CELLS} cells; choose columns with fewer values")
    places = [places_of(axis, values) for axis in (axes.page, axes.y, axes.x)]
    pages: dict[int, dict[tuple[int, int], list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, (page, row, column) in enumerate(zip(*places, strict=True)):
        pages[page][row, column].append(index)
    usual = _usual_count(pages.values())
    page_values = headers_of(axes.page) if axes.page else (None,)
    return tuple(_axis_table(axes, page_values[page], pages[page], usual, columns) for page in sorted(pages))


def headers_of(axis: Axis | None) -> tuple[str, ...]:
    """A header for each value, and one for the pictures without a value; a single empty one where there is no axis."""
    return (*axis.values, NO_VALUE) if axis else ("",)


def places_of(axis: Axis | None, values: PictureValues) -> list[int]:
    """For each picture the index of its header in ``headers_of(axis)``."""
    if axis is None:
        return [0] * len(values)
    place_of = {identity(value): place for place, value in enumerate(axis.values)}
    return [place_of.get(identity(picture.get(axis.name, "")), len(axis.values)) for picture in values]


def used_places(axis: Axis | None, places: Iterable[int]) -> list[int]:
    """The places of all values of the axis, and that of pictures without one if ``places`` has it."""
    values = range(len(axis.values) if axis else 1)
    return [*values, *sorted(set(places).difference(values))]


def _usual_count(pages: Iterable[PicturesByValue]) -> int:
    """The most common number of pictures in a cell that has any; the smaller of two."""
    counts = Counter(len(pictures) for cells in pages for pictures in cells.values())
    return min(counts, key=lambda count: (-counts[count], count), default=1)


def _axis_table(axes: Axes, page_value: str | None, pictures: PicturesByValue, usual: int, columns: int) -> PageTable:
    if axes.x is None and axes.y is None:
        return flow_table(pictures[0, 0], flow_shape(len(pictures[0, 0]), 0, columns)[1], page_value)
    if axes.x is None:
        flipped = {(column, row): cell for (row, column), cell in pictures.items()}
        return _transposed(_filled_table(page_value, None, axes.y, flipped, usual))
    return _filled_table(page_value, axes.y, axes.x, pictures, usual)


def _filled_table(
    page_value: str | None, down: Axis | None, across: Axis | None, pictures: PicturesByValue, usual: int
) -> PageTable:
    """One row for each value, and as many more as its fullest cell needs."""
    row_values = used_places(down, (row for row, _ in pictures))
    column_values = used_places(across, (column for _, column in pictures))
    heights = dict.fromkeys(row_values, 1)
    for (value, _), cell in pictures.items():
        heights[value] = max(heights[value], len(cell))
    tops = dict(zip(row_values, accumulate(heights.values(), initial=0), strict=False))
    cells: list[TableCell] = []
    for row in row_values:
        for place, column in enumerate(column_values):
            indices = pictures.get((row, column), ())
            expected = min(usual, heights[row]) if _has_value(down, row) and _has_value(across, column) else 0
            filled = [*indices, *[None] * (expected - len(indices))]
            cells += (TableCell(index, tops[row] + step, place) for step, index in enumerate(filled))
    row_headers = tuple(headers_of(down)[row] for row in row_values for _ in range(heights[row]))
    column_headers = tuple(headers_of(across)[column] for column in column_values)
    return PageTable(
        page_value, len(row_headers), len(column_headers), _reading_order(cells), row_headers, column_headers
    )


def _has_value(axis: Axis | None, place: int) -> bool:
    return axis is None or place < len(axis.values)


def _transposed(table: PageTable) -> PageTable:
    """Rows become columns."""
    cells = _reading_order(TableCell(cell.index, cell.column, cell.row) for cell in table.cells)
    return PageTable(table.page_value, table.columns, table.rows, cells, table.column_headers, table.row_headers)


def _reading_order(cells: Iterable[TableCell]) -> tuple[TableCell, ...]:
    return tuple(sorted(cells, key=lambda cell: (cell.row, cell.column)))


def flow_tables(count: int, rows: int, columns: int) -> tuple[PageTable, ...]:
    """Tables without axes: pictures in reading order, on as many pages as they need. 0 rows or columns = automatic."""
    if count < 1:
        raise InputError("there are no pictures to lay out")
    rows, columns = flow_shape(count, rows, columns)
    if columns - count > _MOST_EMPTY:
        raise InputError(
            f"{columns} columns for {count} pictures leave {columns - count} of each row empty; ask for fewer columns"
        )
    starts = range(0, count, rows * columns)
    return tuple(flow_table(range(start, min(start + rows * columns, count)), columns) for start in starts)


def flow_shape(count: int, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of a page: about square and never taller than wide when both are 0."""
    if rows and columns:
        return rows, columns
    if columns:
        return ceil(count / columns), columns
    rows = rows or max(1, int(count**0.5))
    return rows, ceil(count / rows)


def flow_table(indices: Sequence[int | None], columns: int, page_value: str | None = None) -> PageTable:
    """One table of these pictures in reading order, with nothing after the last."""
    cells = tuple(TableCell(index, *divmod(place, columns)) for place, index in enumerate(indices))
    rows = ceil(len(indices) / columns)
    return PageTable(page_value, rows, columns, cells, ("",) * rows, ("",) * columns)


def split_in_two(table: PageTable, *, wide: bool) -> list[PageTable]:
    """The table cut between its columns (wide) or its rows; a half without any cell is left out."""
    if wide:
        return split_by_size(table, table.rows, ceil(table.columns / 2))
    return split_by_size(table, ceil(table.rows / 2), table.columns)


def split_by_size(table: PageTable, rows: int, columns: int) -> list[PageTable]:
    """The table cut into parts of at most this many rows and columns, 0 = no limit; empty parts are left out."""
    rows, columns = rows or table.rows, columns or table.columns
    parts = [
        cut_table(table, top, min(top + rows, table.rows), left, min(left + columns, table.columns))
        for top in range(0, table.rows, rows)
        for left in range(0, table.columns, columns)
    ]
    return [part for part in parts if part.cells]


def cut_table(table: PageTable, top: int, bottom: int, left: int, right: int) -> PageTable:
    """The rows ``top`` to ``bottom`` and columns ``left`` to ``right`` (ends not included) as a table of their own."""
    cells = tuple(
        TableCell(cell.index, cell.row - top, cell.column - left)
        for cell in table.cells
        if top <= cell.row < bottom and left <= cell.column < right
    )
    return replace(
        table,
        rows=bottom - top,
        columns=right - left,
        cells=cells,
        row_headers=table.row_headers[top:bottom],
        column_headers=table.column_headers[left:right],
        row_means=table.row_means[top:bottom],
        column_means=table.column_means[left:right],
    )
