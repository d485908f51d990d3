"""Tests: the inputs that sheet nodes declare to ComfyUI."""

from __future__ import annotations

import json

import pytest
from clip_grid.grid.template import GridTemplate
from clip_grid.nodes.grid_nodes import BatchLabeledGridExporterNode, GridTemplateNode, LabeledGridExporterNode
from clip_grid.options import options_of

# fmt: off
SHEET_INPUTS = [
    "labels", "metadata", "csv", "label_columns", "label_format", "rows", "columns", "cell_width", "cell_height", "fit",
    "margin", "font", "font_size", "text_color", "background", "label_position", "title", "row_headers",
    "column_headers", "x_axis", "y_axis", "sort_by", "template", "filename_prefix", "format", "quality", "on_overflow",
    "use_clip", "clip_model", "vocabulary", "score_text", "scores", "badge", "winner", "heatmap", "scores_csv",
]
# fmt: on


@pytest.mark.parametrize("node", [LabeledGridExporterNode, BatchLabeledGridExporterNode])
def test_the_sheet_nodes_keep_the_order_of_their_widgets(node, host):
    assert list(node.INPUT_TYPES()["optional"]) == SHEET_INPUTS


@pytest.mark.parametrize("node", [LabeledGridExporterNode, BatchLabeledGridExporterNode])
def test_only_the_pictures_or_folders_are_required(node, host):
    assert list(node.INPUT_TYPES()["required"]) == (["images"] if node is LabeledGridExporterNode else ["directories"])


@pytest.mark.parametrize("node", [LabeledGridExporterNode, BatchLabeledGridExporterNode, GridTemplateNode])
def test_every_input_says_what_it_is_for_and_can_be_sent_as_json(node, host):
    declared = node.INPUT_TYPES()

    for inputs in (declared.get("required", {}), declared["optional"]):
        assert all(extra["tooltip"] for _, extra in inputs.values())
    json.dumps(declared, allow_nan=False)


def test_the_template_node_has_every_option_after_its_name_and_switch(host):
    assert list(GridTemplateNode.INPUT_TYPES()["optional"]) == ["name", "save", *options_of(GridTemplate)]


def test_a_templates_folder_that_cannot_be_read_still_leaves_the_built_in_templates(host):
    host.templates_folder = host.folders.input / ("x" * 5000)

    templates = LabeledGridExporterNode.INPUT_TYPES()["optional"]["template"][1]["options"]

    assert templates[0] == "none" and "dark-theme" in templates
