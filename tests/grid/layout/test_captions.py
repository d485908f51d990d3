"""Labels stand on or beside their own picture, all in one size, in rows as high as their tallest picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from clip_grid.grid.arrange.tables import PageTable, flow_tables, split_by_size
from clip_grid.grid.layout.layout import plan_grid
from clip_grid.grid.layout.placing import cell_size
from clip_grid.grid.layout.plan import Box, CellPlan, GridPlan, LayoutInput, ScaleTexts, SheetTexts
from clip_grid.grid.template import GridTemplate


def measure(text: str, width: int, size: int, _: int) -> tuple[int, int]:
    """A ruler for letters half as wide as they are high, broken anywhere."""
    across = max(1, width // max(1, size // 2))
    lines = [text[start : start + across] for start in range(0, len(text), across)]
    return max(map(len, lines)) * (size // 2), len(lines) * size


def plan(
    sizes: Sequence[tuple[int, int]],
    labels: Sequence[str] = (),
    texts: SheetTexts | None = None,
    tables: Sequence[PageTable] = (),
    scale: ScaleTexts | None = None,
    **options: object,
) -> GridPlan:
    template = GridTemplate(**options)
    texts = replace(texts or SheetTexts(), labels=labels or [""] * len(sizes))
    tables = tables or flow_tables(len(sizes), template.rows, template.columns)
    return plan_grid(LayoutInput(template, sizes, tables, texts, measure, scale=scale))


def cells(*given: object, **options: object) -> tuple[CellPlan, ...]:
    return plan(*given, **options).pages[0].cells


MIXED = [(300, 200), (100, 200), (400, 100), (200, 50)]


def test_captions_stand_six_pixels_below_their_pictures_in_rows_as_high_as_the_tallest():
    wide, tall, panorama, small = cells(MIXED, ["a", "b", "c", "d"], columns=2, margin=10, font_size=16)

    # cells as wide as the widest picture; 16 of text, 6 above and 8 below it
    assert (wide.box, tall.box) == ((10, 10, 400, 230), (420, 10, 400, 230))
    assert (panorama.box, small.box) == ((10, 250, 400, 130), (420, 250, 400, 130))
    # the feet of a row are on one line
    assert (wide.image, tall.image) == ((60, 10, 300, 200), (570, 10, 100, 200))
    assert (panorama.image, small.image) == ((10, 250, 400, 100), (520, 300, 200, 50))
    assert [(cell.label.y - cell.image.bottom, cell.label.height) for cell in (wide, tall, panorama, small)] == [
        (6, 16)
    ] * 4


def test_captions_above_stand_six_pixels_over_their_pictures():
    wide, tall, panorama, small = cells(MIXED, ["a"] * 4, columns=2, font_size=16, label_position="above")

    assert [cell.image.y - cell.label.bottom for cell in (wide, tall, panorama, small)] == [6] * 4
    assert [cell.image.y for cell in (wide, tall, panorama, small)] == [40, 40, 280, 280]


@pytest.mark.parametrize(("align", "left"), [("left", 10), ("center", 13), ("right", 16)])
@pytest.mark.parametrize("position", ["below", "above"])
def test_captions_of_neighbours_are_the_height_of_a_letter_apart(align, left, position):
    options = {"columns": 2, "gap": 10, "font_size": 16, "label_align": align, "label_position": position}
    first, second = cells([(200, 200)] * 2, ["a" * 50] * 2, **options)

    assert second.label.x - first.label.right == 16
    assert (first.label.x, first.image.x) == (left, 10)


def test_headers_of_neighbours_are_the_height_of_a_letter_apart():
    (table,) = headed(flow_tables(4, 0, 2), "", "a" * 50)

    texts = plan([(200, 200)] * 4, tables=[table], gap=10, font_size=16).pages[0].bands[0].texts

    first, second = [text.box for text in texts if text.kind == "column"]
    assert second.x - first.right == 16
    assert (first.x + first.right) / 2 == 110


def test_captions_of_tiny_cells_keep_most_of_their_width():
    first, _ = cells([(40, 40)] * 2, ["a"] * 2, columns=2, gap=0, font_size=16, cell_width=40, cell_height=40)

    assert first.label.width == 35


def test_padding_is_even_on_both_sides_of_a_picture():
    wide, _ = cells([(100, 50)] * 2, ["a"] * 2, fit="pad", cell_width=120, cell_height=90, label_align="left")

    assert wide.image == (20, 30, 100, 50)


def test_the_longest_caption_of_a_row_makes_only_that_row_higher():
    options = {"columns": 1, "font_size": 10, "cell_width": 60, "cell_height": 80}
    _, first, second, _ = plan([(100, 80)] * 2, ["a" * 20, "a"], **options).pages[0].bands

    # 12 letters to a line of 60 pixels
    assert (first.cells[0].label.height, second.cells[0].label.height) == (20, 10)


@pytest.mark.parametrize(("align", "left"), [("left", 10), ("center", 60), ("right", 110)])
def test_a_picture_with_its_caption_stands_where_the_captions_are_aligned(align, left):
    assert cells([(300, 100), (200, 100)], ["a", "b"], columns=1, label_align=align)[1].image.x == left


def test_without_labels_a_cell_of_a_given_size_keeps_it():
    first, _ = cells([(20, 10), (20, 20)], columns=2, cell_width=70, cell_height=50)

    assert (first.box.height, first.image) == (50, (35, 30, 20, 10))


def test_a_border_stands_between_picture_and_caption():
    (cell,) = cells([(100, 50)], ["a"], border_width=4, cell_width=120, cell_height=90)

    assert cell.label.y - cell.image.bottom == 4 + 6
    assert cell.area.height == 58


@pytest.mark.parametrize("fit", ["pad", "cover", "stretch"])
def test_a_picture_that_fills_its_cell_has_its_caption_below_that(fit):
    (cell,) = cells([(100, 50)], ["a"], fit=fit, cell_width=120, cell_height=90)

    assert cell.area == (10, 10, 120, 90)
    assert cell.label.y == 106


def test_a_label_over_a_picture_stays_inside_it_however_large_the_cell_is():
    (cell,) = cells([(102, 76)], ["astronaut.png"], cell_width=256, cell_height=256, label_position="over")

    assert cell.image == (87, 100, 102, 76)
    assert cell.label_is_over_picture and cell.image.contains(cell.label)
    assert cell.label.bottom == cell.image.bottom - 2


def test_a_picture_too_small_for_its_label_has_it_below():
    (cell,) = cells([(24, 24)], ["astronaut.png"], cell_width=256, cell_height=256, label_position="over")

    assert not cell.label_is_over_picture
    assert (cell.label.x, cell.label.y, cell.label.width) == (10, cell.image.bottom + 6, 256)


def test_all_labels_have_the_size_at_which_the_longest_fits():
    labels = ["a"] * 8 + ["a" * 120]

    # 120 letters of 5 x 10 pixels fill 6 lines of 20 letters, and half of the cell's height holds 6
    options = {"font_size": 16, "gap": 16, "cell_width": 100, "cell_height": 120}
    assert plan([(100, 120)] * 9, labels, **options).metrics.label_font == 10


def test_one_label_in_ten_does_not_make_the_others_small():
    labels = [*"abcdefghi", "a" * 2000]

    assert plan([(100, 120)] * 10, labels, font_size=16, cell_width=100, cell_height=120).metrics.label_font == 16


def test_no_label_is_smaller_than_the_smallest_size():
    metrics = plan([(100, 120)], ["a" * 2000], font_size=16, min_font_size=9, cell_width=100, cell_height=120).metrics

    assert metrics.label_font == 9


def headed(tables: Sequence[PageTable], row: str, column: str) -> list[PageTable]:
    return [
        replace(table, row_headers=(row,) * table.rows, column_headers=(column,) * table.columns) for table in tables
    ]


def test_all_headers_of_a_kind_have_one_size():
    (table,) = headed(flow_tables(4, 0, 2), "row", "a")
    table = replace(table, column_headers=("a", "a" * 60))

    page = plan([(100, 100)] * 4, tables=[table], font_size=16, cell_width=100, cell_height=100).pages[0]
    texts = page.bands[0].texts

    # 60 letters of 6 x 13 pixels fill 4 lines of 16 letters; of 7 x 14 they would fill 5 lines, higher than 4 of 16
    assert {text.size for text in texts if text.kind == "column"} == {13}


def test_pages_with_fewer_columns_are_as_wide_as_the_others():
    (table,) = headed(flow_tables(20, 0, 5), "row", "a")

    pages = plan([(50, 50)] * 20, tables=split_by_size(table, 0, 3)).pages

    assert [page.table.columns for page in pages] == [3, 2]
    assert len({page.width for page in pages}) == 1
    assert len({page.cells[0].box.x for page in pages}) == 1


def test_pages_with_shorter_headers_are_as_wide_as_the_others():
    tables = [*headed(flow_tables(4, 0, 2), "a", ""), *headed(flow_tables(4, 0, 2), "a long header", "")]

    first, second = plan([(100, 100)] * 4, tables=tables).pages

    assert (first.width, first.cells[0].box.x) == (second.width, second.cells[0].box.x)


def test_title_header_legend_and_footer_begin_at_one_edge_and_step_down_in_size():
    texts = SheetTexts(title="title", header="header", legend="legend", footer="footer")

    page = plan([(400, 400)], texts=texts, font_size=20, margin=12).pages[0]

    shown = {text.kind: text for band in page.bands for text in band.texts}
    assert {text.box.x for text in shown.values()} == {12}
    assert {kind: text.size for kind, text in shown.items()} == {"title": 35, "header": 22, "legend": 16, "footer": 16}


def test_an_axis_is_named_once_above_its_headers():
    (table,) = headed(flow_tables(4, 0, 2), "ddim", "7")
    table = replace(table, row_axis="sampler", column_axis="cfg")

    texts = plan([(100, 100)] * 4, tables=[table], font_size=16).pages[0].bands[0].texts

    names = {text.kind: text for text in texts if text.kind.endswith("axis")}
    headers = [text.box for text in texts if text.kind == "column"]
    assert {kind: name.text for kind, name in names.items()} == {"row_axis": "sampler", "column_axis": "cfg"}
    assert names["column_axis"].box.bottom <= headers[0].y
    assert names["row_axis"].box.bottom == headers[0].bottom
    assert names["row_axis"].box.right < headers[0].x


def test_the_scale_of_a_heat_map_has_its_name_and_both_ends_beside_its_bar():
    texts = plan([(400, 300)], scale=ScaleTexts("cosine", "0.210", "0.310")).pages[0].bands[0].texts

    assert [(text.kind, text.text) for text in texts] == [
        ("scale", "cosine"), ("scale", "0.210"), ("scale_bar", ""), ("scale", "0.310")
    ]  # fmt: skip
    assert all(one.box.right < other.box.x for one, other in pairwise(texts))
    assert texts[2].box.width == 12 * texts[2].box.height


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        # panoramas among portraits: both keep a longer side of 512
        ([(2000, 500), (512, 768)], (512, 512)),
        ([(2000, 500), (1600, 400)], (512, 128)),
        ([(3000, 2000), (102, 102)], (512, 341)),
        ([(102, 76), (102, 102)], (128, 128)),
    ],
)
def test_a_cell_holds_pictures_of_every_shape_at_their_full_size(sizes, expected):
    assert cell_size(sizes, GridTemplate()) == expected


def test_an_empty_label_box_is_over_its_picture():
    assert CellPlan(0, 0, 0, Box(0, 0, 9, 9), Box(0, 0, 9, 9), Box(2, 2, 4, 4), Box(0, 9, 0, 0)).label_is_over_picture
