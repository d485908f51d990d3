"""Tests: what the inputs mean, and which of them ComfyUI is told about."""

from __future__ import annotations

import json
import operator

import pytest
from clip_grid.errors import ForbiddenPath, InputError
from clip_grid.grid.template import GridTemplate
from clip_grid.nodes.grid_nodes import BatchLabeledGridExporterNode, GridTemplateNode, LabeledGridExporterNode
from clip_grid.nodes.sheets.request import choose_template
from clip_grid.nodes.sockets.inputs import AnyType, label_texts, metadata_text
from clip_grid.options import options_of

# fmt: off
SHEET_INPUTS = [
    "labels", "metadata", "csv", "label_columns", "label_format", "rows", "columns", "cell_width", "cell_height", "fit",
    "margin", "font", "font_size", "text_color", "background", "label_position", "title", "row_headers",
    "column_headers", "x_axis", "y_axis", "sort_by", "template", "filename_prefix", "format", "quality", "on_overflow",
    "use_clip", "clip_model", "vocabulary", "score_text", "scores", "badge", "winner", "heatmap", "scores_csv",
]
# fmt: on


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        (["a\nb\nc"], ["a", "b", "c"]),
        (["a\r\nb\n"], ["a", "b"]),
        (["a\n\nc"], ["a", "", "c"]),
        (["one for all"], ["one for all"]),
        ([""], []),
        ([None], []),
        (["a", "b\nc"], ["a", "b\nc"]),
        ([["a", "b"]], ["a", "b"]),
        ([7], ["7"]),
        ([7.0, 0.30000000000000004, 1e-05], ["7", "0.3", "1e-05"]),
        ([18446744073709551615, 1], ["18446744073709551615", "1"]),
        ([True], ["True"]),
    ],
)
def test_labels_are_lines_of_one_text_or_one_per_value(value, labels):
    assert label_texts({"labels": value}) == labels


def test_several_linked_metadata_texts_become_one_list():
    assert metadata_text({"metadata": ['{"seed": 1}', '{"seed": 2}']}) == '[{"seed": 1}, {"seed": 2}]'
    assert metadata_text({"metadata": ["seed\n1"]}) == "seed\n1"
    assert metadata_text({}) == ""


def test_the_any_type_lets_every_output_be_linked():
    anything = AnyType("*")

    assert not any(operator.ne(received, anything) for received in ("INT", "STRING", ["a", "b"]))
    assert json.dumps(anything) == '"*"'


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


def test_an_option_beats_the_template_and_one_at_its_default_does_not(host):
    inputs = {"template": ["dark-theme"], "margin": [3], "background": ["white"]}

    template = choose_template(inputs, host)

    assert (template.margin, template.background) == (3, "30,30,30")


def test_a_template_may_be_linked(host):
    linked = GridTemplateNode().execute(name="mine", gap=7)["result"][0]

    template = choose_template({"template": [linked], "columns": [2]}, host)

    assert (template.name, template.gap, template.columns) == ("mine", 7, 2)


def test_a_saved_template_can_be_chosen_by_its_name(host):
    answer = GridTemplateNode().execute(name="mine", save=True, gap=7)

    assert "mine.json" in answer["ui"]["text"][0]
    assert choose_template({"template": ["mine"]}, host).gap == 7
    assert "mine" in LabeledGridExporterNode.INPUT_TYPES()["optional"]["template"][1]["options"]


def test_a_template_is_not_saved_unasked(host):
    GridTemplateNode().execute(name="mine", gap=7)

    assert not host.templates_folder.exists()


@pytest.mark.parametrize("name", ["../mine", "a/b", "", ".hidden"])
def test_a_template_is_never_saved_outside_its_folder(host, name):
    with pytest.raises(InputError, match="cannot name a template"):
        GridTemplateNode().execute(name=name, save=True)


def test_a_template_that_is_gone_is_answered_with_a_near_name(host):
    with pytest.raises(InputError, match="did you mean 'dark-theme'"):
        choose_template({"template": ["dark-them"]}, host)


@pytest.mark.parametrize("font", ["/etc/passwd", "../font.ttf", "~/font.ttf", "pyproject.toml"])
def test_a_font_file_outside_the_allowed_folders_is_forbidden(host, font, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)

    with pytest.raises((ForbiddenPath, InputError), match="folder"):
        choose_template({"font": [font]}, host)


def test_a_linked_template_cannot_bring_a_forbidden_font(host):
    with pytest.raises(ForbiddenPath):
        choose_template({"template": [{"name": "x", "font": "/etc/passwd"}]}, host)


def test_a_font_in_the_input_folder_is_taken_by_its_path(host):
    (host.folders.input / "my.ttf").write_bytes(b"font")

    assert choose_template({"font": ["my.ttf"]}, host).font.endswith("my.ttf")
    assert choose_template({"font": ["Some Family"]}, host).font == "Some Family"
