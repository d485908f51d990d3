"""Sheets, cells, sorting and geometry of the viewer, and tables of scores: functions of modules, in the browser."""

from __future__ import annotations

import pytest

from .outputs import OLD_MATCHES, matches

CELL = {"page": 0, "row": 0, "column": 0, "path": "/in/a.png", "label": "a", "source": "text"}
CELL |= {"box": [10, 20, 30, 40], "image_box": [10, 20, 30, 30], "values": {}, "scores": {}}


@pytest.fixture
def ask(window, site):
    """The value of an expression that uses `module`, a module of the viewer, and `values`."""
    # a document of that address, without the rest of the page
    window.goto(f"{site.address}/stub.css")

    def answer(module, expression, *values):
        script = f"""async (values) => {{
            const module = await import("/extensions/ComfyUI-CLIP-Grid/lib/viewer/{module}.mjs");
            return ((module, values) => {expression})(module, values);
        }}"""
        return window.evaluate(script, list(values))

    return answer


def entry(name, type="output"):
    return {"filename": name, "subfolder": "", "type": type}


def report(*pages, cells=()):
    return {"pages": [{"path": f"/out/{name}", "width": 100, "height": 50} for name in pages], "cells": list(cells)}


def cell(**values):
    return CELL | values


def test_a_batch_gives_each_sheet_its_own_pages_files_and_pictures(ask):
    files = [entry(name) for name in ("a_1.png", "a_2.png", "a_1.json", "b_1.png", "b_1.json", "b_1.scores.csv")]
    grids = [report("a_1.png", "a_2.png", cells=[CELL, cell(page=1)]), report("b_1.png")]
    images = [entry("a_1.png"), entry("x.webp", "temp"), entry("b_1.png")]
    output = {"clip_grid": [{"grids": grids}], "clip_grid_files": files, "images": images}

    result = ask("sheets", "module.sheetsOfRun(values[0])", output)

    assert [sheet["name"] for sheet in result] == ["a_1.png", "b_1.png"]
    assert [[page["shown"]["filename"] for page in sheet["pages"]] for sheet in result] == [
        ["a_1.png", "x.webp"],
        ["b_1.png"],
    ]
    assert [[page["file"]["filename"] for page in sheet["pages"]] for sheet in result] == [
        ["a_1.png", "a_2.png"],
        ["b_1.png"],
    ]
    assert [sheet["sidecar"]["filename"] for sheet in result] == ["a_1.json", "b_1.json"]


def test_the_pages_of_one_pdf_share_its_file(ask):
    images = [entry("1.webp", "temp"), entry("2.webp", "temp")]
    one = report("all.pdf", "all.pdf")
    output = {"clip_grid": [one], "clip_grid_files": [entry("all.pdf"), entry("all.json")], "images": images}

    [sheet] = ask("sheets", "module.sheetsOfRun(values[0])", output)

    assert [page["file"]["filename"] for page in sheet["pages"]] == ["all.pdf", "all.pdf"]
    assert [page["shown"]["filename"] for page in sheet["pages"]] == ["1.webp", "2.webp"]


def test_sheets_without_sidecars_still_show_every_page(ask):
    files, images = [entry("a.png"), entry("b.png")], [entry("a.png"), entry("b.png")]
    groups = [{"files": files, "report": None, "problem": "no labels"}]

    [sheet] = ask("sheets", "module.sheetsOf(values[0], values[1])", groups, images)

    assert [page["shown"]["filename"] for page in sheet["pages"]] == ["a.png", "b.png"]
    assert sheet["notes"] == ["no labels"]


@pytest.mark.parametrize("box", [None, [1, 2, 3], [0, 0, 0, 5], ["a", 1, 2, 3], {"x": 1}])
def test_a_cell_without_a_box_is_left_out_and_the_others_keep_their_places(ask, box):
    output = {"clip_grid": [report("a.png", cells=[cell(box=box), cell(label="b")])]}

    [sheet] = ask("sheets", "module.sheetsOfRun(values[0])", output)

    assert [(one["index"], one["label"]) for one in sheet["cells"]] == [(1, "b")]


@pytest.mark.parametrize(
    ("order", "descending", "expected"),
    [
        ("scores.clip", False, ["b", "a", "c"]),
        ("scores.clip", True, ["a", "b", "c"]),
        ("values.cfg", False, ["a", "c", "b"]),
        ("values.sampler", True, ["b", "a", "c"]),
        ("order", True, ["c", "b", "a"]),
    ],
)
def test_cells_are_sorted_and_those_without_the_value_come_last(ask, order, descending, expected):
    cells = [
        cell(label="a", scores={"clip": 0.9}, values={"cfg": "4.5", "sampler": "euler 2"}),
        cell(label="b", scores={"clip": -0.1}, values={"cfg": "12", "sampler": "euler 10"}),
        cell(label="c", scores={"clip": None}, values={"cfg": "7"}),
    ]
    by = "module.ordersOf(values[0], { score: String }).find((one) => one.id === values[1])"

    result = ask("query", f"module.sortCells(values[0], {by}, values[2])", cells, order, descending)

    assert [one["label"] for one in result] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[
            ("", "abc"),
            ("SEED:42", "b"),
            ("4", "bc"),
            ("a.png", "a"),
            ("csv 42", "b"),
            ("http://x", ""),
            ("   ", "abc"),
        ],
        *[("-csv", "ac"), ('"c 4"', "c"), ('-"c 4"', "ab"), ("seed:4", ""), ("seed:7.0", "c"), ("-seed:1", "bc")],
        ("seed:", "abc"),
    ],
)
def test_the_filter_wants_every_word_and_a_named_value_where_it_is_named(ask, text, expected):
    cells = [
        cell(label="a", file="a.png", values={"seed": "1"}),
        cell(label="b", file="b.png", source="csv", values={"seed": "42"}),
        cell(label="c 4", file="c.png", values={"seed": "7"}),
    ]

    result = ask("query", "module.filterCells(values[0], values[1])", cells, text)

    assert "".join(one["label"][0] for one in result) == expected


