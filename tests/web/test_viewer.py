"""The sheet in its node, and the full-screen viewer."""

from __future__ import annotations

import re

import pytest

from .outputs import EVIL, many_cells, sheet

SHEET = "ClipGrid_LabeledGridExporter"
ANIMALS = ["cat", "dog", "ant", "bee"]


@pytest.fixture
def viewer_of(page_of):
    """Opens the viewer on a sheet of pictures with these labels."""

    def opened(labels, **inputs):
        return opened_on(sheet(labels, **inputs))

    def opened_on(output):
        stub = page_of(SHEET)
        stub.finish(output)
        stub.node().get_by_text("Open viewer").click()
        stub.viewer.wait_for()
        return stub

    opened.on = opened_on
    return opened


def shown(stub):
    """The labels in the view of all cells, in their order, also of cells off the screen."""
    return stub.viewer.locator(".clip-grid-tile-label").all_text_contents()


def panel(stub):
    return stub.viewer.locator(".clip-grid-panel").inner_text()


def test_the_node_shows_its_sheet_and_counts(page_of, host):
    stub = page_of(SHEET)

    stub.finish(sheet(ANIMALS))

    assert stub.node().locator("img").evaluate_all("(all) => Promise.all(all.map((one) => one.decode()))") == [None]
    assert "4 pictures, 1 page" in stub.node().inner_text()


def test_a_click_on_the_sheet_opens_the_viewer_and_escape_closes_it(page_of):
    stub = page_of(SHEET)
    stub.finish(sheet(ANIMALS))

    stub.node().locator("img").click()
    stub.viewer.wait_for()
    stub.page.keyboard.press("Escape")

    stub.viewer.wait_for(state="detached")


def test_escape_clears_the_filter_before_it_closes_the_viewer(viewer_of):
    stub = viewer_of(ANIMALS)
    stub.page.keyboard.press("w")
    stub.viewer.locator("input[type=search]").fill("dog")

    stub.page.keyboard.press("Escape")
    assert shown(stub) == ANIMALS and stub.viewer.locator("input[type=search]").input_value() == ""
    stub.page.keyboard.press("Escape")

    stub.viewer.wait_for(state="detached")


@pytest.mark.parametrize("is_selected", [True, False])
def test_the_key_of_the_viewer_finds_a_node_inside_a_subgraph(page_of, is_selected):
    stub = page_of(SHEET, *([SHEET] if is_selected else []))
    stub.finish(sheet(ANIMALS))
    script = """([id, isSelected]) => {
        const node = app.rootGraph.getNodeById(id);
        const subgraph = { id: "outer", nodes: [{ id: 9, comfyClass: "inner", subgraph: { nodes: [node] } }] };
        const outer = { id: 8, comfyClass: "outer", subgraph };
        app.rootGraph.nodes.splice(app.rootGraph.nodes.indexOf(node), 1, outer);
        if (isSelected) app.canvas.selectedItems.add(outer);
    }"""
    stub.page.evaluate(script, [stub.ids[0], is_selected])

    stub.page.keyboard.press("Shift+G")
    stub.viewer.wait_for()

    stub.page.keyboard.press("w")
    assert shown(stub) == ANIMALS


def test_the_panel_shows_the_cell_under_the_pointer(viewer_of):
    stub = viewer_of(ANIMALS, columns=2, margin=0)
    box = stub.viewer.locator("img.clip-grid-page").bounding_box()

    stub.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)

    assert "dog" in panel(stub) and "row 1, column 2" in panel(stub)


def test_the_panel_keeps_the_cell_when_the_pointer_goes_to_its_buttons(viewer_of):
    stub = viewer_of(ANIMALS, columns=2, margin=0)
    box = stub.viewer.locator("img.clip-grid-page").bounding_box()
    stub.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)

    pin = stub.viewer.get_by_role("button", name="Pin").bounding_box()
    stub.page.mouse.move(pin["x"] + 5, pin["y"] + 5, steps=5)
    stub.page.mouse.down()
    stub.page.mouse.up()

    assert "dog" in panel(stub) and stub.viewer.get_by_role("button", name="Unpin").count() == 1


def test_the_wheel_zooms_and_zero_shows_all_again(viewer_of):
    stub = viewer_of(ANIMALS)
    page = stub.viewer.locator("img.clip-grid-page")
    before = page.bounding_box()["width"]
    stub.page.mouse.move(500, 450)

    stub.page.mouse.wheel(0, -600)
    stub.settle()
    assert page.bounding_box()["width"] > 1.2 * before
    stub.page.keyboard.press("0")
    stub.settle()

    assert page.bounding_box()["width"] == pytest.approx(before, abs=1)


def test_arrow_keys_go_from_cell_to_cell(viewer_of):
    stub = viewer_of(ANIMALS, columns=2)

    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        stub.page.keyboard.press(key)

    assert "bee" in panel(stub)


