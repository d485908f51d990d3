"""CLIP Model Loader: what to get where there is no model, and what the model of the last run is."""

from __future__ import annotations

import pytest

from .outputs import hits, labels, matches, ranks

LOADER, MATCH = "ClipGrid_CLIPModelLoader", "ClipGrid_CLIPMatchScore"
PANEL = ".clip-grid-lines"


def test_without_a_model_the_node_says_what_to_get_and_the_toy_is_not_chosen(page_of):
    stub = page_of(LOADER)

    lines = stub.node().locator(f"{PANEL} p").all_inner_texts()

    assert lines[0] == "No model was found in your model folders."
    assert any(line.startswith("Put model.safetensors (1.71 GB) of openai/clip-vit-large-patch14") for line in lines)
    value = "(id) => app.rootGraph.getNodeById(id).widgets.find((one) => one.name === 'model').value"
    assert stub.page.evaluate(value, stub.ids[0]) == "none found"


def test_the_toy_is_called_one_before_it_is_used(page_of):
    stub = page_of(LOADER)

    stub.set("model", "shapes-demo")

    assert stub.node().locator(f"{PANEL} p").first.inner_text().startswith("This is a toy")
    assert stub.node().locator(PANEL).get_attribute("data-alert") == "true"


def test_a_model_is_described_after_a_run_and_not_when_another_one_is_chosen(page_of):
    stub = page_of(LOADER)
    stub.set("model", "mine.safetensors")
    assert stub.node().locator(f"{PANEL} p").count() == 0

    stub.finish({"text": ["clip ViT-L/14, embeddings of 768 dimensions, fp32\nassumed: activation"], "clip_notes": []})

    assert stub.node().locator(f"{PANEL} p").all_inner_texts() == [
        "Clip ViT-L/14, embeddings of 768 dimensions, fp32", "assumed: activation"
    ]  # fmt: skip
    stub.set("model", "another.safetensors")
    assert stub.node().locator(f"{PANEL} p").count() == 0


def test_after_pressing_r_the_new_model_is_chosen(page_of):
    stub = page_of(LOADER)
    refresh = """([id, names]) => {
        const definitions = { ClipGrid_CLIPModelLoader: { input: { required: { model: [names, {}] } } } };
        const node = app.rootGraph.getNodeById(id);
        node.refreshComboInNode(definitions);
        return node.widgets.find((one) => one.name === "model").value;
    }"""

    assert stub.page.evaluate(refresh, [stub.ids[0], ["new.safetensors", "shapes-demo"]]) == "new.safetensors"
    assert stub.node().locator(f"{PANEL} p").count() == 0


def lines(stub, place=0):
    return stub.node(place).locator(f"{PANEL} p").all_inner_texts()


def test_without_an_adapter_its_loader_says_what_to_get(page_of):
    stub = page_of("ClipGrid_IPAdapterLoader")

    first, *others = lines(stub)

    assert first == "No IP-Adapter was found in your model folders."
    assert any("ip-adapter-plus_sd15.safetensors" in line and "models/ipadapter" in line for line in others)
    assert stub.node().locator(PANEL).get_attribute("data-alert") == "true"


def test_a_line_that_comes_while_other_nodes_run_is_added_once_until_the_next_run(page_of):
    stub = page_of("ClipGrid_IPAdapterEmbeds", "ClipGrid_IPAdapterApply")
    send = """([node, text]) => app.api.dispatchCustomEvent("clip_grid.note", { node, text })"""
    stub.finish({"text": ["IP-Adapter Plus: 1 picture\na note"]}, place=1)

    for _ in range(2):
        stub.page.evaluate(send, [stub.ids[1], "a mask is stretched"])
    stub.page.evaluate(send, ["404", "of another workflow"])

    assert lines(stub, 1) == ["IP-Adapter Plus: 1 picture", "A note", "A mask is stretched"]
    assert lines(stub, 0) == []
    stub.finish({"text": ["IP-Adapter Plus: 1 picture"]}, place=1)
    assert lines(stub, 1) == ["IP-Adapter Plus: 1 picture"]


def test_the_note_of_the_toy_stands_before_its_scores_and_stands_out(page_of):
    stub = page_of(MATCH)
    note = "shapes-demo is a toy that knows coloured shapes only: about other pictures it says nothing; get a model"

    stub.finish(matches("a red circle") | {"clip_notes": [note, "another note"]})

    loud = stub.node().locator(".clip-grid-notes-line[data-loud=true]")
    assert loud.inner_text() == f"⚠ {note.split(';')[0]}. Show all notes"
    assert loud.bounding_box()["y"] < stub.node().locator(".clip-grid-score").bounding_box()["y"]
    # it is never cut
    assert loud.evaluate("(one) => one.scrollHeight <= one.clientHeight + 1")
    loud.click()
    assert stub.page.locator("dialog.clip-grid-notes li").all_inner_texts() == [note, "Another note"]


def test_other_notes_of_scores_stand_in_one_line(page_of):
    stub = page_of(MATCH)

    stub.finish(matches("a red circle") | {"clip_notes": ["the text is long " * 20, "another note"]})

    line = stub.node().locator(".clip-grid-notes-line")
    assert line.bounding_box()["height"] < 24 and line.inner_text().endswith("and 1 more")


@pytest.mark.parametrize("width", [220, 300, 600])
def test_what_the_loader_tells_is_not_cut_at_any_width(page_of, width):
    stub = page_of(LOADER)
    stub.page.add_style_tag(content=f".node {{ width: {width}px !important; }}")
    stub.set("model", "shapes-demo")
    stub.settle()

    assert stub.node().locator(PANEL).evaluate("(one) => one.scrollHeight <= one.clientHeight + 1")


@pytest.mark.parametrize("node", ["CLIPMatchScore", "CLIPLabel", "RankImages", "SearchImages"])
def test_digits_are_not_cut_in_a_narrow_node(page_of, node):
    outputs = {
        "CLIPMatchScore": matches("a red circle on a white background"),
        "CLIPLabel": labels("a red circle on a white background"),
        "RankImages": ranks(0.98765, 0.1234),
        "SearchImages": hits(3.2, 1.5),
    }
    stub = page_of(f"ClipGrid_{node}")
    stub.page.add_style_tag(content=".node { width: 220px !important; }")
    stub.finish(outputs[node])
    number = stub.node().locator(".clip-grid-score-number").first

    assert number.evaluate("(one) => one.scrollWidth <= one.clientWidth + 1")
    box, node = number.bounding_box(), stub.node().locator(".clip-grid-scores").bounding_box()
    assert box["x"] >= node["x"] and box["x"] + box["width"] <= node["x"] + node["width"]
