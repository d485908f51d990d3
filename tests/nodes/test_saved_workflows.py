"""Tests: a workflow saved by an earlier version, with fewer widgets, keeps its meaning.

Front ends keep the values of a node's widgets as a list and give them back by position, and so does this file.
"""

from __future__ import annotations

import clip_grid
import pytest

#: Types that are shown as a widget; an input of another type is a socket unless it names a widgetType.
WIDGETS = {"STRING", "INT", "FLOAT", "BOOLEAN", "COMBO"}

#: The exporter's widgets before CLIP could label, and values that none of them has by default.
FIRST_SHEET = {
    "labels": "a\nb", "metadata": "", "csv": "", "label_columns": "", "label_format": "", "rows": 1, "columns": 2,
    "cell_width": 96, "cell_height": 64, "fit": "cover", "margin": 7, "font": "", "font_size": 14,
    "text_color": "yellow", "background": "#102030", "label_position": "below", "title": "Old", "row_headers": "",
    "column_headers": "left;right", "x_axis": "none", "y_axis": "none", "sort_by": "given", "template": "none",
    "filename_prefix": "old/sheet", "format": "webp", "quality": 80, "on_overflow": "stop",
}  # fmt: skip
#: And those of the template node at the same time.
FIRST_TEMPLATE = {
    "name": "old", "save": False, "rows": 3, "columns": 4, "cell_width": 100, "cell_height": 50, "fit": "pad",
    "margin": 3, "font": "", "font_size": 11, "text_color": "red", "background": "black", "label_position": "above",
    "title": "T", "row_headers": "r", "column_headers": "c", "x_axis": "cfg", "y_axis": "steps", "sort_by": "time",
    "label_columns": "seed", "label_format": "", "format": "jpeg", "quality": 70, "on_overflow": "scale",
    "page_axis": "none", "reverse": True, "gap": 2, "enlarge": True, "label_sources": "text, csv", "min_font_size": 6,
    "label_align": "left", "outline_color": "navy", "outline_width": 1, "page_text_color": "white",
    "pad_color": "gray", "border_width": 2, "border_color": "blue", "header": "h", "footer": "f", "legend": "off",
    "badge": "score", "winner": "lowest", "resample": "lanczos", "frame": 4, "sidecar": False,
}  # fmt: skip
#: And those of the match node.
FIRST_MATCH = {
    "text": "a red circle", "threshold": 0.25, "mode": "broadcast", "preset": "threshold", "phrases": False,
    "long_text": "max", "template": "A photo depicts {}", "prompt_syntax": False,
}  # fmt: skip
#: The presets that it had.
FIRST_PRESETS = ("threshold", "lenient", "balanced", "strict", "percentile 90", "percentile 95", "percentile 99")
#: And those of the label node; the last two are gone, and nothing stands in their place.
FIRST_LABEL = {
    "labels": "cat, dog", "vocabulary": "", "templates": "the {}", "top_k": 5, "threshold": 0.3, "margin": 0.02,
    "multiple": True, "none_of_these": False, "noise_floor": False, "prior": "keep",
}  # fmt: skip
GONE = ("noise_floor", "prior")
FIRST = {
    "ClipGrid_LabeledGridExporter": FIRST_SHEET,
    "ClipGrid_BatchLabeledGridExporter": {"directories": "a\nb", **FIRST_SHEET},
    "ClipGrid_GridTemplate": FIRST_TEMPLATE,
    "ClipGrid_CLIPMatchScore": FIRST_MATCH,
    "ClipGrid_CLIPLabel": {name: value for name, value in FIRST_LABEL.items() if name not in GONE},
}
pytestmark = pytest.mark.usefixtures("host")


def widgets_of(node_id):
    """The names and defaults of the node's widgets, in the order in which a front end makes them."""
    types = clip_grid.NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES()
    inputs = {**types.get("required", {}), **types.get("optional", {})}
    shown = {}
    for name, (kind, *given) in inputs.items():
        extra = given[0] if given else {}
        is_combo = isinstance(kind, (list, tuple))
        if not extra.get("forceInput") and (is_combo or kind in WIDGETS or "widgetType" in extra):
            shown[name] = extra.get("default", kind[0] if is_combo else None)
    return shown


def loaded(node_id, widgets_values):
    """The node's values when a workflow with this list is opened; widgets that it lacks keep their default."""
    widgets = widgets_of(node_id)
    return {**widgets, **dict(zip(widgets, widgets_values, strict=False))}


