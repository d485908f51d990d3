"""Tests: the pack in ComfyUI's real front end, in a real browser."""

from __future__ import annotations

from pathlib import Path

import clip_grid
import pytest

from .client import post_json, read_workflow
from .front_end import seen
from .server import ROOT, runs_alone

SHEET, MATCH = "ClipGrid_LabeledGridExporter", "ClipGrid_CLIPMatchScore"
WORKFLOW = read_workflow(Path(__file__).parent / "sheet_workflow.json")
LABEL = WORKFLOW["3"]["inputs"]["labels"]
TEMPLATES = sorted(path.stem for path in (ROOT / "example_workflows").glob("*.json"))


def test_every_node_is_found_by_its_name(front_end):
    front_end.new()
    names = clip_grid.NODE_DISPLAY_NAME_MAPPINGS

    for node_id, name in names.items():
        front_end.new()
        added = front_end.search(name)
        front_end.centre(added["id"])
        front_end.shot(node_id)

        assert added["type"] == node_id, added["offered"]


@pytest.mark.parametrize(
    ("words", "node_id"),
    [
        ("tag", "ClipGrid_CLIPLabel"), ("caption", "ClipGrid_CLIPLabel"), ("similarity", MATCH), ("grid", SHEET),
        ("save grid", SHEET), ("contact sheet", SHEET),
    ],
)  # fmt: skip
def test_nodes_are_found_by_common_words(front_end, words, node_id):
    front_end.new()

    offered = front_end.search(words)["offered"]
    front_end.shot(words)

    assert any(clip_grid.NODE_DISPLAY_NAME_MAPPINGS[node_id] in one for one in offered), offered


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_loads_without_missing_nodes_and_runs_if_it_needs_no_own_files(front_end, name):
    front_end.choose_template(name)
    front_end.fit()
    front_end.shot("loaded")
    known = [front_end.node(id) for id in front_end.ids()]
    assert known and all(node["known"] for node in known)
    if not runs_alone(ROOT / "example_workflows" / f"{name}.json"):
        return

    history = front_end.run()
    front_end.fit()
    front_end.shot("ran")

    assert history["outputs"]


def test_every_node_has_a_help_page(front_end):
    for node_id, name in clip_grid.NODE_DISPLAY_NAME_MAPPINGS.items():
        front_end.new()

        text = front_end.help_of(front_end.add(node_id))
        front_end.shot(node_id)

        assert name.split(" (")[0] in text
        assert len(text) > 400


def test_results_are_shown_in_the_nodes(ran):
    ran.fit()
    ran.shot("workflow")
    ran.show_end(ran.first_of(SHEET))
    ran.shot("sheet node")
    ran.show_end(ran.first_of(MATCH))
    ran.shot("match node")

    assert ran.page.locator(".clip-grid-node img").evaluate("(one) => one.decode().then(() => one.naturalWidth)") > 0
    assert "cosine" in ran.page.locator(".clip-grid-score").inner_text()


def test_results_are_shown_in_nodes_2_too(comfy, page_of):
    front_end = page_of(comfy, is_vue=True)
    if front_end.version < (1, 41):
        pytest.skip("Nodes 2.0 of this front end are an experiment: they do not follow nodes that are moved by code")
    front_end.load(WORKFLOW)
    front_end.run()

    front_end.fit()
    front_end.shot("workflow")
    front_end.show_end(front_end.first_of(MATCH))
    front_end.shot("match node")
    assert "cosine" in front_end.page.locator(".clip-grid-score").inner_text()
    open_viewer(front_end)
    front_end.shot("viewer")


def test_the_viewer_opens_and_shows_every_view(ran):
    viewer = open_viewer(ran)

    for key, name in (("ArrowRight", "sheet"), ("w", "wall"), ("c", "compare"), ("?", "help")):
        ran.page.keyboard.press(key)
        ran.pause(500)
        ran.shot(f"viewer {name}")
    ran.page.keyboard.press("Escape")
    ran.page.keyboard.press("w")
    ran.page.keyboard.press("ArrowRight")

    assert LABEL in viewer.locator(".clip-grid-panel").inner_text()


def test_a_corrected_label_is_on_the_next_sheet(ran):
    viewer = open_viewer(ran)
    ran.page.keyboard.press("ArrowRight")
    ran.page.keyboard.press("e")
    viewer.get_by_role("textbox", name="The label").fill("corrected <i>&amp; 🐈")
    ran.shot("editing")
    ran.page.keyboard.press("Enter")
    ran.pause(500)
    ran.shot("edited")
    for _ in range(3):
        if viewer.count():
            ran.page.keyboard.press("Escape")
            ran.pause(300)

    history = ran.run()

    ((report,),) = history["outputs"][ran.first_of(SHEET)]["clip_grid"]
    assert [cell["label"] for cell in report["cells"]] == ["corrected <i>&amp; 🐈"]


