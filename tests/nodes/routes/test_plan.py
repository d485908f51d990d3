"""Tests: the layout in the preview is that of the sheet, and wrong requests are refused with the reason."""

from __future__ import annotations

import json

import pytest
from clip_grid.api.sheets import SheetInputs, to_plan_inputs
from clip_grid.grid.pictures.survey import pictures_from_arrays
from clip_grid.grid.planner import plan_sheet
from clip_grid.grid.template import GridTemplate
from clip_grid.nodes.routes.handler import plan_answer
from clip_grid.nodes.routes.plan import MAX_COUNT
from clip_grid.nodes.sheets.request import save_template
from PIL import Image

JSON = {"Content-Type": "application/json"}
pytestmark = pytest.mark.usefixtures("host")


def ask(**fields):
    return plan_answer(json.dumps(fields).encode(), JSON)


def error_of(body):
    status, answer = plan_answer(body if isinstance(body, bytes) else json.dumps(body).encode(), JSON)
    assert list(answer) == ["error"]
    return status, answer["error"]


def test_the_boxes_are_those_of_the_sheet_that_the_node_makes():
    options = {"columns": 3, "cell_width": 100, "cell_height": 60, "title": "Seeds", "label_position": "below"}
    survey = pictures_from_arrays([Image.new("RGB", (200, 120))] * 5)
    template = GridTemplate(sort_by="given", **options)
    labels = ["a", "b", "c", "d", "e"]
    made = plan_sheet(survey, template, to_plan_inputs(SheetInputs(labels=labels), survey, template)).plan.pages[0]

    status, answer = ask(options=options, count=5, width=200, height=120, labels="\n".join(labels))

    page = answer["pages"][0]
    assert (status, page["width"], page["height"]) == (200, made.width, made.height)
    assert (page["rows"], page["columns"], answer["page_count"]) == (2, 3, 1)
    assert [cell["image_box"] for cell in page["cells"]] == [list(cell.image) for cell in made.cells]
    assert [cell["label_box"] for cell in page["cells"]] == [list(cell.label) for cell in made.cells]
    assert [cell["label"] for cell in page["cells"]] == labels
    assert [(text["kind"], text["text"]) for text in page["texts"]] == [("title", "Seeds")]


def test_a_built_in_and_a_saved_template_are_found_by_name(host):
    save_template(GridTemplate(name="mine", background="#102030"), host)

    assert ask(template="mine")[1]["colors"]["page"] == "#102030ff"
    assert ask(template="mine", options={"background": "red"})[1]["colors"]["page"] == "#ff0000ff"
    assert ask(template="dark-theme")[0] == 200
    assert ask(template="none")[0] == 200
    # as the Grid Template node hands it on
    assert ask(template={"name": "linked", "background": "blue"})[1]["colors"]["page"] == "#0000ffff"


def test_named_axes_show_example_headers():
    page = ask(options={"x_axis": "cfg", "y_axis": "sampler"}, count=6)[1]["pages"][0]

    texts = [(text["kind"], text["text"]) for text in page["texts"]]
    assert ("column_axis", "cfg") in texts and ("column", "1") in texts
    assert ("row_axis", "sampler") in texts and ("row", "1") in texts


@pytest.mark.parametrize(
    "options",
    [
        {"sort_by": "seed"},
        {"sort_by": "csv"},
        {"badge": "score", "heatmap": "on", "winner": "highest"},
        {"label_columns": "seed, sampler"},
        {"label_format": "{seed} · {sampler}"},
        {"resample": "torch", "frame": 3},
        {"page_axis": "model"},
        {"legend": "on"},
    ],
)
def test_options_that_need_pictures_still_show_a_layout(options):
    assert ask(options=options, count=3)[0] == 200


@pytest.mark.parametrize("name", ["../mine", "/etc/passwd", "..\\mine", "mine.json", "a\0b", "x" * 5000])
def test_a_template_is_named_and_never_a_path(name, host):
    save_template(GridTemplate(name="mine"), host)
    (host.templates_folder.parent / "mine.json").write_text(GridTemplate().to_json())

    status, error = error_of({"template": name})

    assert (status, error.startswith("there is no template")) == (200, True)


@pytest.mark.parametrize("font", ["/etc/passwd", "../../secret.ttf", "~/x.ttf", "C:\\x.ttf"])
def test_a_font_outside_the_allowed_folders_is_refused(font):
    error = error_of({"options": {"font": font}})[1]

    assert "outside the folders" in error or "there is no file or folder" in error


def test_a_template_or_font_that_is_gone_is_named():
    assert "there is no template 'xy-plod'; did you mean 'xy-plot'?" in error_of({"template": "xy-plod"})[1]
    assert "the font 'Gone Sans' was not found" in error_of({"options": {"font": "Gone Sans"}})[1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"count": NaN}',
        b'{"options": {"rows": Infinity}}',
        b'{"count": 1e999}',
        b'{"count": ' + b"9" * 6000 + b"}",
        b"[" * 60_000,
        b'{"options":' * 5000 + b"1" + b"}" * 5000,
        b'{"count": 0}',
        b'{"count": -1}',
        b'{"count": true}',
        b'{"count": "12"}',
        b'{"count": 2.5}',
        b'{"width": 0}',
        b'{"height": 100000}',
        b'{"path": "x"}',
        b'{"template": 3}',
        b'{"template": ["a"]}',
        b'{"options": []}',
        b'{"options": {"rows": [1]}}',
        b'{"options": {"rows": null}}',
        b'{"template": {"background": {"a": 1}}}',
        b'{"labels": ["a"]}',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_a_wrong_request_is_answered_with_the_reason(body):
    assert error_of(body)[0] == 400


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ('{"path": "x"}', "there is no option 'path'"),
        ('{"rows": 20000}', "rows is 20000; it must be in the range"),
        ('{"rows": 1e999}', "rows is"),
        ('{"rows": "many"}', "rows is"),
        ('{"fit": "explode"}', "fit is 'explode'; it must be one of"),
        ('{"background": "url(x)"}', "background is 'url(x)'"),
    ],
)
def test_an_option_that_cannot_be_used_is_answered_as_the_node_would(options, error):
    status, answer = error_of(f'{{"options": {options}}}'.encode())

    assert (status, answer.startswith(error)) == (200, True)


def test_counts_texts_and_pages_are_bounded():
    assert "count is 2001" in error_of({"count": MAX_COUNT + 1})[1]
    assert "title is longer" in error_of({"options": {"title": "x" * 3000}})[1]
    assert "row_headers has more" in error_of({"options": {"row_headers": ";" * 3000}})[1]

    status, answer = ask(count=MAX_COUNT, options={"rows": 1, "columns": 1, "title": "x " * 900})

    assert (status, answer["page_count"], len(answer["pages"])) == (200, MAX_COUNT, 8)
    assert len(json.dumps(answer)) < 64_000


def test_text_with_lone_surrogates_is_answered_as_json():
    status, answer = ask(options={"title": "\ud800 <b>"}, labels='"\ud83d"')

    assert (status, json.loads(json.dumps(answer))) == (200, answer)
