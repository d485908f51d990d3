"""Plans: whole pixels in which nothing overlaps, nothing leaves the page and nothing passes the format's limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from clip_grid.errors import LimitError
from clip_grid.grid.arrange.tables import PageTable, flow_tables
from clip_grid.grid.layout.layout import Limits, plan_grid
from clip_grid.grid.layout.plan import Box, GridPlan, LayoutInput, SheetTexts
from clip_grid.grid.template import GridTemplate
from hypothesis import assume, given, settings
from hypothesis import strategies as st

TEXTS = st.sampled_from(["", "a", "a title of several words", "x" * 300, "one\ntwo\nthree", "page {page} of {pages}"])


def measure(text: str, width: int, size: int, _: int) -> tuple[int, int]:
    """A ruler for letters half as wide as they are high, broken anywhere."""
    letter = max(1, size // 2)
    across = width // letter
    if not across:
        return 0, 0
    lines = [max(1, -(-len(line) // across)) for line in text.split("\n")]
    widest = max(min(len(line), across) for line in text.split("\n"))
    return widest * letter, sum(lines) * size


def request(
    count: int, template: GridTemplate, texts: SheetTexts | None = None, tables: Sequence[PageTable] = ()
) -> LayoutInput:
    sizes = [(40 + 7 * i % 50, 30 + 11 * i % 70) for i in range(count)]
    tables = tables or flow_tables(count, template.rows, template.columns)
    return LayoutInput(template, sizes, tables, texts or SheetTexts(), measure)


@st.composite
def requests(draw: st.DrawFn) -> LayoutInput:
    count = draw(st.integers(1, 30))
    template = GridTemplate(
        rows=draw(st.integers(0, 5)),
        columns=draw(st.integers(0, 5)),
        cell_width=draw(st.sampled_from([0, 1, 5, 32, 100, 301])),
        cell_height=draw(st.sampled_from([0, 1, 6, 33, 90, 300])),
        margin=draw(st.integers(0, 20)),
        gap=draw(st.integers(-1, 15)),
        font_size=draw(st.sampled_from([0, 6, 16, 200])),
        fit=draw(st.sampled_from(["contain", "cover", "stretch", "pad", "original"])),
        enlarge=draw(st.booleans()),
        border_width=draw(st.sampled_from([0, 1, 200])),
        label_position=draw(st.sampled_from(["over", "below", "above", "none"])),
    )
    texts = SheetTexts(draw(st.lists(TEXTS, min_size=count, max_size=count)), *(draw(TEXTS) for _ in range(4)))
    tables = flow_tables(count, template.rows, template.columns)
    if draw(st.booleans()):
        tables = tuple(with_headers(table, draw(TEXTS), draw(TEXTS), draw(TEXTS)) for table in tables)
    return request(count, template, texts, tables)


def with_headers(table: PageTable, row: str, column: str, page: str | None) -> PageTable:
    return replace(table, page_value=page, row_headers=(row,) * table.rows, column_headers=(column,) * table.columns)


def overlap(a: Box, b: Box) -> bool:
    return a.x < b.right and b.x < a.right and a.y < b.bottom and b.y < a.bottom and min(a[2:] + b[2:]) > 0


def indices(plan: GridPlan) -> list[int | None]:
    return [cell.index for page in plan.pages for cell in page.cells]


@settings(max_examples=80, deadline=None)
@given(requests())
def test_bands_cut_a_page_from_top_to_bottom_without_a_gap(inputs):
    for page in plan_grid(inputs).pages:
        y = 0
        for band in page.bands:
            assert band.y == y
            assert band.height > 0
            y += band.height
        assert y == page.height


@settings(max_examples=80, deadline=None)
@given(requests())
def test_every_box_lies_in_its_band_and_no_two_overlap(inputs):
    for page in plan_grid(inputs).pages:
        for band in page.bands:
            slice_ = Box(0, band.y, page.width, band.height)
            assert all(slice_.contains(cell.box) for cell in band.cells)
            assert all(slice_.contains(text.box) for text in band.texts)
            pairs = combinations([cell.box for cell in band.cells] + [text.box for text in band.texts], 2)
            assert not any(overlap(a, b) for a, b in pairs)


@settings(max_examples=80, deadline=None)
@given(requests())
def test_picture_and_label_lie_in_their_cell_and_a_strip_beside_the_picture(inputs):
    for page in plan_grid(inputs).pages:
        for cell in page.cells:
            assert cell.box.contains(cell.area)
            assert cell.area.contains(cell.image)
            assert min(cell.image.width, cell.image.height) >= 1
            assert cell.box.contains(cell.label)
            if inputs.template.label_position in ("below", "above"):
                assert not overlap(cell.area, cell.label)


@settings(max_examples=80, deadline=None)
@given(requests())
def test_every_picture_has_exactly_one_cell(inputs):
    assert sorted(indices(plan_grid(inputs))) == list(range(len(inputs.sizes)))


@given(st.integers(1, 40), st.integers(0, 6), st.integers(0, 6), st.integers(0, 30))
def test_without_texts_a_page_is_cells_and_margins_and_nothing_else(count, rows, columns, margin):
    template = GridTemplate(
        rows=rows, columns=columns, cell_width=70, cell_height=50, margin=margin, label_position="over"
    )

    for page in plan_grid(request(count, template)).pages:
        assert page.width == page.table.columns * 70 + (page.table.columns + 1) * margin
        assert page.height == page.table.rows * 50 + (page.table.rows + 1) * margin


def test_a_gap_of_its_own_stands_between_the_cells_only():
    (page,) = plan_grid(request(4, GridTemplate(cell_width=70, cell_height=50, margin=10, gap=3))).pages

    assert [cell.box[:2] for cell in page.cells] == [(10, 10), (83, 10), (10, 63), (83, 63)]
    assert (page.width, page.height) == (163, 123)


def test_a_strip_is_as_high_as_the_tallest_label_and_no_higher_than_half_the_cell():
    template = GridTemplate(cell_width=100, cell_height=100, font_size=10, label_position="below")

    small, tall = (
        plan_grid(request(2, template, SheetTexts(["one", label]))).pages[0].cells
        for label in ("one\ntwo", "\n".join("abcdefgh"))
    )

    # the eight lines shrink to 8 pixels, and half of the cell holds six of them
    assert [cells[1].label.height for cells in (small, tall)] == [20, 50]
    assert [cells[0].label.height for cells in (small, tall)] == [20, 50]


def test_a_strip_is_there_even_when_a_letter_is_wider_than_the_cell():
    template = GridTemplate(cell_width=10, cell_height=10, font_size=40, label_position="below")

    assert plan_grid(request(1, template, SheetTexts(["m"]))).pages[0].cells[0].label.height > 0


def test_page_numbers_are_filled_in_where_users_write_but_not_in_values():
    tables = [with_headers(table, "{page}", "{page}", None) for table in flow_tables(2, 1, 1)]
    texts = SheetTexts(["", ""], "t {page}/{pages}", "h {page}", "{page}", "f {page} {x}")

    _, page = plan_grid(request(2, GridTemplate(), texts, tables)).pages
    written = {text.kind: text.text for band in page.bands for text in band.texts}

    assert written == {
        "title": "t 2/2", "header": "h 2", "legend": "{page}", "column": "{page}", "row": "{page}", "footer": "f 2 {x}"
    }  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(requests(), st.integers(400, 3000), st.one_of(st.none(), st.integers(160_000, 2_000_000)))
def test_split_pages_are_inside_the_limits_and_hold_every_picture_once(inputs, side, most):
    limits = Limits("jpeg", side, most)
    try:
        plan = plan_grid(inputs, limits)
    except LimitError:
        assume(False)
        raise

    assert all(limits.hold(page) for page in plan.pages)
    assert Counter(i for i in indices(plan) if i is not None) == Counter(range(len(inputs.sizes)))


def test_a_page_that_is_too_wide_is_split_and_noted():
    template = GridTemplate(columns=30, cell_width=100, cell_height=50, margin=0, label_position="none")

    plan = plan_grid(request(60, template), Limits("jpeg", side=1000))

    assert [(page.table.rows, page.table.columns, page.width) for page in plan.pages] == [(2, 10, 1000)] * 3
    assert indices(plan) == list(range(60))
    assert plan.notes == (
        "the page is 3000 x 100 pixels and jpeg holds sides of at most 1000 pixels; split into 3 pages",
    )


def test_a_page_that_is_too_wide_is_scaled_down_as_a_whole():
    template = GridTemplate(columns=30, cell_width=100, cell_height=50, margin=0, gap=0, on_overflow="scale")

    plan = plan_grid(request(60, template), Limits("jpeg", side=1000))

    (page,) = plan.pages
    assert 900 < page.width <= 1000
    assert indices(plan) == list(range(60))
    assert "scaled down to cells of" in plan.notes[0]


def test_stop_refuses_with_the_cure():
    template = GridTemplate(columns=30, cell_width=100, cell_height=50, on_overflow="stop")

    with pytest.raises(LimitError, match="jpeg holds sides of at most 1000 pixels; choose smaller cells"):
        plan_grid(request(60, template), Limits("jpeg", side=1000))


@pytest.mark.parametrize("on_overflow", ["split", "scale", "stop"])
def test_a_single_cell_beyond_the_limit_is_refused_in_any_case(on_overflow):
    template = GridTemplate(cell_width=15, cell_height=15, on_overflow=on_overflow)

    with pytest.raises(LimitError):
        plan_grid(request(3, template), Limits("jpeg", side=10))


def test_seventy_thousand_pixels_of_jpeg_become_two_pages():
    template = GridTemplate(rows=1, cell_width=256, cell_height=20, margin=0, label_position="none")

    plan = plan_grid(request(274, template), Limits.of("jpeg"))

    assert [page.width for page in plan.pages] == [255 * 256, 255 * 256]
    assert all(page.width <= 65_500 for page in plan.pages)


def test_a_split_table_keeps_its_headers_over_every_picture():
    table = replace(
        flow_tables(24, 4, 6)[0],
        row_headers=tuple(f"r{i}" for i in range(4)),
        column_headers=tuple(f"c{i}" for i in range(6)),
    )
    template = GridTemplate(cell_width=100, cell_height=100)

    plan = plan_grid(request(24, template, tables=[table]), Limits("webp", side=450))

    assert len(plan.pages) > 1
    for page in plan.pages:
        for cell in page.cells:
            headers = page.table.row_headers[cell.row], page.table.column_headers[cell.column]
            assert headers == (f"r{cell.index // 6}", f"c{cell.index % 6}")


def test_a_split_page_says_on_every_part_which_page_value_it_shows():
    tables = [replace(table, page_value="model: a") for table in flow_tables(20, 4, 5)]
    template = GridTemplate(cell_width=100, cell_height=100)

    plan = plan_grid(request(20, template, tables=tables), Limits("webp", side=300))

    assert len(plan.pages) > 1
    assert all("model: a" in [t.text for band in page.bands for t in band.texts] for page in plan.pages)
    assert all(max(page.width, page.height) <= 300 for page in plan.pages)
