from __future__ import annotations

import os
import re
import sqlite3

import pytest
from clip_grid.clip_backend.search.filter_sql import compiled, compiled_filter
from clip_grid.clip_backend.search.filters import FIELDS, OPERATORS, read_filter
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.writer import IndexWriter
from clip_grid.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from .filled import Made, fill, names

BIG = 18446744073709551615


def day(text):
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


PICTURES = [
    Made("fox.png", properties={"seed": "42", "cfg": "7.5", "model": "Dream Shaper", "prompt": "a red fox"}),
    Made("deer.png", properties={"seed": "42", "cfg": "4", "model": "juggernaut", "sampler name": "Euler a"}),
    Made("fish.png", properties={"seed": str(BIG), "cfg": "auto", "model": "Ёлка"}, size=(1344, 768)),
    Made(
        "Бык.PNG", properties={"seed": str(BIG - 1), "hash": "1e5"}, size=(768, 1344), mtime=day("2024-05-31T23:59:59")
    ),
    Made("2024/summer/frog.png", properties={"hash": "100000"}, mtime=day("2024-06-01"), copies=["2023/toad.png"]),
    Made("odd 100%_\\.png", properties={"model": 'it\'s "quoted"'}, size=(1, 30000), mtime=day("2025-01-01")),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = fill(tmp_path_factory.mktemp("filters") / "index", PICTURES)
    with Index.open(folder) as opened:
        yield opened


def passing(index, text):
    return sorted(
        re.split("[ .]", name)[0] for name in names(index, compiled_filter(text, index).pictures(index).tolist())
    )


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("seed=42", "deer fox"),
        ("seed==42.0 and cfg>5", "fox"),
        ("SEED = 42 AND cfg <= 4", "deer"),
        ("cfg>5 or cfg<5", "deer fox"),
        ("cfg=auto", "fish"),
        ("cfg!=4", "fish fox"),
        ("not cfg=4", "fish fox frog odd Бык"),
        (f"seed={BIG}", "fish"),
        (f"seed in ({BIG - 1}, 42)", "deer fox Бык"),
        ("seed not in (42)", "fish frog odd Бык"),
        # written as a number, but no number of the same value was meant
        ("hash=1e5", "frog Бык"),
        ('hash="1e5"', "Бык"),
        ("model='dream shaper'", "fox"),
        ("model ~ SHAPE", "fox"),
        ("model=ёлка", "fish"),
        ("model ~ 'ЛК'", "fish"),
        ("model = 'it''s \"quoted\"'", "odd"),
        ('model = "it\'s ""quoted"""', "odd"),
        ("sampler name ~ euler", "deer"),
        ("Sampler_Name='euler A'", "deer"),
        ("prompt ~ 'red fox'", "fox"),
        ("width>=1024 or height>=1024", "fish odd Бык"),
        ("width=512 and not (seed=42 or model~quoted)", "frog"),
        ("ratio=16:9", "fish"),
        ("ratio>1.2", "fish"),
        ("ratio=9/16", "Бык"),
        ("ratio != 1", "fish odd Бык"),
        ("name=FOX.png", "fox"),
        ("name ~ бык", "Бык"),
        ("name ~ '100%_\\'", "odd"),
        ("name ~ '%'", "odd"),
        ("name ~ _", "odd"),
        ("folder=2024/summer", "frog"),
        ("folder=2023", "frog"),
        ("folder='2023' and name=frog.png", ""),
        ("path ~ pictures/2024/summer/frog", "frog"),
        ("root ~ pictures and seed=42", "deer fox"),
        ("date=2024", "frog Бык"),
        ("date=2024-05", "Бык"),
        ("date=2024-05-31", "Бык"),
        ("date=2024-05-31T23:59", "Бык"),
        ("date=2024-05-31T23:59:58", ""),
        ("date>2024-05 and date<2025", "frog"),
        ("date>=2024-06-01 and date<=2024-06-01", "frog"),
        ("date in (2024-05, 2025)", "odd Бык"),
        ("missing=yes", ""),
        ("missing=no and seed=42", "deer fox"),
        ("((seed=42)) and (not (not cfg=4))", "deer"),
    ],
)  # fmt: skip
def test_a_filter_passes_what_it_says(index, text, right):
    assert passing(index, text) == right.split()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends where the name of a field belongs"),
        ("seed", "ends where one of ="),
        ("seed=", "ends where a value belongs"),
        ("seed=42 cfg=5", "'cfg' at letter 9, where and, or or the end belongs; put a value of several words in"),
        ("model=dream shaper", "put a value of several words in quotes"),
        ("(seed=42", r'ends where "\)" belongs'),
        ("seed=42)", "at letter 8"),
        ("seed in 42", r'"\(" belongs'),
        ("seed in ()", "where a value belongs"),
        ("model='dream", "a quote is not closed"),
        ("= 42", "where the name of a field belongs"),
        ("sed=42", "has the field 'sed'; did you mean seed"),
        ("sampler=euler", "did you mean sampler_name"),
        ("zzz=1", "it has width, height"),
        ("width~5", "looks for a text"),
        ("width=wide", "no number"),
        ("ratio=1:0", "no number; write one such as 1.5 or 3:2"),
        ("date=yesterday", "write 2026, 2026-05"),
        ("date=2024-13", "write 2026, 2026-05"),
        ("date=0000", "write 2026"),
        ("date>9999", "write 2026"),
        ("missing=maybe", "write missing=yes"),
        ("missing>yes", "is yes or no"),
        ("(" * 100 + "seed=1" + ")" * 100, "nested more than"),
        ("seed in (" + ",".join(["1"] * 300) + ")", "more than 200 values"),
        ("seed=1" + " or seed=1" * 2000, "letters"),
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_says_why_and_what_to_write(index, text, message):
    with pytest.raises(InputError, match=message):
        passing(index, text)


