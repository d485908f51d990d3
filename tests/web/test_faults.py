"""Deleted files, a server that is down and runs that fail: the page says what happened and what to do."""

from __future__ import annotations

from .outputs import sheet

SHEET = "ClipGrid_LabeledGridExporter"


def test_a_sheet_whose_file_was_deleted_is_explained(page_of, host):
    stub = page_of(SHEET)
    stub.finish(sheet(["cat", "dog"]))
    stub.trouble.expect("404")
    for file in host.folders.output.iterdir():
        file.unlink()

    stub.reload()
    stub.node().get_by_text("Open viewer").click()

    stub.viewer.get_by_text("no longer on the server").first.wait_for()
    assert "queue the workflow again" in stub.viewer.inner_text()


def test_a_sheet_without_its_sidecar_is_shown_without_labels(page_of, host):
    stub = page_of(SHEET)
    stub.finish(sheet(["cat", "dog"]))
    stub.trouble.expect("404")
    for file in host.folders.output.glob("*.json"):
        file.unlink()

    stub.reload()
    stub.node().get_by_text("Open viewer").click()

    stub.viewer.get_by_text("Labels and values are not known").first.wait_for()
    assert stub.viewer.locator("img.clip-grid-page").evaluate("(one) => one.naturalWidth") > 0


def test_a_server_that_is_down_is_reported_and_asked_again(page_of, site):
    stub = page_of(SHEET)
    stub.finish(sheet(["cat", "dog"]))
    stub.reload()
    stub.trouble.expect("503")

    site.is_down = True
    stub.node().get_by_text("Open viewer").click()
    stub.viewer.get_by_text("Labels and values are not known").first.wait_for()
    stub.page.keyboard.press("Escape")
    stub.viewer.wait_for(state="detached")
    site.is_down = False
    stub.node().get_by_text("Open viewer").click()
    stub.viewer.wait_for()
    stub.page.keyboard.press("w")

    stub.viewer.get_by_text("cat", exact=True).first.wait_for()


def test_a_notice_explains_why_a_node_of_ours_failed_and_ignores_other_nodes(page_of):
    stub = page_of(SHEET)
    failure = {"node_id": stub.ids[0], "node_type": SHEET, "exception_message": "<b>x.csv</b> is not there; choose one"}
    fail = "(detail) => stub.api.dispatchCustomEvent('execution_error', detail)"

    stub.page.evaluate(fail, {"exception_type": "clip_grid.errors.InputError", "traceback": [], **failure})
    stub.page.evaluate(fail, {**failure, "node_type": "KSampler", "exception_message": "other"})

    (notice,) = stub.notices()
    assert notice["severity"] == "error"
    assert "<b>x.csv</b> is not there; choose one" in notice["detail"]
