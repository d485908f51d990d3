"""The search tab: real routes, real pictures and the bundled model behind it."""

from __future__ import annotations

import json
import os
from itertools import product

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from clip_grid.api.index import index_images
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.commands.shape_drawing import Scene, draw
from clip_grid.nodes.host import set_host
from clip_grid.nodes.host.fake import FakeHost
from clip_grid.nodes.search.service import search_service
from PIL.PngImagePlugin import PngInfo

from ..nodes.demo_images import shape
from ..real_browser import Trouble
from .open_page import OpenPage
from .site import PACK, served

TAB = "clip_grid.image_search"
COLOURS, SHAPES = ("red", "green", "blue", "yellow"), ("circle", "square", "star")
LONG_AGO = 1_600_000_000
#: Of further pictures, so that the list is longer than the screen and than one answer.
KINDS, OTHER_COLOURS = (*SHAPES, "cross", "heart", "ring", "diamond"), ("purple", "black", "white", "orange")


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    """A host with an index, whose pictures and index no test changes."""
    host = FakeHost(tmp_path_factory.mktemp("comfyui"))
    for colour in COLOURS:
        for kind in SHAPES:
            info = PngInfo()
            if colour == "red":
                info.add_text("parameters", f"a {kind} <b>bold</b>\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5")
            save(host, f"{colour} {kind}.png", shape(f"{colour} {kind}"), info)
    save(host, "red star copy.png", shape("red star"), PngInfo())
    for place, (kind, colour, background) in enumerate(product(KINDS, OTHER_COLOURS, (*COLOURS, *OTHER_COLOURS))):
        if colour != background and place % 3:
            scene = Scene(kind="shape", colour=colour, shape=kind, size="small", background=background)
            save(host, f"small {place:03}.png", draw(scene, 48, np.random.default_rng(place)), PngInfo())
    folders = [host.folders.output, host.folders.input]
    index_images(folders, index=host.index_folder, model=shapes_demo_path())
    return host


def save(host, name, image, info):
    path = host.folders.output / "shapes" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, pnginfo=info)
    os.utime(path, (LONG_AGO, LONG_AGO))


@pytest.fixture(scope="module")
def indexed_page(chromium, indexed):
    """One page for all tests with that host."""
    with served(indexed) as site:
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        stub = OpenPage(context.new_page(), site, Trouble())
        stub.page.set_default_timeout(30_000)
        stub.trouble.watch(stub.page)
        stub.open()
        yield stub
        context.close()


NEW_TAB = """async (id) => {
    for (const dialog of document.querySelectorAll("dialog")) dialog.close();
    stub.closeTab(id);
    const { SearchTab } = await import("/extensions/ComfyUI-CLIP-Grid/lib/search/tab.mjs");
    const tab = new SearchTab();
    const registered = app.extensionManager.sidebarTabs.find((one) => one.id === id);
    Object.assign(registered, { render: (container) => tab.render(container), destroy: () => tab.destroy() });
}"""


@pytest.fixture
def tab(indexed_page, indexed, artefacts, request):
    """The page with a new tab that is open; an error on it fails the test."""
    previous = set_host(indexed)
    indexed_page.site.posted.clear()
    open_tab(indexed_page)
    yield indexed_page
    if request.config.getoption("--artefacts"):
        indexed_page.page.screenshot(path=artefacts / f"{request.node.name}.png")
    indexed_page.page.evaluate(NEW_TAB, TAB)
    set_host(previous)
    assert indexed_page.trouble.unexpected == []


@pytest.fixture
def empty(host):
    """The host of a page of its own, without pictures and without an index."""
    yield host
    search_service(host).indexing.stop()
    search_service(host).indexing.join(10)


def open_tab(stub):
    stub.page.evaluate("(id) => stub.openTab(id)", TAB)


def sidebar(stub):
    return stub.page.locator("#sidebar")


def cells(stub):
    return sidebar(stub).locator(".clip-grid-search-cell")


def answered(stub):
    """Waits for the answer to a new query, not for that with further hits of the last one."""

    def is_first(response):
        return response.url.endswith("/clip_grid/search") and response.request.post_data_json["offset"] == 0

    return stub.page.expect_response(is_first)


def search(stub, text):
    """Type a query, and wait for its answer."""
    cells(stub).first.wait_for()
    with answered(stub):
        sidebar(stub).get_by_placeholder("What the picture shows").fill(text)
    stub.settle()


