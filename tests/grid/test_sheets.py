"""Tables of places: reading order, halves, and pages of limited size; no picture is lost on the way."""

from __future__ import annotations

from collections import Counter

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.arrange.tables import (
    PageTable,
    cut_table,
    flow_table,
    flow_tables,
    split_by_size,
    split_in_two,
)
from hypothesis import given
from hypothesis import strategies as st


def pictures(*sheets: PageTable) -> list[int | None]:
    return [slot.index for sheet in sheets for slot in sheet.cells]


@st.composite
def tables(draw: st.DrawFn) -> PageTable:
    rows, columns = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    count = draw(st.integers(1, rows * columns))
    sheet = flow_table(range(count), columns)
    rows = sheet.rows
    return PageTable(
        "page", rows, columns, sheet.cells, tuple(f"r{i}" for i in range(rows)), tuple(f"c{i}" for i in range(columns))
    )


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (3, (1, 3)), (5, (2, 3)), (7, (2, 4)), (10, (3, 4))])
def test_an_automatic_table_is_about_square_and_rather_wide(count, shape):
    (sheet,) = flow_tables(count, 0, 0)

    assert (sheet.rows, sheet.columns) == shape


@pytest.mark.parametrize(
    ("rows", "columns", "shapes"),
    [(2, 0, [(2, 4)]), (0, 2, [(4, 2)]), (2, 2, [(2, 2), (2, 2)]), (3, 1, [(3, 1), (3, 1), (1, 1)])],
)
def test_seven_pictures_fill_pages_of_the_shape_that_was_asked_for(rows, columns, shapes):
    assert [(sheet.rows, sheet.columns) for sheet in flow_tables(7, rows, columns)] == shapes


@given(st.integers(1, 300), st.integers(0, 15), st.integers(0, 15))
def test_every_picture_has_one_place_in_reading_order(count, rows, columns):
    sheets = flow_tables(count, rows, columns)

    assert pictures(*sheets) == list(range(count))
    for sheet in sheets:
        places = [(slot.row, slot.column) for slot in sheet.cells]
        assert places == sorted(set(places))
        assert max(row for row, _ in places) + 1 == sheet.rows == len(sheet.row_headers)
        assert all(column < sheet.columns == len(sheet.column_headers) for _, column in places)


def test_no_pictures_are_refused():
    with pytest.raises(InputError, match="no pictures"):
        flow_tables(0, 0, 0)


@given(tables(), st.booleans())
def test_two_halves_hold_what_the_whole_held_with_its_headers(sheet, wide):
    parts = split_in_two(sheet, wide=wide)

    assert Counter(pictures(*parts)) == Counter(pictures(sheet))
    assert headed(*parts) == headed(sheet)


@given(tables(), st.integers(0, 4), st.integers(0, 4))
def test_pages_of_limited_size_hold_what_the_table_held_with_its_headers(sheet, rows, columns):
    parts = split_by_size(sheet, rows, columns)

    assert headed(*parts) == headed(sheet)
    for part in parts:
        assert part.rows <= (rows or part.rows)
        assert part.columns <= (columns or part.columns)
        assert part.page_value == "page"


def test_a_cut_counts_its_rows_and_columns_anew():
    sheet = flow_table(range(9), 3)

    assert [(s.index, s.row, s.column) for s in cut_table(sheet, 1, 3, 2, 3).cells] == [(5, 0, 0), (8, 1, 0)]


def headed(*sheets: PageTable) -> dict[int | None, tuple[str, str]]:
    """Each picture with the headers of its row and column."""
    return {
        slot.index: (sheet.row_headers[slot.row], sheet.column_headers[slot.column])
        for sheet in sheets
        for slot in sheet.cells
    }
