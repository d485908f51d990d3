"""Original pictures in the viewer, their workflows, and what a click copies."""

from __future__ import annotations

import pytest
from clip_grid.nodes.grid_nodes import BatchLabeledGridExporterNode
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .outputs import sheet

BATCH, SHEET = "ClipGrid_BatchLabeledGridExporter", "ClipGrid_LabeledGridExporter"
#: Twice the size that they have on the sheet.
SIDE = 96
NAMES = ["cat", "dog"]
PROMPT = "a cat, sitting"


@pytest.fixture
def stub(page_of, host):
    """The viewer on a sheet of pictures in a folder of ComfyUI."""
    folder = host.folders.output / "renders"
    folder.mkdir(parents=True)
    for place, name in enumerate(NAMES):
        info = PngInfo()
        info.add_text("parameters", f"{PROMPT if name == 'cat' else name}\nSteps: 20, Seed: {42 + place}")
        Image.new("RGB", (SIDE, SIDE), ("red", "blue")[place]).save(folder / f"{name}.png", pnginfo=info)
    options = {"directories": ["output/renders"], "cell_width": [SIDE // 2], "cell_height": [SIDE // 2]}
    output = BatchLabeledGridExporterNode().execute(**options, label_position=["over"])["ui"]
    opened = page_of(BATCH)
    opened.finish(output)
    opened.node().get_by_text("Open viewer").click()
    opened.viewer.wait_for()
    return opened


def sizes(stub, part):
    """The widths of the originals that are shown there, and how many pictures still show the page."""
    stub.page.wait_for_function(
        "(part) => [...document.querySelectorAll(`${part} .clip-grid-crop > img`)].every((one) => one.complete)",
        arg=part,
    )
    script = """(part) => [
        [...document.querySelectorAll(`${part} .clip-grid-whole > img`)].map((one) => one.naturalWidth),
        [...document.querySelectorAll(`${part} .clip-grid-crop`)]
            .filter((one) => getComputedStyle(one).backgroundImage !== "none").length,
    ]"""
    return tuple(stub.page.evaluate(script, part))


def test_cells_details_and_the_comparison_show_the_originals_without_labels(stub):
    stub.page.keyboard.press("ArrowRight")
    stub.page.keyboard.press("w")
    assert sizes(stub, ".clip-grid-panel") == ([SIDE], 0)
    assert sizes(stub, ".clip-grid-cell-list") == ([SIDE, SIDE], 0)

    stub.page.keyboard.press("c")

    assert sizes(stub, ".clip-grid-compare") == ([SIDE, SIDE], 0)
    assert "The labels are part of these pictures" not in stub.viewer.inner_text()


def test_where_the_original_is_gone_the_page_shows_the_picture(stub, host):
    stub.trouble.expect("404")
    (host.folders.output / "renders" / "cat.png").unlink()

    stub.page.keyboard.press("w")

    assert sizes(stub, ".clip-grid-cell-list") == ([SIDE], 1)


def test_pictures_that_were_never_files_are_shown_from_the_saved_page(page_of):
    stub = page_of(SHEET)
    stub.finish(sheet(NAMES))
    stub.node().get_by_text("Open viewer").click()
    stub.page.keyboard.press("w")

    assert sizes(stub, ".clip-grid-cell-list") == ([], 2)
    stub.page.keyboard.press("o")

    assert "not in ComfyUI's folders" in stub.viewer.get_by_role("status").last.inner_text()


@pytest.mark.parametrize(("position", "is_told"), [("over", True), ("below", False)])
def test_the_comparison_says_whether_labels_are_a_part_of_pictures_that_were_never_files(page_of, position, is_told):
    stub = page_of(SHEET)
    stub.finish(sheet(NAMES, label_position=position))
    stub.node().get_by_text("Open viewer").click()
    stub.page.keyboard.press("c")

    assert sizes(stub, ".clip-grid-compare") == ([], 2)
    assert ("The labels are part of these pictures" in stub.viewer.inner_text()) == is_told


def test_the_saved_picture_is_the_original_with_its_data(stub, host):
    stub.page.keyboard.press("ArrowRight")

    with stub.page.expect_download() as saved:
        stub.page.keyboard.press("d")

    assert saved.value.suggested_filename == "cat.png"
    assert saved.value.path().read_bytes() == (host.folders.output / "renders" / "cat.png").read_bytes()


def test_the_workflow_of_a_picture_is_opened_and_the_viewer_closed(stub, host):
    for key in ("ArrowRight", "Enter"):
        stub.page.keyboard.press(key)

    stub.viewer.get_by_role("button", name="Open workflow").click()
    stub.viewer.wait_for(state="detached")

    size = (host.folders.output / "renders" / "cat.png").stat().st_size
    stub.page.wait_for_function("app.handled.length")
    assert stub.page.evaluate("app.handled") == [["cat.png", "image/png", size]]


@pytest.mark.parametrize("is_secure", [True, False])
def test_a_click_copies_the_label_the_seed_and_the_prompt(stub, is_secure):
    for key in ("ArrowRight", "Enter"):
        stub.page.keyboard.press(key)
    stub.page.evaluate(
        """(isSecure) => {
            window.copied = [];
            Object.defineProperty(navigator, "clipboard", {
                value: isSecure ? { writeText: async (text) => void copied.push(text) } : undefined,
            });
            // the older command copies what is selected
            window.addEventListener("copy", () => copied.push(document.activeElement.value), true);
        }""",
        is_secure,
    )

    panel = stub.viewer.locator(".clip-grid-panel")
    label = panel.locator("h3 button")
    for name in (None, "42", PROMPT):
        (label if name is None else panel.get_by_role("button", name=name, exact=True)).click()

    assert stub.page.evaluate("copied") == [label.inner_text(), "42", PROMPT]
    assert PROMPT in stub.viewer.locator(".clip-grid-status").inner_text()