def first_names(stub, count):
    return [cells(stub).nth(place).locator("img").get_attribute("alt") for place in range(count)]


def test_hits_appear_while_a_query_is_typed_and_one_request_is_sent_for_several_keys(tab):
    cells(tab).first.wait_for()
    before = len([path for path, _ in tab.site.posted if path == "/clip_grid/search"])

    with answered(tab):
        sidebar(tab).get_by_placeholder("What the picture shows").press_sequentially("a red star")
    tab.settle()

    asked = [body for path, body in tab.site.posted if path == "/clip_grid/search"][before:]
    asked = [body for body in asked if body["offset"] == 0]
    assert [body["parts"] for body in asked] == [[{"text": "a red star"}]]
    # its copy, which has no data, is folded under it
    assert first_names(tab, 1)[0] in ("red star.png", "red star copy.png")
    assert cells(tab).first.locator(".clip-grid-search-more").inner_text() == "+1"


def test_the_badge_of_duplicates_unfolds_them(tab):
    search(tab, "a red star")
    before = first_names(tab, 2)

    cells(tab).first.locator(".clip-grid-search-more").click()
    tab.settle()

    assert {*first_names(tab, 2)} == {"red star.png", "red star copy.png"} != {*before}


def test_a_line_is_drawn_above_the_first_weak_hit(tab):
    search(tab, "a red star")

    line = sidebar(tab).locator(".clip-grid-search-line")
    weak = sidebar(tab).locator('.clip-grid-search-cell[data-weak="true"]').first

    assert line.inner_text().strip() == "weak hits"
    assert line.bounding_box()["y"] < weak.bounding_box()["y"]
    assert line.bounding_box()["y"] > cells(tab).first.bounding_box()["y"]


def test_only_pictures_near_the_screen_are_elements_and_scrolling_loads_the_others(tab):
    cells(tab).first.wait_for()
    list = sidebar(tab).locator(".clip-grid-search-scroller")
    visible = "(one) => Math.ceil(one.clientHeight / 116 + 1) * 3"

    with tab.page.expect_response(lambda response: (response.request.post_data_json or {}).get("offset") == 120):
        list.evaluate("(one) => { one.scrollTop = one.scrollHeight; }")
    for _ in range(3):
        list.evaluate("(one) => { one.scrollTop = one.scrollHeight; }")
        tab.settle()

    assert cells(tab).count() <= 3 * list.evaluate(visible)
    assert [body["offset"] for path, body in tab.site.posted] == [0, 120]


def test_a_filter_that_cannot_be_read_is_explained_beside_it_and_hits_stay(tab):
    search(tab, "a red star")
    filter = sidebar(tab).get_by_label("Filter by generation data")

    with answered(tab):
        filter.fill("seed=")
    tab.settle()
    problem = sidebar(tab).get_by_role("alert").first.inner_text()
    kept = cells(tab).count()
    with answered(tab):
        filter.fill("seed=5 and cfg>5")
    tab.settle()

    assert "filter" in problem and kept > 3
    assert filter.get_attribute("aria-invalid") == "false"
    assert sorted(first_names(tab, 3)) == ["red circle.png", "red square.png", "red star.png"]
    assert cells(tab).count() == 3


def test_keys_go_from_the_field_through_the_pictures_to_one_in_full_size_and_back(tab):
    search(tab, "a red circle")
    keyboard = tab.page.keyboard

    keyboard.press("ArrowDown")
    keyboard.press("ArrowRight")
    keyboard.press("ArrowLeft")
    keyboard.press("Enter")
    view = tab.page.locator("dialog.clip-grid-search-view")
    view.get_by_text("sampler").wait_for()
    told = view.inner_text()
    keyboard.press("ArrowRight")
    tab.settle()
    second = view.locator("h3").inner_text()
    keyboard.press("Escape")
    view.wait_for(state="detached")
    keyboard.press("/")

    assert "red circle.png" in told and "output/shapes · 64 × 64" in told and "a circle <b>bold</b>" in told
    assert second == first_names(tab, 2)[1]
    assert tab.page.evaluate("document.activeElement.type") == "search"


