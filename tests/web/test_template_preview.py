"""The drawing of the layout in the nodes that have a template, with the real route's answers."""

from __future__ import annotations

import re

import pytest

from .outputs import sheet

TEMPLATE, SHEET = "ClipGrid_GridTemplate", "ClipGrid_LabeledGridExporter"
DRAWING = ".clip-grid-plan-sheet svg"


def cells(stub, place=0):
    """How many pictures are drawn."""
    return stub.node(place).locator(f"{DRAWING} > rect[fill^=hsl]")


def unfold(stub, place=0):
    """Show the drawing of a node that makes sheets, where it is folded away at first."""
    stub.node(place).locator(".clip-grid-plan-fold").click()


def test_the_layout_is_folded_in_a_node_that_makes_sheets_and_says_its_size(page_of):
    stub = page_of(SHEET)

    stub.node().get_by_text(re.compile(r"▸ 12 pictures: 3 rows × 4 columns, \d+ × \d+ px")).wait_for()

    assert not stub.node().locator(DRAWING).is_visible()
    unfold(stub)
    stub.node().locator(DRAWING).wait_for()


@pytest.mark.parametrize("is_batch", [False, True])
def test_the_folded_layout_says_of_how_many_pictures_it_is_and_follows_the_last_sheet(page_of, is_batch):
    stub = page_of(SHEET)
    stub.node().get_by_text("▸ 12 pictures: 3 rows × 4 columns").wait_for()
    output = sheet(["cat", "dog", "ant"], columns=3, label_position="none")
    if is_batch:
        ((report,),) = output["clip_grid"]
        # pictures that were left out do not count
        output["clip_grid"] = [[{"status": "ok", "grids": [report | {"images_found": 9}], "failed": []}]]

    stub.finish(output)

    ((report,),) = sheet(["cat", "dog", "ant"], columns=3, label_position="none")["clip_grid"]
    stub.set("columns", 3)
    stub.set("label_position", "none")
    size = report["canvas_size"].replace("x", " × ")
    stub.node().get_by_text(f"▸ 3 pictures: 1 row × 3 columns, {size} px").wait_for()


@pytest.mark.parametrize("node", [TEMPLATE, SHEET, "ClipGrid_BatchLabeledGridExporter"])
def test_the_layout_is_drawn_without_any_picture(page_of, node):
    stub = page_of(node)
    if node != TEMPLATE:
        unfold(stub)

    cells(stub).first.wait_for()

    assert cells(stub).count() == 12


def test_the_drawing_follows_the_widgets(page_of):
    stub = page_of(SHEET)
    unfold(stub)
    stub.node().locator(DRAWING).wait_for()
    before = stub.node().locator(DRAWING).get_attribute("viewBox")

    stub.set("columns", 12)

    stub.page.wait_for_function(
        "([selector, before]) => document.querySelector(selector).getAttribute('viewBox') !== before",
        arg=[DRAWING, before],
    )


def test_a_linked_template_is_drawn(page_of):
    stub = page_of(TEMPLATE, SHEET)
    unfold(stub, 1)
    stub.set("columns", 12)
    connect = "([from, to]) => app.rootGraph.getNodeById(from).connect(0, app.rootGraph.getNodeById(to), 'template')"

    stub.page.evaluate(connect, stub.ids)

    same = """(drawings) => {
        const seen = [...document.querySelectorAll(drawings)].map((one) => one.getAttribute("viewBox"));
        return seen.length === 2 && seen[0] === seen[1];
    }"""
    stub.page.wait_for_function(same, arg=DRAWING)


def test_an_impossible_layout_is_explained(page_of):
    stub = page_of(SHEET)
    unfold(stub)
    stub.trouble.expect("400")

    stub.set("text_color", "no such colour")

    stub.node().get_by_text("no such colour").wait_for()


def test_titles_never_become_elements(page_of):
    stub = page_of(SHEET)
    unfold(stub)

    # text is drawn where it is large enough to be read
    stub.set("cell_width", 64)
    stub.set("cell_height", 64)
    stub.set("title", "<img src=x onerror='window.harm=1'>")
    stub.node().locator(f"{DRAWING} text").filter(has_text="<img").first.wait_for()

    assert stub.page.evaluate("window.harm") is None


def test_only_the_latest_layout_is_requested(page_of, site):
    stub = page_of(SHEET)
    unfold(stub)
    stub.node().locator(DRAWING).wait_for()
    before = len(site.posted)

    for margin in range(20):
        stub.set("margin", margin)
    stub.page.wait_for_timeout(800)

    assert len(site.posted) - before <= 2


def test_the_drawing_is_neither_sent_nor_saved(page_of):
    stub = page_of(TEMPLATE)
    stub.node().locator(DRAWING).wait_for()

    prompt = stub.page.evaluate("app.graphToPrompt().then((prompt) => prompt.output)")

    assert not any("preview" in name for name in prompt[stub.ids[0]]["inputs"])
