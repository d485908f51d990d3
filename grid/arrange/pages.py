"""Tables of places without pixels: pictures in reading order, and tables cut into smaller ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...errors import InputError
from ..labels.names import LONG_COLUMNS
from ..template import GridTemplate, split_headers
from .axes import Axes, Pictures, Sheet, Slot, arrange
from .heat_map import HeatMap


def flow_sheets(count: int, rows: int, columns: int) -> tuple[Sheet, ...]:
    """Tables without axes: pictures in reading order, on as many pages as they need. 0 rows or columns = automatic."""
    if count < 1:
        raise InputError("there are no pictures to lay out")
    rows, columns = flow_shape(count, rows, columns)
    per_page = rows * columns
    return tuple(
        flow_sheet(range(start, min(start + per_page, count)), rows, columns) for start in range(0, count, per_page)
    )


def flow_shape(count: int, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of a page: about square and never taller than wide when both are 0."""
    if rows and columns:
        return rows, columns
    if columns:
        return -(-count // columns), columns
    if not rows:
        rows = max(1, int(count**0.5))
    return rows, -(-count // rows)


def flow_sheet(indices: Sequence[int | None], rows: int, columns: int) -> Sheet:
    """One table of these pictures in reading order; rows that stay empty are left out."""
    slots = tuple(Slot(index, *divmod(place, columns)) for place, index in enumerate(indices))
    used_rows = slots[-1].row + 1
    return Sheet(None, min(rows, used_rows), columns, slots, ("",) * used_rows, ("",) * columns)


def halves(sheet: Sheet, *, wide: bool) -> list[Sheet]:
    """The sheet cut between its columns (wide) or its rows; a half without any slot is left out."""
    if wide:
        cut = -(-sheet.columns // 2)
        parts = [cut_sheet(sheet, 0, sheet.rows, 0, cut), cut_sheet(sheet, 0, sheet.rows, cut, sheet.columns)]
    else:
        cut = -(-sheet.rows // 2)
        parts = [cut_sheet(sheet, 0, cut, 0, sheet.columns), cut_sheet(sheet, cut, sheet.rows, 0, sheet.columns)]
    return [part for part in parts if part.slots]


def cut_sheet(sheet: Sheet, top: int, bottom: int, left: int, right: int) -> Sheet:
    """The rows ``top`` to ``bottom`` and columns ``left`` to ``right`` (ends not included) as a sheet of their own."""
    slots = tuple(
        Slot(slot.index, slot.row - top, slot.column - left)
        for slot in sheet.slots
        if top <= slot.row < bottom and left <= slot.column < right
    )
    rows, columns = sheet.row_headers[top:bottom], sheet.column_headers[left:right]
    means = sheet.row_means[top:bottom], sheet.column_means[left:right]
    return Sheet(sheet.page_value, bottom - top, right - left, slots, rows, columns, *means)


def limit_sheet(sheet: Sheet, rows: int, columns: int) -> list[Sheet]:
    """The sheet cut into pages of at most this many rows and columns; 0 = no limit."""
    rows, columns = rows or sheet.rows, columns or sheet.columns
    parts = [
        cut_sheet(sheet, top, min(top + rows, sheet.rows), left, min(left + columns, sheet.columns))
        for top in range(0, sheet.rows, rows)
        for left in range(0, sheet.columns, columns)
    ]
    return [part for part in parts if part.slots]


def make_sheets(
    template: GridTemplate, axes: Axes | None, values: Pictures, heat_map: HeatMap | None
) -> tuple[list[Sheet], list[str]]:
    """Every table that the pictures make, one per page, and warnings; without axes they stand in reading order."""
    rows, columns = split_headers(template.row_headers), split_headers(template.column_headers)
    if axes:
        tables = arrange(axes, values, columns=template.columns)
        warm = [heat_map.on_sheet(table) for table in tables] if heat_map else tables
        headed, warnings = _with_headers([_with_axis_names(sheet, axes) for sheet in warm], rows, columns)
        return [part for sheet in headed for part in limit_sheet(sheet, template.rows, template.columns)], warnings
    fixed_rows = template.rows or (len(rows) if rows and not columns else 0)
    return _with_headers(flow_sheets(len(values), fixed_rows, template.columns or len(columns)), rows, columns)


def _with_headers(
    sheets: Sequence[Sheet], rows: Sequence[str], columns: Sequence[str]
) -> tuple[list[Sheet], list[str]]:
    """The sheets with the headers that the user wrote, as far as they go, and warnings.

    Each sheet has the same, unless there are enough row headers for the rows of all sheets one after another.
    """
    goes_on = len(rows) > max(sheet.rows for sheet in sheets)
    needed_rows = sum(sheet.rows for sheet in sheets) if goes_on else max(sheet.rows for sheet in sheets)
    needed_columns = max(sheet.columns for sheet in sheets)
    counts = (("row", len(rows), needed_rows), ("column", len(columns), needed_columns))
    headed = []
    for sheet in sheets:
        row_headers = _filled(rows, sheet.rows) if rows else sheet.row_headers
        column_headers = _filled(columns, sheet.columns) if columns else sheet.column_headers
        headed.append(replace(sheet, row_headers=row_headers, column_headers=column_headers))
        rows = [*rows[sheet.rows :], ""] if goes_on else rows
    return headed, [
        f"{given} {name} headers were given for {needed} {name}s"
        for name, given, needed in counts
        if given and given != needed
    ]


def _filled(headers: Sequence[str], count: int) -> tuple[str, ...]:
    return tuple([*headers, *[""] * count][:count])


def _with_axis_names(sheet: Sheet, axes: Axes) -> Sheet:
    page, rows, columns = sheet.page_value, sheet.row_headers, sheet.column_headers
    return replace(
        sheet,
        page_value=_named(axes.page.name, page) if axes.page and page else page,
        row_headers=tuple(_named(axes.y.name, value) for value in rows) if axes.y else rows,
        column_headers=tuple(_named(axes.x.name, value) for value in columns) if axes.x else columns,
    )


def _named(column: str, value: str) -> str:
    """A header that says what its value is; long texts speak for themselves."""
    return value if column in LONG_COLUMNS or not value else f"{column}: {value}"
