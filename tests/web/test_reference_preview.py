"""IP-Adapter Reference: after a run the node has room for the squares that the vision encoder sees."""

from __future__ import annotations

REFERENCE = "ClipGrid_IPAdapterReference"
#: The height that the pictures get.
ROOM = 220
SQUARES = {"images": [{"filename": "a.png", "subfolder": "", "type": "temp"}] * 3, "text": ["3 pictures"]}


def height(stub):
    return stub.page.evaluate("(id) => app.rootGraph.getNodeById(id).size[1]", stub.ids[0])


def needed(stub):
    """By the widgets alone."""
    return stub.page.evaluate("(id) => app.rootGraph.getNodeById(id).computeSize()[1]", stub.ids[0])


def resize(stub, to):
    stub.page.evaluate("([id, to]) => app.rootGraph.getNodeById(id).setSize([420, to])", [stub.ids[0], to])


def test_pictures_get_room_below_the_widgets_once(page_of):
    stub = page_of(REFERENCE)
    resize(stub, 100)

    stub.finish(SQUARES)

    assert height(stub) == needed(stub) + ROOM
    stub.finish(SQUARES)
    assert height(stub) == needed(stub) + ROOM


def test_the_room_that_comfyui_has_made_is_not_made_twice(page_of):
    stub = page_of(REFERENCE)
    add = """(id) => app.rootGraph.getNodeById(id).addDOMWidget(
        "$$canvas-image-preview", "preview", document.createElement("div"), { getMinHeight: () => 220 })"""
    stub.page.evaluate(add, stub.ids[0])
    resize(stub, 100)

    stub.finish(SQUARES)

    assert height(stub) == needed(stub)


def test_a_node_that_is_large_enough_stays_as_it_is(page_of):
    stub = page_of(REFERENCE)
    resize(stub, 1500)

    stub.finish(SQUARES)

    assert height(stub) == 1500


def test_without_pictures_and_in_nodes_2_nothing_is_added(page_of):
    stub = page_of(REFERENCE)
    resize(stub, 100)

    stub.finish({"text": ["1 picture"]})
    assert height(stub) == needed(stub)

    stub.page.evaluate("() => { (window.LiteGraph ??= {}).vueNodesMode = true; }")
    stub.finish(SQUARES)
    assert height(stub) == needed(stub)


def test_the_line_of_the_run_stands_in_the_node(page_of):
    stub = page_of(REFERENCE)

    stub.finish(SQUARES)

    assert stub.node().locator(".clip-grid-lines p").all_inner_texts() == ["3 pictures"]
