"""The tables of a sheet and their headers: from the axes or in reading order, under headers that the user may write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .axes import Axes, Pictures, Sheet, arrange
from .heat_map import HeatMap
from .labels import LONG_COLUMNS, split_headers
from .sheets import flow_sheets, limit_sheet
from .template import GridTemplate


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
