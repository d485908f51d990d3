"""What is decided about a sheet: labels from the right source, axes, headers and the legend."""

from __future__ import annotations

import json
import random
import time
from itertools import product as product_of
from pathlib import Path

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.labels.sources import ClipLabel
from clip_grid.grid.pictures.survey import Survey, pictures_from_arrays
from clip_grid.grid.table.table import parse_table

from .samples import colour, flat, flats, generated, painted, plan, save, survey


def test_no_pictures_are_a_clear_error():
    with pytest.raises(InputError, match="there are no pictures; give a folder"):
        plan(Survey(()))


def test_only_broken_files_are_an_error_that_names_one(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not a picture")

    with pytest.raises(InputError, match=r"the only file found cannot be shown: .*a\.png"):
        plan(survey(tmp_path))


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


SAMPLERS = ("ddim", "dpmpp_2m", "euler", "uni_pc")


CFGS = (3, 5, 7, 9, 12)


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


@pytest.mark.parametrize("header", ["Seed", " SEED ", "\u200bseed\u202c"])
def test_a_known_column_of_a_table_beats_the_generation_data_in_any_spelling(tmp_path, header):
    generated(tmp_path / "a.png", Seed=1, Steps=20)
    generated(tmp_path / "b.png", Seed=2, Steps=20)
    table = parse_table(f"filename,{header}\na.png,77\n", name="t.csv")

    planned = plan(survey(tmp_path), {"table": table})

    assert [picture["seed"] for picture in planned.values] == ["77", "2"]
    assert all("seed" not in key.lower() for picture in planned.values for key in picture if key != "seed")


def test_a_column_that_is_empty_for_all_is_known_and_shows_nothing(tmp_path):
    table = parse_table("filename,note,seed\na.png,,7\n", name="t.csv")
    save(tmp_path / "a.png")

    planned = plan(survey(tmp_path), {"table": table}, label_columns="note,seed")

    assert [label.text for label in planned.labels] == ["seed: 7"]
    with pytest.raises(InputError, match="the column 'note' cannot be an axis: it is empty for every picture; fill it"):
        plan(survey(tmp_path), {"table": table}, x_axis="Note")


def test_an_unknown_column_is_refused_with_the_ones_that_there_are(tmp_path):
    generated(tmp_path / "a.png", Seed=1, Steps=20)

    with pytest.raises(InputError, match=r"label_columns: 'sede' is not among the columns .*did you mean 'seed'"):
        plan(survey(tmp_path), label_columns="sede")


def test_a_table_that_names_no_picture_is_reported(tmp_path):
    table = parse_table("filename,seed\nother.png,1\n", name="labels.csv")

    save(tmp_path / "a.png")
    from_files = plan(survey(tmp_path), {"table": table})
    from_memory = plan(pictures_from_arrays(flats(1)), {"table": table})

    assert from_files.labels[0].source == "filename"
    assert any("no row of the table matches a picture" in warning for warning in from_files.warnings)
    assert any("the rows were given to them in order" in warning for warning in from_memory.warnings)


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
    assert texts_of(planned, "column") == ["3", "5", "7", "9", "12"]
    assert texts_of(planned, "row") == ["ddim", "dpmpp_2m", "euler", "uni_pc"]
    assert (texts_of(planned, "column_axis"), texts_of(planned, "row_axis")) == (["cfg"], ["sampler"])
    assert texts_of(planned, "legend") == ["seed: 12 · steps: 24 · model: planets · prompt: a planet"]
    assert holes == [(0, 3)]
    for cell in page.cells:
        if cell.index is not None:
            values = planned.values[cell.index]
            assert (values["sampler"], values["cfg"]) == (SAMPLERS[cell.row], str(CFGS[cell.column]))


def test_loras_become_a_table_of_names_and_weights_and_are_not_repeated_in_its_labels(tmp_path):
    for place, (name, weight) in enumerate(product_of(("sks-02", "sks-04", "sks"), ("0.4", "0.6", "0.8", "1"))):
        generated(tmp_path / f"{place}.png", flat(colour(place), 8, 8), prompt=f"a cat <lora:{name}:{weight}>", Seed=5)

    planned = plan(survey(tmp_path))
    by_name = plan(survey(tmp_path), x_axis="loras")

    assert (planned.axes.x.name, planned.axes.y.name) == ("lora_weight", "lora")
    assert planned.values[0]["loras"] == f"{planned.values[0]['lora']}:{planned.values[0]['lora_weight']}"
    assert {label.text for label in planned.labels} == {""}
    assert texts_of(planned, "legend") == ["seed: 5 · steps: 20 · prompt: a cat"]
    assert by_name.axes.x.name == "loras"
    assert "lora" not in by_name.values[0]


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

    assert (texts_of(swapped, "column_axis"), texts_of(swapped, "column")) == (["sampler"], list(SAMPLERS))
    assert (texts_of(swapped, "row_axis"), texts_of(swapped, "row")) == (["cfg"], [f"{cfg}" for cfg in CFGS])
    assert (texts_of(column, "row_axis"), texts_of(column, "row")) == (["sampler"], list(SAMPLERS))
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

    assert texts_of(planned, "column")[0] == "3"
    assert {label.source for label in planned.labels} == {"columns"}
    first = planned.plan.pages[0].cells[0]
    assert planned.labels[first.index].text == "ddim/3"


def test_rows_and_columns_cut_a_table_into_pages_with_their_own_headers(tmp_path):
    product(tmp_path, leave_out=None)

    planned = plan(survey(tmp_path), x_axis="cfg", y_axis="sampler", columns=3)

    assert [texts_of(planned, "column", page) for page in (0, 1)] == [
        ["3", "5", "7"],
        ["9", "12"],
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


def test_a_wrong_number_of_headers_is_reported_once():
    planned = plan(flats(12), rows=2, columns=2, column_headers="a;b;c")

    assert planned.warnings == ("3 column headers were given for 2 columns",)


@pytest.mark.parametrize("where", ["title", "header", "footer", "row_headers", "column_headers", "labels", "values"])
def test_a_text_of_any_length_is_laid_out_and_drawn_in_little_time(where):
    inputs, options = {}, {}
    text = "x" * 200_000
    if where == "labels":
        inputs["labels"] = [f"{place}{text}" for place in range(2)]
    elif where == "values":
        rows = [{"model": f"{text}{place % 2}", "seed": place} for place in range(2)]
        inputs["table"] = parse_table(json.dumps(rows), name="t.json")
    else:
        options[where] = text
    began = time.process_time()

    planned = plan(flats(2, 256, 256), inputs, **options)
    page = painted(planned)

    # about 0.7 s; 20 s and more where all of it is measured
    assert time.process_time() - began < 3
    assert page.shape[:2] == (planned.plan.pages[0].height, planned.plan.pages[0].width)
    assert max(page.shape) < 2000