@pytest.mark.parametrize("node_id", FIRST)
def test_values_saved_by_the_first_version_land_in_their_inputs(node_id):
    saved = FIRST[node_id]

    values = loaded(node_id, list(saved.values()))

    assert {name: values[name] for name in saved} == saved
    defaults = widgets_of(node_id)
    assert {name: value for name, value in values.items() if name not in saved} == {
        name: value for name, value in defaults.items() if name not in saved
    }


def test_a_sheet_of_an_old_workflow_is_made_as_it_says(export, batch):
    values = loaded("ClipGrid_LabeledGridExporter", list(FIRST_SHEET.values()))

    report = export(batch(0.2, 0.8), **values)["ui"]["clip_grid"][0][0]

    assert [cell["label"] for cell in report["cells"]] == ["a", "b"]
    assert (report["grid_dimensions"], report["export_format"]) == ("1x2", "webp")


@pytest.mark.parametrize("place", ["below", "above", "none", "over"])
@pytest.mark.parametrize("is_linked", [True, False])
def test_labels_over_pictures_in_an_old_workflow_stay_there_and_a_note_says_if_its_template_has_another_place(
    export, batch, host, place, is_linked
):
    template = clip_grid.NODE_CLASS_MAPPINGS["ClipGrid_GridTemplate"]
    made = template().execute(name=["mine"], label_position=[place], save=[not is_linked])["result"][0]
    # over was the default of both
    saved = list((FIRST_SHEET | {"label_position": "over", "template": "none"}).values())
    old = loaded("ClipGrid_LabeledGridExporter", saved)

    alone = export(batch(0.2, 0.8), **old)["ui"]
    with_template = export(batch(0.2, 0.8), **old | {"template": made if is_linked else "mine"})["ui"]

    assert alone["clip_notes"] == []
    assert [ui["clip_grid"][0][0]["label_position"] for ui in (alone, with_template)] == ["over", "over"]
    assert with_template["clip_notes"] == [] if place == "over" else with_template["clip_notes"] == [
        f"label_position is over in the node, which beats {place} of the template mine; earlier versions took the "
        "template's: choose below in the node for that"
    ]  # fmt: skip


def test_a_template_of_an_old_workflow_keeps_its_options():
    values = loaded("ClipGrid_GridTemplate", list(FIRST_TEMPLATE.values()))
    lists = {name: [value] for name, value in values.items()}

    made = clip_grid.NODE_CLASS_MAPPINGS["ClipGrid_GridTemplate"]().execute(**lists)["result"][0]

    assert {name: made[name] for name in FIRST_TEMPLATE if name != "save"} == {
        name: value for name, value in FIRST_TEMPLATE.items() if name != "save"
    }


def test_a_match_node_of_an_old_workflow_judges_by_its_cosine():
    pytest.importorskip("torch")
    from .demo_images import image, run

    node = clip_grid.NODE_CLASS_MAPPINGS["ClipGrid_CLIPMatchScore"]
    values = loaded("ClipGrid_CLIPMatchScore", list(FIRST_MATCH.values()))

    judged = run(node, image("red circle", "blue star"), **values)["ui"]["clip_match"]

    assert {(one["threshold"], one["threshold_scale"]) for one in judged} == {(0.25, "cosine")}
    assert [one["clip_is_match"] for one in judged] == [one["cosine"] >= 0.25 for one in judged]


def test_a_label_node_of_an_old_workflow_runs_without_the_widgets_that_are_gone():
    pytest.importorskip("torch")
    from .demo_images import image, run

    node = clip_grid.NODE_CLASS_MAPPINGS["ClipGrid_CLIPLabel"]
    saved = FIRST_LABEL | {"labels": "red circle, blue star", "templates": "", "threshold": 0.0, "multiple": False}
    values = loaded("ClipGrid_CLIPLabel", list(saved.values()))

    (entry,) = run(node, image("red circle"), **values)["ui"]["clip_labels"]

    assert set(values) == set(saved) - set(GONE)
    assert entry["label"] == "red circle"


def test_every_preset_of_an_old_workflow_is_still_there():
    inputs = clip_grid.NODE_CLASS_MAPPINGS["ClipGrid_CLIPMatchScore"].INPUT_TYPES()["optional"]

    assert set(FIRST_PRESETS) <= set(inputs["preset"][0])
