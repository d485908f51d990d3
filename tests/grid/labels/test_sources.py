"""Each picture takes its label from the first source that knows one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.labels.sources import (
    ClipLabel,
    ClipSource,
    ColumnsSource,
    FileNameSource,
    Label,
    LabelSource,
    MetadataSource,
    PictureRecord,
    TableSource,
    TextSource,
    check_columns,
    first_label,
    spread_texts,
    value_lines,
)
from clip_grid.grid.pictures.survey import Picture
from clip_grid.grid.template import SOURCE_NAMES, parse_sources
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image


def record(
    index: int = 0,
    name: str = "a.png",
    row: Mapping[str, str] | None = None,
    generation: Mapping[str, str] | None = None,
) -> PictureRecord:
    picture = Picture(name, (40, 30), lambda shown: Image.new("RGB", (40, 30)), Path("run") / name, generation or {})
    return PictureRecord(picture, index, index, row)


def labels_of(records: list[PictureRecord], sources: list[LabelSource]) -> list[Label]:
    return [first_label(record, sources) for record in records]


def six_records() -> list[PictureRecord]:
    """Each picture is known to one source less than the one before."""
    return [
        record(0, "0.png", {"seed": "1", "cfg": "7"}, {"steps": "20"}),
        record(1, "1.png", {"seed": "1", "cfg": "8"}, {"steps": "21"}),
        record(2, "2.png", {"cfg": "9"}, {"steps": "22"}),
        record(3, "3.png", None, {"steps": "23"}),
        record(4, "4.png", None, {"steps": "24"}),
        record(5, "in/5.png", None, {}),
    ]


def all_sources() -> list[LabelSource]:
    return [
        TextSource(["given"]),
        ColumnsSource(["seed"]),
        TableSource(["cfg"]),
        ClipSource({place: ClipLabel(text) for place, text in enumerate(("a cat", "a cat", "a cat", "a dog"))}),
        MetadataSource(["steps"]),
        FileNameSource(),
    ]


def test_each_picture_gets_the_first_source_that_knows_it():
    assert labels_of(six_records(), all_sources()) == [
        Label("given", "text"),
        Label("seed: 1", "columns"),
        Label("cfg: 9", "csv"),
        Label("a dog", "clip"),
        Label("steps: 24", "metadata"),
        Label("5.png", "filename"),
    ]


@pytest.mark.parametrize("off", SOURCE_NAMES)
def test_each_source_can_be_switched_off(off):
    wanted = parse_sources(", ".join(name for name in SOURCE_NAMES if name != off))

    labels = labels_of(six_records(), [source for source in all_sources() if source.name in wanted])

    at = SOURCE_NAMES.index(off)
    following = [*SOURCE_NAMES, "none"]
    # 0.png and 1.png are known to the table, 2.png to all from the table on, and so on
    assert labels[at].source == following[at + 1]
    assert [label.source for label in labels if label.source == off] == []


def test_with_all_sources_off_nothing_is_invented():
    assert parse_sources("") == frozenset()
    assert labels_of([record()], []) == [Label("", "none")]


def test_the_names_of_the_sources_are_those_that_can_be_switched_off():
    assert tuple(source.name for source in all_sources()) == SOURCE_NAMES


def formatted(format: str, **values: str) -> str | None:
    return ColumnsSource(format=format).label(record(generation=values))


def test_an_empty_given_text_means_no_label_and_none_means_the_next_source():
    labels = labels_of([record(0), record(1), record(2)], [TextSource(["", None]), FileNameSource()])

    assert labels == [Label("", "text"), Label("a.png", "filename"), Label("a.png", "filename")]


def test_one_text_goes_to_all_pictures():
    assert spread_texts(["all"], 3) == (["all"] * 3, [])


def test_as_many_texts_as_pictures_go_one_to_each():
    assert spread_texts(["a", "b"], 2) == (["a", "b"], [])


def test_too_few_and_too_many_texts_are_reported():
    few, too_few = spread_texts(["a", "b"], 4)
    many, too_many = spread_texts(["a", "b", "c"], 2)

    assert (few, many) == (["a", "b", None, None], ["a", "b"])
    assert too_few == ["2 labels were given for 4 pictures; the other pictures take the next source"]
    assert too_many == ["3 labels were given for 2 pictures; the surplus labels are not used"]


def test_no_texts_are_no_labels_and_no_warning():
    assert spread_texts([], 2) == ([None, None], [])


def test_columns_are_shown_one_a_line_as_they_were_asked_for():
    source = ColumnsSource(["CFG Scale", "seed", "steps"])

    assert source.label(record(generation={"seed": "5", "cfg_scale": "7"})) == "CFG Scale: 7\nseed: 5"


def test_the_table_overrules_the_generation_data():
    assert ColumnsSource(["seed"]).label(record(row={"Seed": "1"}, generation={"seed": "2"})) == "seed: 1"
    assert ColumnsSource(["cfg"]).label(record(row={"seed": "1"}, generation={"cfg": "7"})) == "cfg: 7"


def test_what_is_known_of_every_picture_can_be_shown():
    assert ColumnsSource(["index", "width"]).label(record(4)) == "index: 5\nwidth: 40"


def test_columns_without_a_value_leave_the_picture_to_the_next_source():
    assert ColumnsSource(["seed"]).label(record()) is None
    assert ColumnsSource(["seed"]).label(record(row={"seed": ""})) is None


def test_a_column_that_no_picture_has_is_refused_with_those_that_there_are():
    records = [record(generation={"seed": "1"}), record(row={"cfg scale": "7"})]

    check_columns(["Seed", "cfg_scale", "stem"], records, "label_columns")
    with pytest.raises(InputError, match=r"label_format: 'sed' .*seed, name, .*cfg scale.*did you mean 'seed'"):
        check_columns(ColumnsSource(format="{sed}").named_columns(), records, "label_format")


def test_a_format_is_filled_in():
    text = formatted("{seed} · {Sampler} · cfg {cfg}", seed="5", sampler="euler", cfg="7")

    assert text == "5 · euler · cfg 7"


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("seed", "euler · cfg 7"),
        ("sampler", "5 · cfg 7"),
        ("cfg", "5 · euler"),
        ("seed sampler", "cfg 7"),
        ("seed cfg", "euler"),
        ("seed sampler cfg", None),
    ],
)
def test_a_missing_value_takes_its_separator_with_it(missing, expected):
    values = {"seed": "5", "sampler": "euler", "cfg": "7"}
    known = {name: value for name, value in values.items() if name not in missing.split()}
    empty = {name: "" if name in missing.split() else value for name, value in values.items()}

    assert formatted("{seed} · {sampler} · cfg {cfg}", **known) == expected
    assert formatted("{seed} · {sampler} · cfg {cfg}", **empty) == expected


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("{a}, {b}, {c}", "1, 3"),
        ("{a}|{b}|{c}", "1|3"),
        ("{a} / {b} - {c}", "1 - 3"),
        ("{b}; {a}", "1"),
        ("{a} ({b})", "1 ()"),
        ("{a}/{b}", "1/"),
        ("{a}-{c}", "1-3"),
        ("made by {b} · {a}", "1"),
        ("by me · {b} · {a}", "by me · 1"),
        ("· {a} ·", "· 1 ·"),
        ("{a}\\n{b}\\n{c}", "1\n3"),
        ("{a}\n{b} · {b}\n{c}", "1\n3"),
        ("{a}\\n\\n{c}", "1\n\n3"),
        ("{a} · {b}\\nlast", "1\nlast"),
        ("no columns", "no columns"),
        ("a · b, c", "a · b, c"),
    ],
)
def test_parts_without_a_value_are_left_out_and_nothing_else(format, expected):
    assert formatted(format, a="1", c="3") == expected


def test_backslashes_and_separators_and_braces_inside_values_stay():
    text = formatted("{path}\\n{prompt} · {code}", path="C:\\new · \\n", prompt="a, b | c, ", code="{seed}")

    assert text == "C:\\new · \\n\na, b | c,  · {seed}"


def test_a_separator_inside_braces_belongs_to_the_name():
    assert formatted("{a, b} · {c}", **{"a, b": "1", "c": "2"}) == "1 · 2"
    assert ColumnsSource(format="{a, b}{c | d}").named_columns() == ["a, b", "c | d"]


@given(st.text(alphabet="ab{} ·|,;-/\\n\nx", max_size=30))
def test_with_every_value_known_a_format_is_plain_replacement(format):
    expected = format.replace("\\n", "\n").replace("{a}", "1").replace("{b}", "2").replace("{}", "3")
    known = {"a": "1", "b": "2", "": "3"}
    strange = [name for name in ColumnsSource(format=format).named_columns() if name not in known]
    if not strange and format:
        assert ColumnsSource(format=format).label(record(generation=known)) == expected


@pytest.mark.parametrize("column", ["label", "Caption", "TEXT", "title"])
def test_a_row_with_a_label_is_that_label(column):
    assert TableSource(["seed"]).label(record(row={"seed": "1", column: "my cat"})) == "my cat"


def test_a_row_without_a_label_shows_what_varies():
    row = {"seed": "1", "model": "m", "cfg": "7"}

    assert TableSource(["cfg", "seed"]).label(record(row=row)) == "cfg: 7\nseed: 1"
    assert TableSource([]).label(record(row=row)) is None
    assert TableSource(["seed"]).label(record(row=None)) is None


def test_long_texts_are_shown_only_when_nothing_shorter_varies():
    values = {"prompt": "a cat", "seed": "1", "negative": ""}

    assert value_lines(values, ["prompt", "seed"]) == "seed: 1"
    assert value_lines(values, ["prompt", "negative"]) == "prompt: a cat"
    assert value_lines(values, ["steps"]) is None


def test_a_file_name_is_shown_without_its_folder():
    assert FileNameSource().label(record(name="run/deep/né.png")) == "né.png"
    assert FileNameSource().label(record(name="")) is None


def test_a_label_that_fits_no_cell_is_cut():
    (label,) = labels_of([record()], [TextSource(["x" * 20_000_000])])

    assert label.text == "x" * 100_000 + "…"