def test_the_longest_filters_that_are_allowed_run(index):
    assert passing(index, " or ".join(["seed=42"] * 200)) == ["deer", "fox"]
    assert passing(index, "not " * 38 + "seed=42") == ["deer", "fox"]


ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["'; DROP TABLE files; --", '" OR 1=1 --', "?", "x' OR 'a'='a", "1) OR (1", "%", "\0", "*/", "NULL"]
)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


@settings(max_examples=50)
@given(st.sampled_from([*FIELDS, "seed", "some thing"]), st.sampled_from(OPERATORS), ANY_TEXT, ANY_TEXT)
def test_no_text_of_the_user_is_in_the_sql(field, operator, text, other):
    """Two filters of one shape have one statement, whatever they compare with."""
    known = ["seed", "some thing", "'; DROP TABLE"]
    sql = []
    for value in (text, other):
        try:
            one = compiled(read_filter(f"{field} {operator} {quoted(value)}"), known)
        except InputError:
            return
        sql.append(one.sql)
        assert one.sql.count("?") == len(one.parameters)
    if text.isascii() == other.isascii():
        assert sql[0] == sql[1]
    assert set(re.findall(r"'([^']*)'", sql[0])) <= {os.sep, ""}


TOKENS = [
    "seed",
    "=",
    "42",
    "and",
    "or",
    "not",
    "(",
    ")",
    "in",
    ",",
    "'a'",
    "~",
    "date",
    "2024",
    "<",
    "name",
    "ratio",
    '"',
]


@settings(max_examples=50)
@given(st.text(max_size=60) | st.lists(st.sampled_from(TOKENS)).map(" ".join))
def test_any_text_is_a_filter_that_runs_or_an_input_error(index, text):
    try:
        one = compiled_filter(text, index)
    except InputError:
        return
    one.pictures(index)


@settings(max_examples=50)
@given(ANY_TEXT)
def test_hostile_values_change_nothing_and_find_only_equal_texts(index, text):
    before = index.rows("SELECT count(*) FROM files")

    found = compiled_filter(f"model = {quoted(text)}", index).pictures(index).tolist()

    assert all(text.casefold() == index.properties(id)["model"].casefold() for id in found)
    assert index.rows("SELECT count(*) FROM files") == before


def test_fields_with_names_of_sql_are_only_names(tmp_path):
    bad = "x'); DROP TABLE files; --"
    folder = fill(tmp_path / "index", [Made("a.png", properties={bad: "1"}), Made("b.png", properties={"order": "by"})])

    with Index.open(folder) as index:
        assert passing(index, '"' + bad + '" = 1') == ["a"]
        assert passing(index, "order=by") == ["b"]


def test_files_that_are_missing_are_found_by_their_field(tmp_path):
    folder = fill(tmp_path / "index", [Made("a.png"), Made("b.png", copies=["c.png"])])
    with sqlite3.connect(folder / "clip_grid.sqlite") as connection:
        connection.execute("UPDATE files SET missing = 1 WHERE name IN (?, ?)", (b"a.png", b"c.png"))

    with Index.open(folder) as index:
        assert passing(index, "missing=yes") == ["a", "b"]
        assert passing(index, "missing=no") == ["b"]
        assert passing(index, "missing=yes and name=c.png") == ["b"]


def test_the_writer_is_not_needed_by_a_reader(index):
    """A reader filters while another process writes."""
    with IndexWriter(index.folder), sqlite3.connect(index.folder / "clip_grid.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert passing(index, "seed=42") == ["deer", "fox"]
        other.execute("ROLLBACK")
