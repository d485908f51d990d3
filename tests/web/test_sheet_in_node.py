"""The sheet in its node: large, the saved file, with its notes, and still there after a reload and a restart."""

from __future__ import annotations

from .outputs import sheet

SHEET = "ClipGrid_LabeledGridExporter"
NOTES = ".clip-grid-notes-line"
IMAGE = ".clip-grid-node-sheet img"


def menu_file(stub):
    """The address that Open, Save and Copy Image of the node's menu act on."""
    script = "(id) => { const { imgs, imageIndex } = app.rootGraph.getNodeById(id); return imgs[imageIndex].src; }"
    return stub.page.evaluate(script, stub.ids[0])


def state(stub):
    script = """(id) => {
        const node = app.rootGraph.getNodeById(id);
        return { hides: node.hideOutputImages, size: node.size[1], least: node.computeSize()[1] };
    }"""
    return stub.page.evaluate(script, stub.ids[0])


def test_the_sheet_has_the_width_of_the_node_and_comfyui_shows_no_second_one(page_of):
    stub = page_of(SHEET)

    stub.finish(sheet(["cat", "dog", "ant"], side=64, columns=3, margin=0))
    stub.page.wait_for_function("(image) => document.querySelector(image)?.naturalWidth > 0", arg=IMAGE)

    box = stub.node().locator(IMAGE).bounding_box()
    assert box["width"] > 350 and state(stub)["hides"] is True
    assert state(stub)["size"] >= state(stub)["least"]


def test_the_menu_of_the_node_acts_on_the_saved_file_of_a_large_sheet_too(page_of):
    stub = page_of(SHEET)
    output = sheet(["cat"], cell_width=2100, cell_height=40, fit="stretch")

    stub.finish(output)

    assert output["clip_grid_reduced"][0].endswith(".webp")
    assert "type=temp" in stub.node().locator(IMAGE).get_attribute("src")
    assert "filename=ClipGrid_00001_.png" in menu_file(stub) and "type=output" in menu_file(stub)


def test_after_a_reload_and_a_restart_the_saved_file_is_shown(page_of, host):
    stub = page_of(SHEET)
    stub.finish(sheet(["cat", "dog"], cell_width=1200, columns=2, fit="stretch"))
    # the page may still ask for it once it is gone
    stub.trouble.expect("404")
    assert len(list(host.folders.temp.iterdir())) == 1
    for file in host.folders.temp.iterdir():
        file.unlink()

    stub.reload()
    stub.page.wait_for_function("(image) => document.querySelector(image)?.naturalWidth > 0", arg=IMAGE)

    assert "filename=ClipGrid_00001_.png" in stub.node().locator(IMAGE).get_attribute("src")
    assert "filename=ClipGrid_00001_.png" in menu_file(stub)
    assert "2 pictures, 1 page" in stub.node().inner_text()


def test_pages_are_turned_in_the_node(page_of):
    stub = page_of(SHEET)
    stub.finish(sheet(["cat", "dog", "ant"], rows=1, columns=1))
    assert "1 / 3" in stub.node().inner_text()

    stub.node().get_by_role("button", name="Next page").click()
    assert "2 / 3" in stub.node().inner_text() and "ClipGrid_00002_.png" in menu_file(stub)
    stub.node().get_by_role("button", name="Previous page").click()
    stub.node().get_by_role("button", name="Previous page").click()

    assert "3 / 3" in stub.node().inner_text() and "ClipGrid_00003_.png" in menu_file(stub)


def test_notes_stand_in_one_line_and_a_click_shows_all_of_them(page_of):
    stub = page_of(SHEET)
    stub.finish(sheet(["cat", "dog"], heatmap="on", winner="highest"))

    line = stub.node().locator(NOTES)
    assert (
        line.inner_text().startswith("⚠ Heatmap is on, but the pictures have no score")
        and "and 1 more" in line.inner_text()
    )
    assert line.bounding_box()["height"] < 24
    line.click()
    dialog = stub.page.locator("dialog.clip-grid-notes")
    assert [text.split(",")[0] for text in dialog.locator("li").all_inner_texts()] == [
        "Heatmap is on", "Winner is highest"
    ]  # fmt: skip
    stub.page.keyboard.press("Escape")

    dialog.wait_for(state="detached")


def test_notes_are_kept_with_the_workflow_and_never_become_elements(page_of):
    stub = page_of(SHEET)
    evil = "<img src=x onerror='window.harm=1'> is not a note"
    stub.finish(sheet(["cat"]) | {"clip_notes": [evil]})

    stub.reload()
    stub.node().locator(NOTES).click()

    assert evil in stub.page.locator("dialog.clip-grid-notes").inner_text()
    assert stub.page.evaluate("window.harm") is None


def test_a_sheet_without_notes_has_no_line_for_them(page_of):
    stub = page_of(SHEET)

    stub.finish(sheet(["cat"]))

    assert not stub.node().locator(NOTES).is_visible()


def test_results_that_version_0_1_saved_are_shown_by_the_saved_file(page_of):
    stub = page_of(SHEET)
    output = sheet(["cat"])
    old = {"images": [{"filename": "gone.webp", "subfolder": "", "type": "temp"}]}
    old |= {"clip_grid_files": output["clip_grid_files"][0], "clip_grid": output["clip_grid"][0]}

    stub.finish(old)

    assert "filename=ClipGrid_00001_.png" in menu_file(stub)
    stub.trouble.expect("404")


def test_the_sheet_can_be_switched_off(page_of):
    stub = page_of(SHEET)
    stub.setting("ClipGrid.ShowSheetInNode", False)

    stub.finish(sheet(["cat"]))

    assert stub.node().locator(IMAGE).count() == 0
    assert "ClipGrid_00001_.png" in menu_file(stub)
