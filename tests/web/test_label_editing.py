"""Labels that the user edits on the sheet."""

from __future__ import annotations

import pytest

from .outputs import EVIL, sheet

SHEET = "ClipGrid_LabeledGridExporter"
WIDGET = "app.rootGraph.nodes[0].widgets.find((one) => one.name === 'labels').value"


@pytest.fixture
def sheet_of(page_of):
    """A node whose sheet and labels widget have these labels."""

    def shown(labels):
        stub = page_of(SHEET)
        stub.set("labels", "\n".join(labels))
        stub.finish(sheet(labels))
        return stub

    return shown


@pytest.mark.parametrize("text", ["dog", EVIL, "Ä 🐕 'x'"])
def test_an_edited_label_is_queued(sheet_of, site, text):
    stub = sheet_of(["cat", "ant"])
    stub.node().get_by_text("Open viewer").click()
    stub.page.keyboard.press("ArrowRight")

    stub.page.keyboard.press("e")
    stub.viewer.get_by_role("textbox", name="The label").fill(text)
    stub.page.keyboard.press("Enter")
    stub.settle()
    stub.page.evaluate("app.queuePrompt(0)")

    assert site.queued()[-1][stub.ids[0]]["inputs"]["labels"] == f"{text}\nant"
    assert stub.page.evaluate("window.harm") is None


def test_the_new_sheet_appears_in_the_viewer_after_it_was_queued_there(sheet_of, site):
    stub = sheet_of(["cat", "ant", "bee"])
    stub.node().get_by_text("Open viewer").click()
    stub.page.keyboard.press("w")
    stub.viewer.locator("select").select_option("label")
    stub.viewer.get_by_role("option", name="cat").click()
    stub.page.keyboard.press("e")
    stub.viewer.get_by_role("textbox", name="The label").fill("dog")
    stub.page.keyboard.press("Enter")

    with stub.page.expect_response("**/prompt"):
        stub.viewer.get_by_role("button", name="Queue again").click()
    output = sheet(["dog", "ant", "bee"])
    stub.finish(output)

    stub.viewer.get_by_text("This is the new sheet").wait_for()
    assert stub.viewer.locator(".clip-grid-title").inner_text() == output["images"][0]["filename"]
    assert stub.viewer.locator(".clip-grid-tile-label").all_text_contents() == ["ant", "bee", "dog"]
    assert stub.viewer.locator(".clip-grid-edited").count() == 0
    # the same cell is still pinned, and its picture is that of the new sheet
    assert "dog" in stub.viewer.locator(".clip-grid-panel h3").inner_text()
    assert len(site.queued()) == 1


def test_a_sheet_of_a_run_that_was_not_queued_in_the_viewer_does_not_replace_the_one_that_is_shown(sheet_of):
    stub = sheet_of(["cat", "ant"])
    stub.node().get_by_text("Open viewer").click()
    stub.page.keyboard.press("w")

    stub.finish(sheet(["dog", "bee"]))
    stub.settle()

    assert stub.viewer.locator(".clip-grid-tile-label").all_text_contents() == ["cat", "ant"]


def test_escape_leaves_the_label_as_it_was(sheet_of):
    stub = sheet_of(["cat", "ant"])
    stub.node().get_by_text("Open viewer").click()
    stub.page.keyboard.press("ArrowRight")

    stub.page.keyboard.press("e")
    stub.viewer.get_by_role("textbox", name="The label").fill("dog")
    stub.page.keyboard.press("Escape")

    assert stub.page.evaluate(WIDGET) == "cat\nant"
    assert stub.viewer.is_visible()


def test_an_edit_is_undone(sheet_of):
    stub = sheet_of(["cat", "ant"])
    stub.node().get_by_text("Open viewer").click()
    stub.page.keyboard.press("ArrowRight")
    stub.page.keyboard.press("e")
    stub.viewer.get_by_role("textbox", name="The label").fill("dog")
    stub.page.keyboard.press("Enter")
    stub.settle()
    assert stub.page.evaluate(WIDGET) == "dog\nant"

    stub.command("UndoLabelEdit")

    assert stub.page.evaluate(WIDGET) == "cat\nant"


def test_all_labels_are_edited_in_a_list(sheet_of):
    stub = sheet_of(["cat", "ant"])
    stub.command("EditLabels")
    fields = stub.page.locator("dialog.clip-grid-labels textarea")
    assert fields.evaluate_all("(all) => all.map((one) => one.value)") == ["cat", "ant"]

    fields.nth(1).fill("bee")
    stub.page.get_by_role("button", name="Save", exact=True).click()

    assert stub.page.evaluate(WIDGET) == "cat\nbee"


def test_linked_labels_are_not_edited_and_a_notice_explains_why(sheet_of):
    stub = sheet_of(["cat", "ant"])
    source = stub.add("ClipGrid_CLIPLabel")
    connect = "([from, to]) => app.rootGraph.getNodeById(from).connect(0, app.rootGraph.getNodeById(to), 'labels')"
    stub.page.evaluate(connect, [source, stub.ids[0]])

    stub.command("EditLabels")

    stub.page.wait_for_function("() => app.extensionManager.notices.length > 0")
    assert "linked" in stub.notices()[0]["summary"]