def test_the_workflow_of_a_picture_is_opened_by_comfyui_and_one_without_cannot_be(tab, indexed):
    search(tab, "a red circle")
    cells(tab).first.click()
    view = tab.page.locator("dialog.clip-grid-search-view")
    view.get_by_text("sampler").wait_for()
    view.get_by_text("Open workflow").click()
    tab.page.wait_for_function("() => app.handled.length > 0")
    size = (indexed.folders.output / "shapes" / "red circle.png").stat().st_size
    search(tab, "a blue circle")
    cells(tab).first.click()
    view.get_by_text("no generation data").wait_for()

    assert tab.page.evaluate("app.handled") == [["red circle.png", "image/png", size]]
    assert view.get_by_text("Open workflow").is_disabled()


def test_more_like_this_becomes_a_part_of_the_query_that_can_be_turned_and_removed(tab):
    search(tab, "a green star")
    cells(tab).first.click()
    with answered(tab):
        tab.page.locator("dialog.clip-grid-search-view").get_by_text("More like this").click()
    chip = sidebar(tab).locator(".clip-grid-search-chip")
    chip.wait_for()
    with answered(tab):
        chip.get_by_text("+").click()
    turned = [body["parts"] for _, body in tab.site.posted if body["offset"] == 0][-1]
    with answered(tab):
        chip.get_by_text("×").click()

    assert [part.get("weight") for part in turned] == [None, -1]
    assert chip.count() == 0


DROP = """([bytes, name]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
    const seen = [];
    document.addEventListener("drop", (event) => seen.push("drop"));
    document.addEventListener("dragover", (event) => seen.push("dragover"));
    const target = document.querySelector(".clip-grid-search");
    for (const type of ["dragover", "drop"]) {
        const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data });
        target.dispatchEvent(event);
        seen.push(event.defaultPrevented);
    }
    return seen;
}"""


def test_a_dropped_picture_is_searched_with_and_not_opened_by_comfyui(tab, indexed):
    cells(tab).first.wait_for()
    data = (indexed.folders.output / "shapes" / "yellow square.png").read_bytes()

    with answered(tab):
        seen = tab.page.evaluate(DROP, [list(data), "mine.png"])
    tab.settle()

    assert seen == [True, True]
    assert "mine.png" in sidebar(tab).locator(".clip-grid-search-chip").inner_text()
    assert first_names(tab, 1)[0].startswith("yellow") or first_names(tab, 1)[0].endswith("square.png")
    # the picture itself is no hit
    assert "yellow square.png" not in first_names(tab, 6)


def test_a_dropped_file_that_is_no_picture_is_explained(tab):
    cells(tab).first.wait_for()

    tab.page.evaluate(DROP, [[1, 2, 3], "notes.png"])

    sidebar(tab).get_by_text("notes.png cannot be used").wait_for()


def test_a_picture_is_dragged_out_as_its_address(tab):
    search(tab, "a red circle")
    script = """(cell) => {
        const data = new DataTransfer();
        cell.dispatchEvent(new DragEvent("dragstart", { bubbles: true, dataTransfer: data }));
        return [data.getData("text/uri-list"), JSON.parse(data.getData("application/x-comfy-asset-info")).filename];
    }"""

    url, name = cells(tab).first.evaluate(script)

    assert url == f"{tab.site.address}/api/view?filename=red+circle.png&subfolder=shapes&type=output"
    assert name == "red circle.png"


DRAG_ONTO = """async ([cell, takesAddresses]) => {
    const taken = [];
    const node = {
        onDragOver: (event) => takesAddresses || event.dataTransfer.types.includes("Files"),
        onDragDrop: ({ dataTransfer }) => taken.push([...dataTransfer.files].map((f) => [f.name, f.type, f.size])),
    };
    app.rootGraph.getNodeOnPos = (x, y) => (x === 700 && y === 300 ? node : null);
    const dragged = new DataTransfer(), seen = [];
    document.addEventListener("drop", (event) => seen.push("ComfyUI"), { once: true });
    cell.dispatchEvent(new DragEvent("dragstart", { bubbles: true, dataTransfer: dragged }));
    const drop = { bubbles: true, cancelable: true, clientX: 700, clientY: 300, dataTransfer: dragged };
    app.canvas.canvas.dispatchEvent(new DragEvent("drop", drop));
    cell.dispatchEvent(new DragEvent("dragend", { bubbles: true }));
    for (let i = 0; i < 200 && !taken.length && !seen.length; i += 1) await new Promise(requestAnimationFrame);
    return [taken, seen];
}"""


