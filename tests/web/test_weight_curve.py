"""IP-Adapter Apply: the curve follows the widgets as the node will read them, and sets place_weights."""

from __future__ import annotations

import pytest
from clip_grid.clip_backend.ip_adapter.weights_per_site import read_place_weights
from clip_grid.errors import InputError

APPLY = "ClipGrid_IPAdapterApply"
PANEL = ".clip-grid-curve"
STYLE = [0.0] * 6 + [1.0] + [0.0] * 4


def weights(stub):
    """Those in the label that screen readers read."""
    label = stub.node().locator(f"{PANEL}-bars").get_attribute("aria-label")
    return [float(number) for number in label.partition(":")[2].split(",") if number.strip()]


def test_the_curve_is_that_of_the_weight_type_times_the_weight(page_of):
    stub = page_of(APPLY)
    assert weights(stub) == [1.0] * 11

    stub.set("weight_type", "style")
    stub.set("weight", 0.5)

    assert weights(stub) == [0.5 * one for one in STYLE]
    heights = stub.node().locator(f"{PANEL}-bar > div").evaluate_all("(bars) => bars.map((one) => one.style.height)")
    assert heights == [f"{50 * one:g}%" for one in STYLE]


def test_place_weights_are_read_as_the_node_reads_them(page_of):
    stub = page_of(APPLY)
    texts = ["", "0.5", "1, 0", "0, 1, 0.5", "3=0, 10=1.5", "1, 0, 2=0.25", "1; 0", "11=1", "1, x", "a=1", "2=", "101"]

    for text in texts:
        stub.set("place_weights", text)

        try:
            wanted = read_place_weights(text, 11)
        except InputError:
            wanted = []
        assert weights(stub) == pytest.approx(wanted, abs=0.005), text
        assert stub.node().locator(f"{PANEL}-caption").get_attribute("data-alert") == str(not wanted).lower()


def test_a_click_gives_the_place_the_weight_at_the_pointer_unless_it_has_none(page_of):
    stub = page_of(APPLY)
    box = stub.node().locator(f"{PANEL}-bars").bounding_box()

    stub.page.mouse.click(box["x"] + box["width"] * 3.5 / 11, box["y"] + box["height"] / 2)

    made = weights(stub)
    assert made[3] == pytest.approx(0.5, abs=0.06)
    assert made[:3] + made[4:] == [1.0] * 10
    stub.set("place_weights", "")
    stub.set("weight_type", "style")
    stub.page.mouse.click(box["x"] + 3, box["y"] + 3)
    assert weights(stub) == STYLE


def test_after_a_run_the_curve_has_the_places_of_the_model(page_of):
    stub = page_of(APPLY)

    stub.finish({"text": ["IP-Adapter"], "clip_places": [1.0] * 16})
    assert weights(stub) == [1.0] * 16
    assert "SD 1.5" in stub.node().locator(f"{PANEL}-caption").inner_text()

    stub.finish({"text": ["IP-Adapter"], "clip_places": [0.25, 0.5, 1.0]})
    assert weights(stub) == [0.25, 0.5, 1.0]
    stub.set("place_weights", "0.5")
    assert weights(stub) == [0.5] * 11


def caption(stub):
    return stub.node().locator(f"{PANEL}-caption").inner_text()


def test_without_an_adapter_the_caption_says_what_it_assumes(page_of):
    stub = page_of(APPLY)
    assert caption(stub) == "SDXL assumed, until an adapter or a run tells"

    stub.finish({"text": ["IP-Adapter"], "clip_places": [1.0] * 11})

    assert caption(stub) == "Weight of each place, SDXL"


def link(stub, family):
    """An adapter for the family, in a loader."""
    script = """([id, family]) => {
        const families = { "mine.safetensors": family };
        const nodeData = { input: { required: { adapter: [["mine.safetensors"], { clip_grid_families: families }] } } };
        const loader = { constructor: { nodeData }, widgets: [{ name: "adapter", value: "mine.safetensors" }] };
        app.rootGraph.getNodeById(id).getInputNode = () => loader;
    }"""
    stub.page.evaluate(script, [stub.ids[0], family])


def test_the_curve_has_the_places_of_the_adapter_that_is_linked(page_of):
    stub = page_of(APPLY)
    link(stub, "sd15")

    stub.set("weight_type", "composition")

    assert weights(stub) == [0.0] * 4 + [0.25, 1.0] + [0.0] * 10
    assert caption(stub) == "Weight of each place, SD 1.5"


def test_an_adapter_whose_curve_is_not_known_shows_none(page_of):
    stub = page_of(APPLY)
    link(stub, "flux")

    stub.set("weight", 0.5)

    assert weights(stub) == []
    assert caption(stub) == "No curve is known for FLUX.1"
    assert stub.node().locator(f"{PANEL}-caption").get_attribute("data-alert") == "false"