def test_what_is_under_the_pointer_stays_there_when_it_zooms(ask):
    page, window, point = {"width": 2000, "height": 1000}, {"width": 800, "height": 600}, {"x": 300, "y": 200}
    view = ask("geometry", "module.fitted(values[0], values[1])", page, window)

    closer = ask("geometry", "module.zoomed(...values)", view, point, 3, page, window)

    before, after = (ask("geometry", "module.onPage(...values)", one, point) for one in (view, closer))
    assert closer["scale"] == pytest.approx(3 * view["scale"])
    assert (after["x"], after["y"]) == pytest.approx((before["x"], before["y"]))


def test_a_page_is_never_pushed_out_of_the_window(ask):
    page, window = {"width": 400, "height": 300}, {"width": 800, "height": 600}
    view = {"scale": 1, "x": 0, "y": 0}

    result = ask("geometry", "module.moved(...values)", view, {"x": 9000, "y": -9000}, page, window)

    assert (result["x"], result["y"]) == (752, -252)


def test_a_small_page_is_not_enlarged_to_fit(ask):
    result = ask("geometry", "module.fitted(...values)", {"width": 100, "height": 50}, {"width": 800, "height": 600})

    assert result == {"scale": 1, "x": 350, "y": 275}


def test_boxes_are_scaled_to_a_picture_of_another_size_and_stay_inside(ask):
    page, picture = {"width": 1000, "height": 500}, {"width": 333, "height": 167}

    assert ask("geometry", "module.scaleBox(...values)", [990, 480, 10, 20], page, picture) == [330, 160, 3, 7]
    assert ask("geometry", "module.scaleBox(...values)", [0, 0, 1, 1], page, picture) == [0, 0, 1, 1]


def test_a_crop_shows_its_box_whatever_its_size_is(ask):
    result = ask("geometry", "module.cropStyle(...values)", [300, 0, 100, 50], {"width": 500, "height": 50})

    assert result == {"background-size": "500% 100%", "background-position": "75% 0%"}


def test_of_three_selected_cells_the_last_two_are_compared(ask):
    cells = [cell(label=name) for name in "abc"]
    sheet = {"name": "s", "pages": [{"number": 0}], "cells": cells}
    script = """{
        const state = new module.State([values[0]]);
        for (const cell of state.order) state.toggleSelected(cell);
        return state.pair().map((cell) => cell.label);
    }"""

    assert ask("state", f"(() => {script})()", sheet) == ["b", "c"]


def test_an_output_that_is_too_large_is_cut_and_says_so(ask):
    result = ask(
        "../results",
        "module.cutToFit(values[0], ['rows', 'text'], 60)",
        {"rows": list(range(100)), "text": ["a"], "x": [1]},
    )

    assert result["cut"] == {"rows": 100}
    assert result["output"]["text"] == ["a"] and len(result["output"]["rows"]) in range(1, 30)
    assert "x" not in result["output"]


def test_matches_are_copied_with_every_score_and_the_reason(ask):
    table = ask("../score_table", "module.scoreTable(...values)", matches("a red circle"))
    old = ask("../score_table", "module.scoreTable(...values)", OLD_MATCHES)

    row = dict(zip(table["columns"], table["rows"][0], strict=True))
    assert (row["verdict"], row["z"], row["threshold_scale"]) == ("match", 3.2, "z")
    assert (row["reason"], row["missing"]) == ("its z is 3.2", "a red circle missing")
    assert "noise_floor" not in row
    assert dict(zip(old["columns"], old["rows"][0], strict=True))["missing"] == "a hat"


@pytest.mark.parametrize("length", [60_000, 1_100, 600, 300])
def test_a_shortened_copy_keeps_the_scores_and_why_a_picture_is_undecided(ask, length):
    output = matches("a red circle", "a blue square")
    output["clip_match"][1] |= {"verdict": "undecided", "reason": "the picture is blank"}

    short = ask("../results", "module.shortenScores(...values)", output, length)["clip_match"]

    assert [(one["z"], one["threshold"], one["threshold_scale"]) for one in short] == [(3.2, 2, "z"), (1.7, 2, "z")]
    assert (short[0]["verdict"], short[1]["reason"]) == ("match", "the picture is blank")
    kept = [phrase["status"] for phrase in short[0].get("phrases", [])]
    assert kept == {60_000: ["shown", "unclear", "missing"], 1_100: ["unclear", "missing"]}.get(length, [])
    assert ("reason" in short[0]) == (length != 300)
