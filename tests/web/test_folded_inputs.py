"""Inputs that are rarely needed are folded away on the classic canvas, and what was changed in them is counted."""

from __future__ import annotations

import clip_grid

SHEET, TEMPLATE = "ClipGrid_LabeledGridExporter", "ClipGrid_GridTemplate"
FOLD = ".clip-grid-advanced button"
BASIC = ["labels", "columns", "cell_width", "title", "template", "filename_prefix", "format", "use_clip", "clip_model"]


def shown(stub, place=0):
    """The widgets that are seen, and the heights of those that are hidden."""
    script = """(id) => {
        const node = app.rootGraph.getNodeById(id);
        const hidden = node.widgets.filter((one) => !node.isWidgetVisible(one));
        return {
            names: node.widgets.filter((one) => node.isWidgetVisible(one)).map((one) => one.name),
            heights: [...new Set(hidden.map((one) => one.computeSize()[1]))],
            size: node.size[1],
        };
    }"""
    return stub.page.evaluate(script, stub.ids[place])


def test_the_exporter_shows_nine_inputs_at_first_sight_and_then_its_own_parts(page_of):
    stub = page_of(SHEET)

    state = shown(stub)

    assert state["names"] == [*BASIC, "clip_grid_advanced", "layout_preview", "clip_grid_sheet"]
    assert state["heights"] == [-4]
    assert stub.node().locator(FOLD).inner_text() == "▸ 26 more inputs"


def test_the_exporter_of_folders_shows_a_format_instead_of_labels(page_of):
    names = shown(page_of("ClipGrid_BatchLabeledGridExporter"))["names"]

    assert names[0] == "directories" and sorted(names[1:-3]) == sorted(["label_format", *BASIC[1:]])


def test_the_template_node_shows_its_layout_options(page_of):
    assert len(shown(page_of(TEMPLATE))["names"]) == 15


def test_the_fold_opens_and_closes_and_the_node_has_the_height_of_what_it_shows(page_of):
    stub = page_of(SHEET)
    closed = shown(stub)

    stub.node().locator(FOLD).click()
    opened = shown(stub)
    assert stub.node().locator(FOLD).inner_text() == "▾ Fewer inputs"
    stub.node().locator(FOLD).click()

    assert len(opened["names"]) == len(closed["names"]) + 26 and opened["size"] > closed["size"] + 500
    assert shown(stub) == closed


def test_the_fold_is_kept_with_the_workflow(page_of):
    stub = page_of(SHEET)
    stub.node().locator(FOLD).click()

    stub.reload()

    assert len(shown(stub)["names"]) == 38
    assert stub.node().locator(FOLD).inner_text() == "▾ Fewer inputs"


def test_a_folded_input_that_was_changed_is_counted(page_of):
    stub = page_of(SHEET)
    stub.set("margin", 3)
    stub.set("fit", "cover")
    assert stub.node().locator(FOLD).inner_text() == "▸ 26 more inputs, 2 changed"

    stub.reload()

    assert stub.node().locator(FOLD).inner_text() == "▸ 26 more inputs, 2 changed"


def test_a_folded_input_that_is_linked_is_seen(page_of):
    stub = page_of(TEMPLATE, SHEET)
    connect = "([from, to]) => app.rootGraph.getNodeById(from).connect(0, app.rootGraph.getNodeById(to), 'csv')"

    stub.page.evaluate(connect, stub.ids)

    assert "csv" in shown(stub, 1)["names"]
    assert stub.node(1).locator(FOLD).inner_text() == "▸ 25 more inputs"


def test_a_node_of_an_older_workflow_is_made_as_high_as_it_needs_and_keeps_its_values(page_of):
    stub = page_of(SHEET)
    stub.set("margin", 3)
    age = """() => {
        const saved = stub.workflow();
        delete saved.nodes[0].properties.clip_grid_folds;
        saved.nodes[0].size = [400, 1616];
        return app.loadGraphData(saved);
    }"""

    stub.page.evaluate(age)

    assert shown(stub)["size"] < 600
    prompt = stub.page.evaluate("app.graphToPrompt().then((prompt) => prompt.output)")
    assert prompt[stub.ids[0]]["inputs"]["margin"] == 3


def test_the_size_that_the_user_gave_a_node_stays(page_of):
    stub = page_of(SHEET)
    stub.page.evaluate("(id) => app.rootGraph.getNodeById(id).setSize([500, 900])", stub.ids[0])

    stub.reload()

    assert shown(stub)["size"] == 900


def test_no_value_moves_to_another_widget(page_of):
    stub = page_of(*clip_grid.NODE_CLASS_MAPPINGS)

    for node, id in zip(clip_grid.NODE_CLASS_MAPPINGS.values(), stub.ids, strict=True):
        names = stub.page.evaluate("(id) => app.rootGraph.getNodeById(id).widgets.map((one) => one.name)", id)
        declared = node.INPUT_TYPES()
        inputs = [*declared.get("required", {}), *declared.get("optional", {})]
        own = [name for name in names if name not in inputs]
        # front ends save the values of widgets by position
        assert names[: len(names) - len(own)] == [name for name in inputs if name in names]


def test_nodes_2_have_a_button_of_their_own(page_of):
    stub = page_of()
    stub.page.evaluate("() => { window.LiteGraph = { vueNodesMode: true }; }")
    stub.setting("Comfy.Node.AlwaysShowAdvancedWidgets", False)
    stub.ids = [stub.add(SHEET)]
    script = "(id) => app.rootGraph.getNodeById(id).widgets.find((one) => one.name === 'clip_grid_advanced')"

    assert stub.page.evaluate(f"({script})('{stub.ids[0]}').options.hidden")
    stub.page.evaluate("() => { window.LiteGraph.vueNodesMode = false; }")
    assert not stub.page.evaluate(f"({script})('{stub.ids[0]}').options.hidden")
