"""Rows find their pictures, and no others."""

from __future__ import annotations

import unicodedata

import pytest
from clip_grid.grid.table.matching import match_by_position, match_table
from clip_grid.grid.table.table import Table, parse_table


def table_of(*keys: str) -> Table:
    """A table whose rows say their own index."""
    return parse_table("filename\tn\n" + "".join(f"{key}\t{n}\n" for n, key in enumerate(keys)), name="t")


def found(table: Table, *paths: str) -> list[str | None]:
    return [row["n"] if row else None for row in match_table(table, paths).rows]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("run/a.png", "run/a.png"),
        ("run\\a.png", "run/a.png"),
        ("./run//a.png", "run/a.png"),
        ("a.png", "/home/me/run/a.png"),
        ("run/a.png", "/home/me/run/a.png"),
        ("a", "run/a.png"),
        ("run/a", "run/a.png"),
        ("D:\\gen\\out\\a.png", "/home/me/a.png"),
        ("D:\\gen\\run\\a.png", "run/a.png"),
        ("/old/place/a", "new/a.png"),
        ("A.PNG", "a.png"),
        ("RUN/A", "run/a.png"),
        ("a.jpg", "a.webp"),
        ("model_v1.5", "model_v1.5.png"),
        (unicodedata.normalize("NFD", "café.png"), unicodedata.normalize("NFC", "café.png")),
        ("a.png", "C:\\out\\a.png"),
        ("Straße.png", "STRASSE.png"),
        ("\u202aC:\\out\\a.png", "/home/me/a.png"),
        ("a\u200b.png\ufeff", "run/a.png"),
        ("Screenshot at 3.04 PM.png", "Screenshot at 3.04\u202fPM.png"),
        ("my file.png", "my\u00a0file.png"),
        ("a.png", "a\u00ad.png"),
    ],
)
def test_a_row_finds_its_picture(key: str, path: str):
    assert found(table_of(key), path) == ["0"]


@pytest.mark.parametrize(("key", "path"), [("a.png", "aa.png"), ("n/a.png", "run/b.png"), ("a.v2", "a.png")])
def test_a_row_finds_no_other_picture(key: str, path: str):
    match = match_table(table_of(key), [path])

    assert match.rows == (None,)
    assert match.unmatched == (key,)


def test_a_bare_name_serves_every_folder():
    assert found(table_of("a.png"), "one/a.png", "two/a.png") == ["0", "0"]


def test_a_longer_path_wins_over_a_bare_name():
    assert found(table_of("a.png", "two/a.png"), "one/a.png", "two/a.png", "x/two/a.png") == ["0", "1", "1"]


def test_paths_of_another_machine_find_their_folders():
    table = table_of("D:\\gen\\one\\a.png", "D:\\gen\\two\\a.png")

    assert found(table, "/home/two/a.png", "/home/one/a.png", "/home/three/a.png") == ["1", "0", None]


def test_a_path_that_could_mean_two_pictures_means_none():
    assert found(table_of("zero/a.png"), "one/a.png", "two/a.png") == [None, None]


def test_exact_case_wins_over_any_case():
    assert found(table_of("A.png", "a.png"), "a.png", "A.png") == ["1", "0"]


def test_another_extension_serves_only_when_nothing_else_could_be_meant():
    assert found(table_of("a.png"), "a.png", "a.jpg") == ["0", None]


def test_the_last_of_repeated_keys_counts_and_is_reported():
    match = match_table(table_of("a.png", "b.png", "./a.png", "c.png"), ["a.png", "b.png"])

    assert match.order == (2, 1)
    assert match.repeated == ("./a.png",)
    assert match.unmatched == ("c.png",)


def test_rows_by_position_report_the_surplus():
    match = match_table(parse_table("seed\n5\n6\n7\n8\n", name="t"), ["x.png", "y.png"])

    assert match.rows == ({"seed": "5"}, {"seed": "6"})
    assert match.unmatched == ("row 3", "row 4")


def test_rows_with_keys_can_be_taken_by_position_where_pictures_have_no_names():
    match = match_by_position(table_of("a.png", "b.png"), 3)

    assert match.rows == ({"n": "0"}, {"n": "1"}, None)
    assert match.order == (0, 1, None)


def test_ten_thousand_rows_find_ten_thousand_pictures():
    names = [f"run{n % 7}/img_{n}.png" for n in range(10_000)]
    table = table_of(*(f"D:\\out\\{name}" for name in reversed(names)))

    match = match_table(table, names)

    assert match.order == tuple(range(9_999, -1, -1))
    assert match.unmatched == ()


def test_a_name_with_invisible_marks_is_found_as_written_first():
    assert found(table_of("a\u200b.png", "a.png"), "a.png", "a\u200b.png") == ["1", "0"]
