"""Tests: lists that other nodes give are read as headers, values of axes, labels and texts, and numbers with them."""

from __future__ import annotations

import json
import re

import pytest
from clip_grid.nodes.grid_nodes import BatchLabeledGridExporterNode, GridTemplateNode, LabeledGridExporterNode

NUMBERS = "STRING,INT,FLOAT"


def report_of(answer):
    return json.loads(answer["result"][2])


def places(report):
    """Row, column and values of each cell, in the order in which the pictures were given."""
    cells = sorted(report["cells"], key=lambda cell: cell["index"])
    return [(cell["row"], cell["column"]) for cell in cells]


def test_headers_are_linked_as_lists_of_texts_and_numbers(export, batch):
    report = report_of(export(batch(*[0.5] * 6), row_headers=["euler", "dpm;2m"], column_headers=[4, 7.5, 10]))

    assert report["grid_dimensions"] == "2x3" and report["warnings"] == []


def test_headers_of_another_number_say_so(export, batch):
    report = report_of(export(batch(*[0.5] * 6), columns=3, column_headers=["a", "b"]))

    assert report["warnings"] == ["2 column headers were given for 3 columns"]


def test_a_value_for_each_picture_makes_the_axes_whatever_their_order(export, batch):
    steps, cfg = [10, 30, 20, 10, 30, 20], [4.0, 4.0, 4.0, 7.0, 7.0, 7.0]

    report = report_of(export(batch(*[0.5] * 6), x_axis=steps, y_axis=cfg, sort_by="given"))

    assert report["axes"]["x"] == {"name": "x", "values": ["10", "20", "30"]}
    assert report["axes"]["y"] == {"name": "y", "values": ["4", "7"]}
    assert places(report) == [(0, 0), (0, 2), (0, 1), (1, 0), (1, 2), (1, 1)]
    assert report["warnings"] == []


def test_headers_of_linked_lists_name_no_axis_since_it_has_no_name(export, batch, host):
    linked = {"x_axis": [4, 7], "y_axis": ["euler", "heun"], "page_axis": ["first", "second"], "sort_by": "given"}
    export(batch(*[0.5] * 8), **linked, format="html", filename_prefix="linked")
    columns = json.dumps({"cfg": [4, 7], "sampler": ["a", "a"]})
    export(batch(0.1, 0.2), metadata=columns, x_axis="cfg", format="html", filename_prefix="typed")

    linked, typed = ((host.folders.output / f"{name}_00001_.html").read_text("utf-8") for name in ("linked", "typed"))
    header = r'<(?:th|h2 class="wide") [^>]*>(?:<small class="axis"[^>]*>([^<]*)</small>)?(?:<span>)?([^<]*)'
    headers = re.findall(header, linked)
    assert [texts for texts in dict.fromkeys(headers) if any(texts)] == [
        ("", "first"), ("", "4"), ("", "7"), ("", "euler"), ("", "heun"), ("", "second")
    ]  # fmt: skip
    assert '<small class="axis" dir="auto">cfg</small>' in typed


def test_the_values_of_the_axes_alone_go_over_the_pictures_row_by_row(export, batch):
    report = report_of(export(batch(*[0.5] * 6), x_axis=["a", "b", "c"], y_axis=[1, 2], sort_by="given"))

    assert places(report) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert [(cell["values"]["x"], cell["values"]["y"]) for cell in report["cells"]][3] == ("a", "2")


def test_values_that_do_not_fit_say_so_and_go_as_far_as_they_can(export, batch):
    report = report_of(export(batch(*[0.5] * 6), x_axis=["a", "b", "c", "d"], sort_by="given"))

    assert report["warnings"][0] == (
        "4 values are linked to x_axis for 6 pictures; the other pictures have none: link one for each picture"
    )
    assert [cell["values"].get("x") for cell in sorted(report["cells"], key=lambda cell: cell["index"])] == [
        "a", "b", "c", "d", None, None
    ]  # fmt: skip


def test_one_linked_value_is_the_column_of_the_axis_as_if_typed(export, batch):
    metadata = json.dumps({"cfg": [4, 7], "seed": [1, 1]})

    assert report_of(export(batch(0.1, 0.2), metadata=metadata, x_axis=["cfg"]))["axes"]["x"]["name"] == "cfg"


def test_linked_labels_and_metadata_of_another_length_say_so(export, batch):
    report = report_of(export(batch(0.1, 0.2, 0.3), labels=["a", "b"], metadata=['{"seed": 1}', '{"seed": 2}']))

    assert any("2 labels were given for 3 pictures" in warning for warning in report["warnings"])
    assert "2 rows were given for 3 pictures; the other pictures have no values" in report["warnings"]


def test_a_list_of_equal_titles_is_one_title_and_of_different_ones_lines(export, batch):
    one = export(batch(0.1), title=["Same", "Same"])["result"][0][0]
    typed = export(batch(0.1), title="Same")["result"][0][0]
    two = export(batch(0.1), title=["First", 2])["result"][0][0]

    assert one.shape == typed.shape and two.shape[1] > one.shape[1]


def test_of_different_values_for_one_setting_the_first_is_used_and_that_is_told(export, batch):
    answer = export(batch(0.1), background=["black", "white"], columns=[2, 3, 3])

    assert report_of(answer)["warnings"] == [
        "2 different values are linked to background; the first is used: black",
        "2 different values are linked to columns; the first is used: 2",
    ]
    assert answer["ui"]["clip_notes"] == [
        "2 different values are linked to background; the first is used: black",
        "2 different values are linked to columns; the first is used: 2",
    ]


def test_the_template_node_takes_lists_of_headers_too(host):
    made = GridTemplateNode().execute(name=["t"], row_headers=["a", "b"], columns=[3])["result"][0]

    assert (made["row_headers"], made["columns"]) == ("a\nb", 3)


@pytest.mark.parametrize("node", [LabeledGridExporterNode, BatchLabeledGridExporterNode, GridTemplateNode])
def test_every_text_takes_a_linked_number(node, host):
    optional = node.INPUT_TYPES()["optional"]

    texts = {name for name, (kind, extra) in optional.items() if kind == "STRING"} - {"name"}
    assert texts == set()
    assert optional["row_headers"][0] == NUMBERS and optional["row_headers"][1]["widgetType"] == "STRING"