@pytest.mark.parametrize("takes_addresses", [False, True])
def test_a_node_that_takes_files_alone_gets_the_file_and_another_one_the_address(tab, indexed, takes_addresses):
    search(tab, "a red circle")
    size = (indexed.folders.output / "shapes" / "red circle.png").stat().st_size

    taken, seen = tab.page.evaluate(DRAG_ONTO, [cells(tab).first.element_handle(), takes_addresses])

    assert taken == ([] if takes_addresses else [[["red circle.png", "image/png", size]]])
    assert seen == (["ComfyUI"] if takes_addresses else [])


def test_selected_pictures_go_on_a_sheet_that_the_viewer_shows(tab):
    search(tab, "a red star")
    cells(tab).nth(0).click(modifiers=["Control"])
    cells(tab).nth(2).click(modifiers=["Shift"])
    selected = sidebar(tab).locator(".clip-grid-search-chosen").inner_text()

    sidebar(tab).get_by_text("Make a sheet").click()
    tab.viewer.wait_for()

    assert "4 selected" in selected or "3 selected" in selected
    assert "pictures" in tab.viewer.inner_text()


def test_query_and_scroll_place_stay_when_the_tab_is_closed_and_opened_again(tab):
    search(tab, "a star")
    list = sidebar(tab).locator(".clip-grid-search-scroller")
    list.evaluate("(one) => { one.scrollTop = 300; }")
    tab.settle()

    tab.page.evaluate("(id) => stub.closeTab(id)", TAB)
    assert cells(tab).count() == 0
    open_tab(tab)
    tab.settle()

    assert sidebar(tab).locator(".clip-grid-search").count() == 1
    assert sidebar(tab).get_by_placeholder("What the picture shows").input_value() == "a star"
    assert list.evaluate("(one) => one.scrollTop") == 300
    assert cells(tab).count() > 3


def test_the_demo_model_is_announced_and_nothing_of_it_is_markup(tab):
    note = sidebar(tab).locator(".clip-grid-search-note")
    note.wait_for()

    assert "knows coloured shapes only" in note.inner_text()


def test_before_the_first_update_the_tab_explains_itself_and_then_indexes(page_of, empty):
    stub = page_of()
    for name in ("red circle", "blue star"):
        shape(name).save(empty.folders.output / f"{name}.png")
    open_tab(stub)
    sidebar(stub).get_by_text("Nothing leaves this computer").wait_for()

    sidebar(stub).get_by_role("button", name="Index pictures").click()

    cells(stub).nth(1).wait_for()
    assert "2 pictures indexed" in sidebar(stub).inner_text()


def test_new_pictures_of_a_workflow_are_indexed_once_there_is_an_index(page_of, empty):
    stub = page_of()
    done = "() => stub.api.dispatchCustomEvent('execution_success', {})"
    saved = "() => stub.api.dispatchCustomEvent('executed', { node: '1', output: { images: [{ type: 'output' }] } })"
    stub.page.evaluate(saved)
    with stub.page.expect_response("**/index/status"):
        stub.page.evaluate(done)
    stub.settle()
    without_index = [path for path, _ in stub.site.posted]
    shape("red circle").save(empty.folders.output / "a.png")
    search_service(empty).indexing.start()
    search_service(empty).indexing.join(30)

    stub.page.evaluate(saved)
    with stub.page.expect_response("**/index/update"):
        stub.page.evaluate(done)

    assert without_index == []
    assert [path for path, _ in stub.site.posted] == ["/clip_grid/index/update"]


def test_an_update_that_waits_for_a_workflow_says_so_and_can_be_stopped(page_of, empty):
    stub = page_of()
    empty.is_busy = True
    open_tab(stub)

    sidebar(stub).get_by_role("button", name="Index pictures").click()
    sidebar(stub).get_by_text("Paused while a workflow runs").wait_for()
    sidebar(stub).get_by_text("Stop", exact=True).click()

    sidebar(stub).get_by_role("button", name="Index pictures").wait_for()


def test_the_tab_is_registered_once_under_our_name_in_the_users_language(page_of):
    stub = page_of(locale="de")

    (tab,) = stub.page.evaluate("app.extensionManager.sidebarTabs.map(({ id, type, title }) => ({ id, type, title }))")

    german = json.loads((PACK / "locales" / "de" / "main.json").read_text("utf-8"))["clip_grid"]
    assert tab == {"id": TAB, "type": "custom", "title": german["search.title"]}
