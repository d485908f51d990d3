"""Columns by name: one name in many spellings, and what varies."""

from __future__ import annotations

import pytest
from clip_grid.csv_cells import plain_name
from clip_grid.errors import InputError
from clip_grid.grid.table.records import find_column, find_key_column, name_columns, varying_columns


def test_case_blanks_underscores_and_hyphens_do_not_count():
    assert {plain_name(name) for name in ("Image Path", "image_path", "IMAGE-PATH", " imagepath ")} == {"imagepath"}


def test_a_column_is_found_as_written_before_any_other_spelling():
    assert find_column("seed", ["Seed", "seed"]) == "seed"
    assert find_column("SEED", ["Seed", "seed"]) == "Seed"


def test_an_unknown_column_is_refused_with_the_list_and_a_hint():
    with pytest.raises(InputError, match=r"label 'smapler' is not among the columns \(Sampler, cfg\); .*'Sampler'"):
        find_column("smapler", ["Sampler", "cfg"], role="label")
    with pytest.raises(InputError, match=r"column 'x' is not among the columns \(none\)$"):
        find_column("x", [])


def test_the_key_column_is_the_best_of_the_names_it_may_have():
    assert find_key_column(["name", "Path", "seed"]) == "Path"
    assert find_key_column(["seed", "cfg"]) is None


def test_every_column_gets_a_name_of_its_own():
    named, notes = name_columns(["a", "", "A", "a", "a (2)"])

    assert named == ("a", "column 2", "A (2)", "a (3)", "a (2) (2)")
    assert len(notes) == 4


def test_a_column_varies_when_its_values_differ_or_some_rows_lack_it():
    rows = [{"a": "1", "b": "x", "c": "1"}, None, {"a": "2", "b": "x"}]

    assert varying_columns(rows) == ("a", "c")
    assert varying_columns([{"a": "1"}]) == varying_columns([None]) == varying_columns([]) == ()