@pytest.mark.parametrize("is_vue", [False, True], ids=["classic", "nodes 2"])
def test_a_sheet_is_seen_without_scrolling_and_is_the_saved_file(comfy, page_of, is_vue):
    front_end = page_of(comfy, is_vue=is_vue)
    if is_vue and front_end.version < (1, 41):
        pytest.skip("Nodes 2.0 of this front end are an experiment: they do not follow nodes that are moved by code")
    front_end.page.set_viewport_size({"width": 1600, "height": 900})
    front_end.load(WORKFLOW)
    history = front_end.run()
    front_end.show_top(front_end.first_of(SHEET))
    front_end.shot("after the run")

    image = front_end.page.locator(".clip-grid-node-sheet img")
    box = image.bounding_box()
    assert image.evaluate("(one) => one.naturalWidth") > 0
    assert box["width"] > 300 and box["y"] + box["height"] <= 900
    (saved,) = history["outputs"][front_end.first_of(SHEET)]["images"]
    assert saved["type"] == "output" and saved["filename"] in front_end.menu_image(front_end.first_of(SHEET))

    front_end.pause(1500)
    front_end.reload()
    front_end.show_top(front_end.first_of(SHEET))
    front_end.shot("after a reload")
    assert image.evaluate("(one) => one.decode().then(() => one.naturalWidth)") > 0
    assert saved["filename"] in front_end.menu_image(front_end.first_of(SHEET))


def test_rare_inputs_are_folded_on_the_classic_canvas(front_end):
    front_end.new()
    node = front_end.add(SHEET)
    front_end.centre(node)
    low = front_end.node(node)["size"][1]
    front_end.shot("folded")

    front_end.page.locator(".clip-grid-advanced button").click()
    front_end.pause(800)
    front_end.centre(node)
    front_end.shot("unfolded")
    high = front_end.node(node)["size"][1]
    front_end.show_end(node)
    front_end.page.locator(".clip-grid-advanced button").click()
    front_end.pause(800)

    assert low < 520 and high > low + 400
    assert front_end.node(node)["size"][1] == low


@pytest.mark.parametrize("away", ["switch_tab", "reload"])
def test_results_are_still_there_after(ran, away):
    # ComfyUI saves a draft of the workflow a moment after a change
    ran.pause(1500)
    getattr(ran, away)()
    ran.show_end(ran.first_of(MATCH))
    ran.shot("match node")
    ran.show_end(ran.first_of(SHEET))
    ran.shot("sheet node")

    assert "cosine" in ran.page.locator(".clip-grid-score").inner_text()
    open_viewer(ran)
    ran.page.keyboard.press("w")
    assert ran.page.locator(".clip-grid-tile-label").all_text_contents() == [LABEL]


def test_the_browser_parts_are_in_the_language_of_the_settings(comfy, page_of):
    post_json(f"{comfy.address}/settings", {"Comfy.Locale": "fr"})
    try:
        front_end = page_of(comfy)
        front_end.load(WORKFLOW)
        front_end.fit()
        front_end.shot("workflow")

        assert seen(front_end.page.get_by_text("Ouvrir la visionneuse"), 10_000)
        assert seen(front_end.page.get_by_text("Exécutez le workflow : les scores apparaissent ici."), 10_000)
    finally:
        post_json(f"{comfy.address}/settings", {"Comfy.Locale": "en"})


def test_the_layout_is_drawn_before_a_run(front_end):
    front_end.load(WORKFLOW)
    front_end.show_end(front_end.first_of(SHEET))

    front_end.page.locator(".clip-grid-plan-fold").first.click()
    front_end.page.locator(".clip-grid-plan-sheet svg").wait_for()

    front_end.shot("layout")


def test_our_settings_are_in_the_settings_dialog(front_end):
    front_end.command("Comfy.ShowSettingsDialog")
    dialog = front_end.page.locator("[role=dialog]").last

    front_end.click_middle(dialog.get_by_text("CLIP Grid", exact=True).first)
    front_end.pause(800)
    front_end.shot("settings")

    assert seen(dialog.get_by_text("Keep the results of nodes with the workflow"), 3000)


def test_the_error_of_a_node_is_shown_with_the_cure(front_end):
    front_end.load(WORKFLOW | {"4": {"class_type": MATCH, "inputs": WORKFLOW["4"]["inputs"] | {"text": " "}}})

    front_end.queue()

    assert seen(front_end.page.get_by_text("the text is empty; say what the picture shows").first, 20_000)
    front_end.shot("failure")


def test_the_page_works_on_after_a_restart_of_the_server(started, page_of):
    with started() as server:
        front_end = page_of(server)
        front_end.load(WORKFLOW)
        front_end.run()
        front_end.trouble.expect("no answer", "ERR_CONNECTION_REFUSED", "WebSocket")

        server.stop()
        front_end.pause(1500)
        open_viewer(front_end)
        front_end.shot("while it is away")
        front_end.page.keyboard.press("Escape")
        server.start()
        front_end.pause(5000)
        front_end.dismiss()
        history = front_end.run()
        front_end.shot("after it is back")

        assert history["status"]["status_str"] == "success"


@pytest.fixture
def ran(front_end):
    """The page after a run that made a sheet and a score."""
    front_end.load(WORKFLOW)
    front_end.run()
    return front_end


def open_viewer(front_end):
    front_end.show_end(front_end.first_of(SHEET))
    front_end.page.locator(".clip-grid-node").get_by_text("Open viewer").click()
    viewer = front_end.page.locator("dialog.clip-grid-viewer")
    viewer.wait_for()
    return viewer
