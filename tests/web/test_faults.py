"""Deleted files, a server that is down and runs that fail: the page says what happened and what to do."""

from __future__ import annotations

import pytest

from .outputs import sheet

SHEET = "ClipGrid_LabeledGridExporter"
FAIL = "(detail) => stub.api.dispatchCustomEvent('execution_error', detail)"


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

    stub.page.evaluate(FAIL, {"exception_type": "clip_grid.errors.InputError", "traceback": [], **failure})
    stub.page.evaluate(FAIL, {**failure, "node_type": "KSampler", "exception_message": "other"})

    (notice,) = stub.page.locator(".clip-grid-failure").all()
    assert "<b>x.csv</b> is not there; choose one" in notice.inner_text()
    notice.get_by_role("button").click()
    assert notice.count() == 0 and stub.notices() == []


#: Where ComfyUI has its own report: front end 1.27 in the middle, 1.49 at the right, and notices of both at the right.
OWN_REPORTS = (
    "position: fixed; top: 50%; left: 50%; width: 50vw; height: 60vh; transform: translate(-50%, -50%)",
    "position: fixed; top: 60px; right: 12px; width: 400px; height: 320px",
)


@pytest.mark.parametrize("report", OWN_REPORTS)
def test_the_notice_does_not_cover_the_report_of_comfyui(page_of, report):
    stub = page_of(SHEET)
    stub.page.set_viewport_size({"width": 1600, "height": 900})
    own = "(style) => document.body.append(Object.assign(document.createElement('div'), { id: 'own', style }))"
    stub.page.evaluate(own, report)

    stub.page.evaluate(FAIL, {"node_id": stub.ids[0], "node_type": SHEET, "exception_message": "no such file. " * 99})

    box, own = (stub.page.locator(one).bounding_box() for one in (".clip-grid-failure", "#own"))
    stub.page.set_viewport_size({"width": 1280, "height": 900})
    assert box["x"] + box["width"] <= own["x"] or box["y"] >= own["y"] + own["height"]


def test_a_failure_is_seen_in_the_viewer_that_is_open(page_of):
    stub = page_of(SHEET)
    stub.finish(sheet(["cat"]))
    stub.node().get_by_text("Open viewer").click()

    stub.page.evaluate(FAIL, {"node_id": stub.ids[0], "node_type": SHEET, "exception_message": "the disk is full"})

    stub.viewer.get_by_text("The disk is full").click(trial=True)
