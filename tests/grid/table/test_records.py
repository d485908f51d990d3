"""Columns by name: one name in many spellings, and what varies."""

from __future__ import annotations

import time

import pytest
from clip_grid.csv_cells import plain_name
from clip_grid.errors import InputError
from clip_grid.grid.table.records import find_column, find_key_column, name_columns, varying_columns
from clip_grid.grid.table.table import parse_table


def test_case_blanks_underscores_and_hyphens_do_not_count():
    assert {plain_name(name) for name in ("Image Path", "image_path", "IMAGE-PATH", " imagepath ")} == {"imagepath"}


def test_a_column_is_found_as_written_before_any_other_spelling():
    assert find_column("seed", ["Seed", "seed"]) == "seed"
    assert find_column("SEED", ["Seed", "seed"]) == "Seed"


def test_an_unknown_column_is_refused_with_the_list_and_a_hint():
    with pytest.raises(InputError, match=r"label 'smapler' is not among the columns \(Sampler, cfg\); .*'Sampler'"):
        find_column("smapler", ["Sampler", "cfg"], role="label")
    with pytest.raises(
        InputError, match=r"column 'x' is not among the columns \(there are none: no generation data, and no table\)$"
    ):
        find_column("x", [])


def test_the_key_column_is_the_best_of_the_names_it_may_have():
    assert find_key_column(["name", "Path", "seed"]) == "Path"
    assert find_key_column(["seed", "cfg"]) is None


def test_every_column_gets_a_name_of_its_own():
    named, notes = name_columns(["a", "", "A", "a", "a (2)"])

    assert named == ("a", "column 2", "A (2)", "a (3)", "a (2) (2)")
    assert notes == (
        "columns without a name: column 2 (now 'column 2')",
        "columns that repeat a name: column 3 'A' (now 'A (2)'), column 4 'a' (now 'a (3)'), "
        "column 5 'a (2)' (now 'a (2) (2)')",
    )


def test_a_hundred_thousand_columns_are_refused_and_ten_thousand_equal_ones_named_at_once():
    started = time.process_time()
    names, notes = name_columns(["a"] * 10_000)
    with pytest.raises(InputError, match="100000 columns, more than the 16384"):
        name_columns(["a"] * 100_000)

    assert (names[1], names[-1], len(notes)) == ("a (2)", "a (10000)", 1)
    assert time.process_time() - started < 2


def test_a_header_that_fits_no_sheet_is_refused_by_the_name_of_its_file():
    with pytest.raises(InputError, match=r"t\.csv: column 2 of the header has a name of 200000 characters"):
        parse_table("file," + "a" * 200_000 + "\na.png,1\n", name="t.csv")


def test_a_column_varies_when_its_values_differ_or_some_rows_lack_it():
    rows = [{"a": "1", "b": "x", "c": "1"}, None, {"a": "2", "b": "x"}]

    assert varying_columns(rows) == ("a", "c")
    assert varying_columns([{"a": "1"}]) == varying_columns([None]) == varying_columns([]) == ()