@pytest.mark.parametrize(("words", "left"), [("dog", ["dog"]), ("ee", ["bee"]), ("none of them", []), ("", ANIMALS)])
def test_the_filter_shows_the_cells_with_the_words(viewer_of, words, left):
    stub = viewer_of(ANIMALS)
    stub.page.keyboard.press("w")

    stub.viewer.locator("input[type=search]").fill(words)

    assert shown(stub) == left


def test_the_cells_are_sorted_by_label_in_both_directions(viewer_of):
    stub = viewer_of(["cell 10", "cell 9", "cell 1"])
    stub.page.keyboard.press("w")

    stub.viewer.locator("select").first.select_option("label")
    assert shown(stub) == ["cell 1", "cell 9", "cell 10"]
    stub.viewer.locator(".clip-grid-cell-list").press("r")

    assert shown(stub) == ["cell 10", "cell 9", "cell 1"]


def test_two_cells_are_compared_by_a_slider(viewer_of):
    stub = viewer_of(ANIMALS)
    stub.page.keyboard.press("w")
    for name in ("dog", "bee"):
        stub.viewer.get_by_role("option", name=name).click(modifiers=["Control"])

    stub.page.keyboard.press("c")
    slider = stub.viewer.get_by_role("slider", name=re.compile("left picture"))
    slider.fill("20")

    assert re.search("dog.*bee", stub.viewer.locator(".clip-grid-compare").inner_text(), re.S)
    assert stub.viewer.locator(".clip-grid-compare-stage").get_attribute("style").endswith("20%;")


def test_pages_are_turned(viewer_of):
    stub = viewer_of(ANIMALS, rows=1, columns=2, on_overflow="split")
    assert "1 / 2" in stub.viewer.inner_text()

    stub.page.keyboard.press("PageDown")

    assert "2 / 2" in stub.viewer.inner_text()
    stub.page.keyboard.press("ArrowRight")
    assert "ant" in panel(stub)


@pytest.mark.parametrize("key", ["d", "Shift+D", "j"])
def test_pictures_pages_and_data_are_saved(viewer_of, key):
    stub = viewer_of(ANIMALS)
    stub.page.keyboard.press("ArrowRight")

    with stub.page.expect_download() as saved:
        stub.page.keyboard.press(key)

    assert saved.value.path().stat().st_size > 50


def test_the_help_names_the_keys(viewer_of):
    stub = viewer_of(ANIMALS)

    stub.page.keyboard.press("?")

    assert "PageDown" in stub.viewer.locator(".clip-grid-help").inner_text()


@pytest.mark.parametrize("labels", [ANIMALS, ["the only one"]])
@pytest.mark.parametrize("view", ["s", "w", "c"])
def test_keys_work_in_every_view(viewer_of, labels, view):
    stub = viewer_of(labels)

    for key in ("c", "w", "s", view, "?"):
        stub.page.keyboard.press(key)
    stub.viewer.locator(".clip-grid-help").wait_for()
    for key in ("Escape", "w", "Home", "ArrowLeft"):
        stub.page.keyboard.press(key)

    assert labels[0] in panel(stub)


def test_keys_of_the_viewer_do_not_reach_comfyui(viewer_of):
    stub = viewer_of(ANIMALS)
    stub.page.evaluate("window.reached = []; window.addEventListener('keydown', (event) => reached.push(event.key))")

    for key in ("Delete", "w", "ArrowRight"):
        stub.page.keyboard.press(key)

    assert stub.page.evaluate("reached") == []


def test_labels_never_become_elements(viewer_of):
    stub = viewer_of([EVIL, "cat"])
    stub.page.keyboard.press("w")
    stub.viewer.locator(".clip-grid-tile").first.hover()

    assert shown(stub)[0] == EVIL and EVIL in panel(stub)
    assert stub.page.evaluate("window.harm") is None
    assert stub.page.locator("script:not([src]), img[src=x]").count() == 0


def test_of_thousands_of_cells_those_off_the_screen_are_not_rendered(viewer_of):
    stub = viewer_of.on(many_cells(1201))

    stub.page.keyboard.press("w")
    stub.settle()

    # what content-visibility skips is not rendered, and has no area to be hit in
    seen = "(all) => all.filter((one) => one.checkVisibility({ contentVisibilityAuto: true })).length"
    assert stub.viewer.locator(".clip-grid-tile").count() == 1201
    assert 0 < stub.viewer.locator(".clip-grid-tile-label").evaluate_all(seen) < 200


@pytest.mark.parametrize("away", ["reload", "switch_tab"])
def test_the_sheet_is_still_there_after_a_reload_and_a_change_of_tabs(page_of, away):
    stub = page_of(SHEET)
    stub.finish(sheet(ANIMALS))

    getattr(stub, away)()
    stub.node().get_by_text("Open viewer").click()
    stub.viewer.wait_for()
    stub.page.keyboard.press("w")

    assert shown(stub) == ANIMALS


def test_the_workflow_keeps_only_the_names_of_files(page_of):
    stub = page_of(SHEET)

    stub.finish(many_cells(300))

    assert len(str(stub.page.evaluate("stub.workflow()"))) < 6000
