"""The tables of a sheet, one per page, with the headers that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...plurals import counted
from ..labels.shared import without_shared
from ..labels.sources import LONG_COLUMNS
from ..template import GridTemplate, split_headers
from .axes import Axes, Axis, PictureValues
from .heat_map import HeatMap
from .tables import PageTable, arrange_by_axes, flow_tables, split_by_size


def make_tables(
    template: GridTemplate, axes: Axes | None, values: PictureValues, heat_map: HeatMap | None
) -> tuple[list[PageTable], list[str]]:
    """Every table that the pictures make, one per page, and warnings; without axes they stand in reading order."""
    rows, columns = split_headers(template.row_headers), split_headers(template.column_headers)
    if axes and axes.used:
        tables = arrange_by_axes(axes, values, columns=template.columns)
        if heat_map:
            tables = tuple(heat_map.on_table(table) for table in tables)
        headed, warnings = _with_headers([_with_axis_names(table, axes) for table in tables], rows, columns)
        return [part for table in headed for part in split_by_size(table, template.rows, template.columns)], warnings
    fixed_rows = template.rows or (len(rows) if rows and not columns else 0)
    return _with_headers(flow_tables(len(values), fixed_rows, template.columns or len(columns)), rows, columns)


def _with_axis_names(table: PageTable, axes: Axes) -> PageTable:
    """The table with what its headers are values of, and with headers that show what tells long texts apart."""
    return replace(
        table,
        page_value=table.page_value and _named(axes.page, table.page_value),
        row_headers=tuple(without_shared(table.row_headers)[0]),
        column_headers=tuple(without_shared(table.column_headers)[0]),
        row_axis=axes.y.title if axes.y else "",
        column_axis=axes.x.title if axes.x else "",
    )


def _named(axis: Axis | None, value: str) -> str:
    """The value of a page with its column, if that has a name; a long text does not need it."""
    title = axis.title if axis and axis.name not in LONG_COLUMNS else ""
    return f"{title}: {value}" if title and value else value


def _with_headers(
    tables: Sequence[PageTable], rows: Sequence[str], columns: Sequence[str]
) -> tuple[list[PageTable], list[str]]:
    """The tables with the headers that the user wrote, as far as they go, and warnings.

    Each table has the same, unless there are enough row headers for the rows of all tables one after another.
    """
    most_rows = max(table.rows for table in tables)
    is_continued = len(rows) > most_rows
    needed = sum(table.rows for table in tables) if is_continued else most_rows
    counts = (("row", len(rows), needed), ("column", len(columns), max(table.columns for table in tables)))
    headed = []
    for table in tables:
        row_headers = _padded(rows, table.rows) if rows else table.row_headers
        column_headers = _padded(columns, table.columns) if columns else table.column_headers
        axes = "" if rows else table.row_axis, "" if columns else table.column_axis
        headed.append(
            replace(
                table, row_headers=row_headers, column_headers=column_headers, row_axis=axes[0], column_axis=axes[1]
            )
        )
        rows = [*rows[table.rows :], ""] if is_continued else rows
    return headed, [
        f"{counted(given, f'{name} header', 'was/were')} given for {counted(used, name)}"
        for name, given, used in counts
        if given and given != used
    ]


def _padded(headers: Sequence[str], count: int) -> tuple[str, ...]:
    return tuple([*headers, *[""] * count][:count])
