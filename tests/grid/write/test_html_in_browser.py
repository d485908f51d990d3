"""HTML sheets in a real browser: what a reader sees at the size of a desktop and of a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clip_grid.api import SheetInputs, export_grid
from PIL import Image

from ...real_browser import Trouble

DESKTOP, PHONE = (1600, 900), (390, 844)
SIZES = [(512, 512), (512, 300), (300, 512), (512, 512), (512, 400), (512, 512), (512, 512), (512, 512)]
VALUES = [{"cfg": str(cfg), "sampler": sampler} for sampler in ("euler", "DPM++ 2M Karras") for cfg in (7, 7.5, 17, 70)]


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Writes a sheet of eight pictures with these options and opens it; errors on the page fail the test."""
    trouble = Trouble()
    contexts = []

    def open_sheet(size: tuple[int, int] = DESKTOP, scheme: str = "light", **options: Any) -> Any:
        folder = tmp_path / "pictures"
        folder.mkdir()
        for number, picture in enumerate(SIZES):
            Image.new("RGB", picture, (40 * (number % 6), 90, 160)).save(folder / f"{number}.png")
        export_grid(folder, tmp_path / "sheet.html", sidecar=False, **options)
        viewport = {"width": size[0], "height": size[1]}
        contexts.append(chromium.new_context(viewport=viewport, color_scheme=scheme))
        page = contexts[-1].new_page()
        trouble.watch(page)
        page.goto((tmp_path / "sheet.html").as_uri())
        return page

    yield open_sheet
    for context in contexts:
        context.close()
    assert trouble.unexpected == []


def widths(page: Any) -> list[int]:
    """Of what there is to see, and of the window."""
    return page.evaluate("[sheet.scrollWidth, sheet.clientWidth]")


def columns(page: Any) -> int:
    """Pictures beside each other in the first row."""
    return page.evaluate("""() => {
        const bottom = (cell) => Math.round(cell.img.getBoundingClientRect().bottom);
        return cells.filter((cell) => bottom(cell) === bottom(cells[0])).length;
    }""")


HEADERS = {"columns": 4, "rows": 2, "row_headers": "euler;a sampler of a long name", "column_headers": "1;2;3;4"}


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_table_opens_as_wide_as_the_window_and_stays_a_table(opened: Callable[..., Any], size: Any) -> None:
    page = opened(size, **HEADERS)

    shown, window = widths(page)
    assert shown <= window
    assert page.evaluate("tables[0].offsetWidth") == pytest.approx(window, abs=8)
    assert columns(page) == 4


def test_the_table_follows_the_window_until_the_reader_zooms(opened: Callable[..., Any]) -> None:
    page = opened(DESKTOP, **HEADERS)

    page.set_viewport_size({"width": 800, "height": 900})
    page.wait_for_function("sheet.scrollWidth <= sheet.clientWidth && zoom < 0.5")
    page.evaluate("setZoom(0.3)")
    page.set_viewport_size({"width": 1200, "height": 900})
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    assert page.evaluate("zoom") == 0.3


@pytest.mark.parametrize(("size", "expected"), [(DESKTOP, 4), (PHONE, 2)])
def test_pictures_without_headers_stand_in_as_many_columns_as_can_be_seen(
    opened: Callable[..., Any], size: Any, expected: int
) -> None:
    page = opened(size, columns=4)

    shown, window = widths(page)
    assert shown <= window
    assert columns(page) == expected
    captions = page.evaluate(
        "cells.map(({ node, img }) => node.querySelector('figcaption').getBoundingClientRect().top"
        " - img.getBoundingClientRect().bottom)"
    )
    assert captions == pytest.approx([0] * 8, abs=0.5)


@pytest.mark.parametrize(
    ("options", "page_is_dark"),
    [({}, True), ({"background": "#fffbe6"}, False), ({"background": "30,30,30"}, True)],
)
def test_a_sheet_is_dark_where_that_is_preferred_and_keeps_chosen_colours(
    opened: Callable[..., Any], options: dict[str, Any], page_is_dark: bool
) -> None:
    page = opened(scheme="dark", **options)

    assert page.evaluate("document.documentElement.style.colorScheme") == ("dark" if page_is_dark else "light")
    assert page.title() == "sheet"


def test_the_filter_finds_what_the_viewer_finds_in_the_same_rows(opened: Callable[..., Any], tmp_path: Path) -> None:
    module = (Path(__file__).parents[3] / "web" / "lib" / "viewer" / "query.mjs").read_text("utf-8")
    table = "".join(f"{number}.png,{row['cfg']},{row['sampler']}\n" for number, row in enumerate(VALUES))
    (tmp_path / "values.csv").write_text(f"filename,cfg,sampler\n{table}", "utf-8")
    page = opened(inputs=SheetInputs(csv=tmp_path / "values.csv"), sort_by="name")
    rows = [
        {"label": "", "file": f"{number}.png", "source": "", "values": values, "scores": {}}
        for number, values in enumerate(VALUES)
    ]
    viewer = page.context.new_page()

    for words, expected in (
        ("cfg:7", "04"),
        ("cfg:7 -euler", "4"),
        ('"2m karras" cfg:7.5', "5"),
        ("-sampler:euler", "4567"),
        ("3.png", "3"),
        ("nothing", ""),
    ):
        page.fill("#filter", words)
        found = page.evaluate("shown.map((cell) => cell.file[0]).sort().join('')")
        seen = page.locator("#flow img").evaluate_all("all => all.map((one) => one.alt[0]).sort().join('')")
        script = """async ([module, rows, words]) => {
            const { filterCells } = await import("data:text/javascript," + encodeURIComponent(module));
            return filterCells(rows, words).map((row) => row.file[0]).join("");
        }"""
        assert found == seen == viewer.evaluate(script, [module, rows, words]) == expected, words
