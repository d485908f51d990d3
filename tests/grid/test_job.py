"""The whole way of a sheet: nothing lost, labels from the right source, axes found, the same answer every time."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from clip_grid.errors import ClipGridError, InputError, OutputError
from clip_grid.grid.arrange.badges import format_score
from clip_grid.grid.labels.sources import ClipLabel
from clip_grid.grid.pictures.survey import Survey, pictures_from_arrays
from clip_grid.grid.table.table import parse_table
from hypothesis import given, settings
from hypothesis import strategies as st

from .samples import colour, export, flat, flats, generated, noise, painted, pixels_of, plan, save, survey, truncated

SAMPLERS = ("ddim", "dpmpp_2m", "euler", "uni_pc")
CFGS = (3, 5, 7, 9, 12)


def cells_with(colour_: tuple[int, int, int], report, pages) -> int:
    """The number of cells of which all pixels have a colour."""
    found = 0
    for cell in report.cells:
        x, y, width, height = cell.image_box
        found += bool((pages[cell.page][y : y + height, x : x + width] == colour_).all())
    return found


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 120), rows=st.integers(0, 12), columns=st.integers(0, 12))
def test_every_picture_is_in_exactly_one_cell_of_the_written_pages(tmp_path_factory, count, rows, columns):
    path = tmp_path_factory.mktemp("r1") / "sheet.png"
    options = {"cell_width": 4, "cell_height": 4, "margin": 1, "label_position": "none", "sidecar": False}

    report = export(flats(count), path, rows=rows, columns=columns, **options)

    pages = [pixels_of(page.path) for page in report.pages]
    assert report.images_processed + len(report.skipped) == report.images_found == count
    assert len(report.cells) == count
    for index in range(count):
        assert cells_with(colour(index), report, pages) == 1
        assert sum((page == colour(index)).all(axis=2).sum() for page in pages) == 16


def test_no_pictures_are_a_clear_error():
    with pytest.raises(InputError, match="there are no pictures; give a folder"):
        plan(Survey(()))


def test_only_broken_files_are_an_error_that_names_one(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not a picture")

    with pytest.raises(InputError, match=r"none of the 1 files found can be shown; the first is .*a\.png"):
        plan(survey(tmp_path))


def test_broken_files_cost_only_themselves(tmp_path):
    for index in range(4):
        save(tmp_path / "in" / f"{index}.png", flat(colour(index), 64, 64))
    truncated(tmp_path / "in" / "2.png")
    (tmp_path / "in" / "9.png").write_bytes(b"")

    report = export(survey(tmp_path / "in"), tmp_path / "out.png", label_position="none")

    pages = [pixels_of(tmp_path / "out.png")]
    assert (report.images_found, report.images_processed, report.status) == (5, 3, "partial")
    assert sorted((Path(skip.name).name, skip.reason) for skip in report.skipped) == [
        ("2.png", "cannot be decoded (image file is truncated); it is damaged, make or fetch it again"),
        ("9.png", "the file is empty; make or fetch it again"),
    ]
    assert [cells_with(colour(index), report, pages) for index in (0, 1, 3)] == [1, 1, 1]


# --- labels


def test_four_files_take_their_labels_from_four_sources(tmp_path):
    save(tmp_path / "a.png")
    generated(tmp_path / "b1.png", Seed=1)
    generated(tmp_path / "b2.png", Seed=2)
    save(tmp_path / "c.png")
    save(tmp_path / "d.png")
    table = parse_table("filename,label\na.png,from the table\n", name="labels.csv")

    def labeller(pictures):
        return [ClipLabel("seen by CLIP") if picture.name == "c.png" else None for picture in pictures]

    planned = plan(survey(tmp_path), {"table": table, "labeller": labeller})

    assert [(label.text, label.source) for label in planned.labels] == [
        ("from the table", "csv"),
        ("seed: 1", "metadata"),
        ("seed: 2", "metadata"),
        ("seen by CLIP", "clip"),
        ("d.png", "filename"),
    ]


def test_a_labeller_that_fails_costs_a_warning_and_not_the_sheet():
    def labeller(pictures):
        raise ClipGridError("the model is not there")

    planned = plan(flats(2), {"labeller": labeller})

    assert [label.source for label in planned.labels] == ["filename", "filename"]
    assert planned.warnings == ("no labels from CLIP: the model is not there; the next source was used",)


def test_a_labeller_that_is_switched_off_is_not_asked():
    def labeller(pictures):
        raise AssertionError("asked")

    planned = plan(flats(2), {"labeller": labeller}, label_sources="filename")

    assert planned.warnings == ()


def test_given_labels_follow_their_pictures_through_sorting():
    planned = plan(flats(3), {"labels": ["a", "b", "c"]}, sort_by="given", reverse=True)

    assert [label.text for label in planned.labels] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("labels", "expected", "warned"),
    [
        (["all"], ["all"] * 3, False),
        (["a", "", "c"], ["a", "", "c"], False),
        (["a", "b"], ["a", "b", "image 3"], True),
        (["a", "b", "c", "d"], ["a", "b", "c"], True),
        (["two\\nlines"], ["two\nlines"] * 3, False),
    ],
)
def test_labels_go_to_pictures_by_position(labels, expected, warned):
    planned = plan(flats(3), {"labels": labels})

    assert [label.text for label in planned.labels] == expected
    assert bool(planned.warnings) == warned


def test_rows_without_file_names_go_to_pictures_from_memory_by_position():
    table = parse_table('[{"seed": 7}, {"seed": 9007199254740993}]', name="metadata")

    planned = plan(flats(2), {"table": table}, label_format="s={seed}")

    assert [label.text for label in planned.labels] == ["s=7", "s=9007199254740993"]


def test_an_unknown_column_is_refused_with_the_ones_that_there_are(tmp_path):
    generated(tmp_path / "a.png", Seed=1, Steps=20)

    with pytest.raises(InputError, match=r"label_columns: 'sede' is not among the columns .*did you mean 'seed'"):
        plan(survey(tmp_path), label_columns="sede")


def test_a_table_that_names_no_picture_is_told(tmp_path):
    table = parse_table("filename,seed\nother.png,1\n", name="labels.csv")

    save(tmp_path / "a.png")
    from_files = plan(survey(tmp_path), {"table": table})
    from_memory = plan(pictures_from_arrays(flats(1)), {"table": table})

    assert from_files.labels[0].source == "filename"
    assert any("no row of the table matches a picture" in warning for warning in from_files.warnings)
    assert any("the rows were given to them in order" in warning for warning in from_memory.warnings)


# --- axes


def product(folder: Path, *, leave_out: tuple[object, object] | None = ("ddim", 9), shuffle: int = 3) -> list[Path]:
    """Pictures of every sampler and cfg but one, under names that say nothing."""
    pairs = [(sampler, cfg) for sampler in SAMPLERS for cfg in CFGS if (sampler, cfg) != leave_out]
    random.Random(shuffle).shuffle(pairs)
    return [
        generated(
            folder / f"{place}.png",
            flat(colour(SAMPLERS.index(sampler) * 5 + CFGS.index(cfg)), 8, 8),
            Steps=24, Sampler=sampler, CFG_scale=cfg, Seed=12, Model="planets",
        )
        for place, (sampler, cfg) in enumerate(pairs)
    ]  # fmt: skip


def texts_of(planned, kind: str, page: int = 0) -> list[str]:
    return [text.text for band in planned.plan.pages[page].bands for text in band.texts if text.kind == kind]


def test_a_shuffled_product_becomes_a_table_with_its_hole_marked(tmp_path):
    product(tmp_path)

    planned = plan(survey(tmp_path), cell_width=60, cell_height=60)

    (page,) = planned.plan.pages
    holes = [(cell.row, cell.column) for cell in page.cells if cell.index is None]
    assert texts_of(planned, "column") == ["cfg: 3", "cfg: 5", "cfg: 7", "cfg: 9", "cfg: 12"]
    assert texts_of(planned, "row") == ["sampler: ddim", "sampler: dpmpp_2m", "sampler: euler", "sampler: uni_pc"]
    assert texts_of(planned, "legend") == ["seed: 12 · steps: 24 · model: planets · prompt: a planet"]
    assert holes == [(0, 3)]
    for cell in page.cells:
        if cell.index is not None:
            values = planned.values[cell.index]
            assert (values["sampler"], values["cfg"]) == (SAMPLERS[cell.row], str(CFGS[cell.column]))


def test_a_hole_is_seen_on_the_page(tmp_path):
    product(tmp_path)
    planned = plan(survey(tmp_path), cell_width=60, cell_height=60, label_position="none")

    page = painted(planned)

    (hole,) = [cell.box for cell in planned.plan.pages[0].cells if cell.index is None]
    inside = page[hole.y : hole.bottom, hole.x : hole.right]
    assert (inside[0] == 128).all()
    assert (inside[-1] == 128).all()
    assert (inside[20:40, 20:40] != 255).any()


def test_axes_can_be_named_switched_off_and_swapped(tmp_path):
    product(tmp_path, leave_out=None)

    swapped = plan(survey(tmp_path), x_axis="Sampler", y_axis="cfg")
    column = plan(survey(tmp_path), x_axis="none", y_axis="sampler")
    flow = plan(survey(tmp_path), x_axis="none", y_axis="none", page_axis="none")
    pages = plan(survey(tmp_path), x_axis="cfg", y_axis="none", page_axis="sampler")

    assert texts_of(swapped, "column") == [f"sampler: {sampler}" for sampler in SAMPLERS]
    assert texts_of(swapped, "row") == [f"cfg: {cfg}" for cfg in CFGS]
    assert texts_of(column, "row") == [f"sampler: {sampler}" for sampler in SAMPLERS]
    assert (texts_of(flow, "row"), texts_of(flow, "column"), texts_of(flow, "legend")) == ([], [], [])
    assert [texts_of(pages, "header", page) for page in range(4)] == [[f"sampler: {s}"] for s in SAMPLERS]


def test_an_unknown_axis_is_refused(tmp_path):
    product(tmp_path)

    with pytest.raises(InputError, match="x axis 'smapler' is not among the columns"):
        plan(survey(tmp_path), x_axis="smapler")


def test_a_third_varying_column_makes_pages(tmp_path):
    for model in ("one", "two"):
        for sampler in SAMPLERS[:3]:
            for cfg in CFGS[:3]:
                generated(tmp_path / f"{model}{sampler}{cfg}.png", Sampler=sampler, CFG_scale=cfg, Model=model)

    planned = plan(survey(tmp_path))

    assert [texts_of(planned, "header", page) for page in (0, 1)] == [["model: one"], ["model: two"]]
    assert [(page.table.rows, page.table.columns) for page in planned.plan.pages] == [(3, 3), (3, 3)]


def test_captions_and_headers_stand_together(tmp_path):
    product(tmp_path, leave_out=None)

    planned = plan(survey(tmp_path), label_format="{sampler}/{cfg}")

    assert texts_of(planned, "column")[0] == "cfg: 3"
    assert {label.source for label in planned.labels} == {"columns"}
    first = planned.plan.pages[0].cells[0]
    assert planned.labels[first.index].text == "ddim/3"


def test_rows_and_columns_cut_a_table_into_pages_with_their_own_headers(tmp_path):
    product(tmp_path, leave_out=None)

    planned = plan(survey(tmp_path), x_axis="cfg", y_axis="sampler", columns=3)

    assert [texts_of(planned, "column", page) for page in (0, 1)] == [
        ["cfg: 3", "cfg: 5", "cfg: 7"],
        ["cfg: 9", "cfg: 12"],
    ]
    assert sum(cell.index is not None for page in planned.plan.pages for cell in page.cells) == 20


def test_headers_by_hand_give_the_table_its_shape():
    planned = plan(flats(6), row_headers="first;second", column_headers="a\nb\nc")

    assert texts_of(planned, "row") == ["first", "second"]
    assert texts_of(planned, "column") == ["a", "b", "c"]
    assert planned.warnings == ()


def test_headers_by_hand_stay_with_their_columns_when_a_table_is_cut(tmp_path):
    product(tmp_path, leave_out=None)

    planned = plan(survey(tmp_path), x_axis="cfg", y_axis="sampler", columns=3, column_headers="a;b;c;d;e")

    assert [texts_of(planned, "column", page) for page in (0, 1)] == [["a", "b", "c"], ["d", "e"]]
    assert planned.warnings == ()


def test_row_headers_for_all_pages_go_on_from_page_to_page():
    planned = plan(flats(6), rows=2, columns=1, row_headers="a;b;c;d;e;f")

    assert [texts_of(planned, "row", page) for page in range(3)] == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert planned.warnings == ()


def test_a_short_last_page_is_no_reason_to_warn_of_headers():
    planned = plan(flats(5), rows=2, columns=2, row_headers="a;b", column_headers="x;y")

    assert [texts_of(planned, "row", page) for page in (0, 1)] == [["a", "b"], ["a"]]
    assert planned.warnings == ()


def test_a_wrong_number_of_headers_is_told_once():
    planned = plan(flats(12), rows=2, columns=2, column_headers="a;b;c")

    assert planned.warnings == ("3 column headers were given for 2 columns",)


# --- order


def test_the_order_is_natural_and_does_not_depend_on_the_folders_listing(tmp_path, monkeypatch):
    names = ["img_10.png", "img_2.png", "IMG_1.png", "b.png", "A.png"]
    for index, name in enumerate(names):
        save(tmp_path / "in" / name, flat(colour(index)))
    straight = export(survey(tmp_path / "in"), tmp_path / "1.png")
    real = os.scandir

    def shuffled(folder):
        entries = list(real(folder))
        random.Random(1).shuffle(entries)
        return iter(entries)

    monkeypatch.setattr(os, "scandir", shuffled)
    again = export(survey(tmp_path / "in"), tmp_path / "2.png")

    assert [Path(cell.path).name for cell in straight.cells] == [
        "A.png",
        "b.png",
        "IMG_1.png",
        "img_2.png",
        "img_10.png",
    ]
    assert [cell.path for cell in again.cells] == [cell.path for cell in straight.cells]
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_pictures_are_sorted_by_a_column_as_numbers(tmp_path):
    for seed in (10, 9, 100):
        generated(tmp_path / f"{seed}.png", Seed=seed)

    planned = plan(survey(tmp_path), sort_by="Seed", x_axis="none", y_axis="none")

    assert [values["seed"] for values in planned.values] == ["9", "10", "100"]


@pytest.mark.parametrize(("by", "message"), [("csv", "there is no table"), ("colour", "which no picture has")])
def test_an_order_that_cannot_be_is_refused(by, message):
    with pytest.raises(InputError, match=message):
        plan(flats(2), sort_by=by)


# --- badges


def test_the_best_score_wins_even_if_the_badges_look_the_same():
    scores = [{"clip score": value} for value in (0.3101, 0.3102, 0.2, float("nan"))]

    planned = plan(flats(4), {"scores": scores}, badge="CLIP_Score", winner="highest")

    assert planned.badges.texts == {0: "0.310", 1: "0.310", 2: "0.200", 3: "–"}
    assert planned.badges.winners == {1}


def test_equal_scores_win_together_and_the_lowest_can_win():
    planned = plan(flats(3), {"scores": [{"s": 2}, {"s": 1}, {"s": 1}]}, badge="s", winner="lowest")

    assert planned.badges.winners == {1, 2}


def test_a_badge_that_names_nothing_is_refused():
    with pytest.raises(InputError, match="badge names 'x'"):
        plan(flats(1), badge="x")


@pytest.mark.parametrize(
    ("score", "text"), [(0.31234, "0.312"), (7.0, "7"), (1.0, "1.000"), (-3, "-3"), (float("inf"), "–")]
)
def test_scores_are_written_without_noise(score, text):
    assert format_score(score) == text


# --- report and sidecar


def test_the_sidecar_is_the_report_and_cuts_the_sheet_back_into_its_pictures(tmp_path):
    pictures = [noise(30 + i, 40 - i, i) for i in range(7)]

    report = export(pictures, tmp_path / "sheet.png", rows=2, columns=2, label_position="none", margin=3)

    facts = json.loads((tmp_path / "sheet.json").read_text("utf-8"))
    assert facts == report.to_dict()
    assert len(facts["cells"]) == 7
    for cell in facts["cells"]:
        x, y, width, height = cell["image_box"]
        page = pixels_of(facts["pages"][cell["page"]]["path"])
        index = int(cell["path"].removeprefix("image ")) - 1
        assert (page[y : y + height, x : x + width] == pictures[index]).all()


def test_scores_that_are_no_numbers_leave_the_report_valid_json(tmp_path):
    report = export(flats(2), tmp_path / "s.png", {"scores": [{"s": float("nan")}, {"s": float("inf")}]})

    facts = json.loads(report.to_json(), parse_constant=lambda constant: pytest.fail(constant))
    assert [cell["scores"] for cell in facts["cells"]] == [{"s": None}, {"s": None}]


def test_half_a_surrogate_pair_in_a_prompt_does_not_cost_the_sidecar(tmp_path):
    table = parse_table('[{"note": "half \\ud83d"}]', name="metadata")

    export(flats(1), tmp_path / "s.png", {"table": table})

    facts = json.loads((tmp_path / "s.json").read_text("utf-8"))
    assert facts["cells"][0]["values"] == {"note": "half \ud83d"}


def test_the_sidecar_never_replaces_somebody_elses_file(tmp_path):
    (tmp_path / "sheet.json").write_text('{"filename": "a.png"}')

    with pytest.raises(OutputError, match=r"sheet\.json exists and is not the sidecar of a sheet"):
        export(flats(1), tmp_path / "sheet.png")

    assert (tmp_path / "sheet.json").read_text() == '{"filename": "a.png"}'
    assert not (tmp_path / "sheet.png").exists()


def test_a_sheet_made_again_replaces_its_own_sidecar(tmp_path):
    export(flats(1), tmp_path / "sheet.png")
    export(flats(2), tmp_path / "sheet.png")

    assert len(json.loads((tmp_path / "sheet.json").read_text("utf-8"))["cells"]) == 2


def test_texts_that_were_shortened_and_characters_without_a_glyph_are_told(tmp_path):
    report = export(flats(2), tmp_path / "s.png", {"labels": ["\ue123", "word " * 900]}, cell_width=40, cell_height=40)

    assert any("U+E123" in warning for warning in report.warnings)
    assert any("1 text was shortened" in warning for warning in report.warnings)


def test_two_runs_give_the_same_bytes_and_the_same_report(tmp_path):
    pictures = [noise(50, 40, i) for i in range(5)]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        export(pictures, tmp_path / folder / "s.png", {"labels": list("abcde")}, title="t")

    assert (tmp_path / "a/s.png").read_bytes() == (tmp_path / "b/s.png").read_bytes()
