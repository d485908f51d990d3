"""Tables by axes and in reading order, cut into smaller ones: every picture has exactly one cell."""

from __future__ import annotations

from collections import Counter

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.arrange.axes import Axis, find_axes
from clip_grid.grid.arrange.tables import (
    PageTable,
    arrange_by_axes,
    cut_table,
    flow_table,
    flow_tables,
    split_by_size,
    split_in_two,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from .axis_pictures import CFGS, SAMPLERS, Pictures, every, picture_rows, shuffled


def test_a_shuffled_product_with_one_file_deleted_is_a_table_with_one_hole():
    pictures = every(sampler=SAMPLERS, cfg=CFGS)
    deleted = pictures.index({"sampler": "heun", "cfg": "7"})
    pictures = shuffled([picture for index, picture in enumerate(pictures) if index != deleted])

    axes = find_axes(pictures)
    (sheet,) = arrange_by_axes(axes, pictures)

    assert axes.x == Axis("cfg", ("1.5", "4", "7", "10", "30"))
    assert axes.y == Axis("sampler", ("dpm_2", "dpm_10", "euler", "heun"))
    assert (axes.page, axes.varying, axes.constant) == (None, (), {})
    assert (sheet.rows, sheet.columns, sheet.page_value) == (4, 5, None)
    assert sheet.row_headers == axes.y.values
    assert sheet.column_headers == axes.x.values
    holes = [(slot.row, slot.column) for slot in sheet.cells if slot.index is None]
    assert holes == [(3, 2)]
    for slot in sheet.cells:
        if slot.index is not None:
            expected = {"sampler": sheet.row_headers[slot.row], "cfg": sheet.column_headers[slot.column]}
            assert pictures[slot.index] == expected


def test_repeated_combinations_become_extra_rows_and_none_is_lost():
    pictures = every(sampler=("a", "b"), cfg=("1", "2", "3")) + [{"sampler": "a", "cfg": "2"}] * 2

    (sheet,) = arrange_by_axes(find_axes(pictures), pictures)

    assert sheet.row_headers == ("a", "a", "a", "b")
    assert picture_rows(sheet) == [[0, 1, 2], ["", 6, ""], ["", 7, ""], [3, 4, 5]]


def test_missing_repetitions_are_marked_where_others_have_them():
    pictures = every(sampler=("a", "b"), cfg=("1", "2", "3"), seed=("5", "6"))
    for number, picture in enumerate(pictures):
        picture["seed"] = str(number)
    del pictures[1]

    (sheet,) = arrange_by_axes(find_axes(pictures), pictures)

    assert picture_rows(sheet) == [[0, 1, 3], [None, 2, 4], [5, 7, 9], [6, 8, 10]]


def test_pictures_without_a_value_get_a_row_or_column_of_their_own():
    pictures = [*every(sampler=("a", "b"), cfg=("1", "2")), {"sampler": "a"}, {"cfg": "2"}, {}]

    (sheet,) = arrange_by_axes(find_axes(pictures, x="cfg", y="sampler"), pictures)

    assert sheet.column_headers == ("1", "2", "–")
    assert sheet.row_headers == ("a", "b", "–")
    assert picture_rows(sheet) == [[0, 1, 4], [2, 3, ""], ["", 5, 6]]


def test_pictures_without_a_page_get_a_last_sheet():
    pictures = [{"model": "m"}, {}, {"model": "b"}]

    sheets = arrange_by_axes(find_axes(pictures, page="model"), pictures)

    assert [(sheet.page_value, picture_rows(sheet)) for sheet in sheets] == [("b", [[2]]), ("m", [[0]]), ("–", [[1]])]


@pytest.mark.parametrize(
    ("count", "columns", "shape"),
    [(3, 0, (1, 3)), (5, 0, (2, 3)), (10, 0, (3, 4)), (10, 5, (2, 5)), (1, 0, (1, 1))],
)
def test_without_axes_pictures_stand_in_reading_order(count: int, columns: int, shape: tuple[int, int]):
    pictures: Pictures = [{} for _ in range(count)]

    (sheet,) = arrange_by_axes(find_axes(pictures), pictures, columns=columns)

    assert (sheet.rows, sheet.columns) == shape
    assert [slot.index for slot in sheet.cells] == list(range(count))
    assert (sheet.cells[-1].row, sheet.cells[-1].column) == divmod(count - 1, shape[1])


def test_no_pictures_make_no_sheet():
    assert arrange_by_axes(find_axes([]), []) == ()


def test_a_nearly_empty_table_is_refused_before_it_is_built():
    pictures = [{"a": str(number), "b": str(number)} for number in range(1_100)]

    with pytest.raises(InputError, match=r"a \(1100 values\).*1000000 cells"):
        arrange_by_axes(find_axes(pictures, x="a", y="b"), pictures)


CELLS = st.dictionaries(
    st.sampled_from(["sampler", "cfg", "seed", "prompt"]), st.sampled_from(["", "1", "2", "1.0", "a", "B", "b"])
)


ASKED = st.sampled_from(["auto", "auto", "none", "sampler", "cfg", "seed"])


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(CELLS, max_size=24), ASKED, ASKED, ASKED, st.integers(0, 3))
def test_every_picture_has_exactly_one_place(pictures: Pictures, x: str, y: str, page: str, columns: int):
    try:
        axes = find_axes(pictures, x=x, y=y, page=page)
    except InputError:
        return

    sheets = arrange_by_axes(axes, pictures, columns=columns)

    placed = [slot.index for sheet in sheets for slot in sheet.cells if slot.index is not None]
    assert sorted(placed) == list(range(len(pictures)))
    for sheet in sheets:
        assert len(sheet.row_headers) == sheet.rows
        assert len(sheet.column_headers) == sheet.columns
        places = [(slot.row, slot.column) for slot in sheet.cells]
        assert places == sorted(set(places))
        assert all(0 <= row < sheet.rows and 0 <= column < sheet.columns for row, column in places)


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


def test_columns_that_would_nearly_all_be_empty_are_refused():
    assert flow_tables(1, 10_000, 1001)[0].columns == 1001
    with pytest.raises(InputError, match="10000 columns for 3 pictures leave 9997 of each row empty"):
        flow_tables(3, 10_000, 10_000)
