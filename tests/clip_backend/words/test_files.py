"""Vocabularies in text, CSV and JSON files, valid and broken."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from clip_grid.clip_backend.words.files import read_vocabulary
from clip_grid.clip_backend.words.vocabulary import Facet, Vocabulary
from clip_grid.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

BIRDS = {"owl": "bird", "bird": "animal", "dog": "animal"}


def written(tmp_path: Path, name: str, text: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(tmp_path: Path, name: str, text: str | bytes) -> Vocabulary:
    return read_vocabulary(written(tmp_path, name, text))


def error_of(tmp_path: Path, name: str, text: str | bytes) -> str:
    """The error for a file, without its path, which comes first."""
    path = written(tmp_path, name, text)
    with pytest.raises(InputError) as caught:
        read_vocabulary(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def test_a_path_may_be_a_text(tmp_path: Path):
    path = written(tmp_path, "wörds.txt", "owl\ndog")

    assert read_vocabulary(str(path)) == read_vocabulary(path)


def shape(words: Vocabulary) -> list[tuple[str, tuple[str, ...], dict[str, str]]]:
    return [(facet.name, facet.labels, dict(facet.parents)) for facet in words.facets]


# the same vocabulary in every form

SAME = [("subject", ("animal", "owl", "dog"), BIRDS), ("mood", ("calm", "café"), {})]
FORMS = {
    "w.txt": """
# what is seen
[subject]
animal
animal > bird > owl
animal > dog

[mood]
calm
café
""",
    "w.csv": """Parent,FACET, Label
,subject,animal
animal > bird,subject,owl
animal,subject,dog
,mood,calm
,mood,café""",
    "semicolons.csv": """label;facet;parent
animal;subject;
owl;subject;animal > bird
dog;subject;animal
calm;mood
café;mood
""",
    "facets.json": json.dumps(
        [
            {"facet": "subject", "labels": {"animal": ["animal", {"bird": ["owl"]}, "dog"]}},
            {"facet": "mood", "labels": ["calm", "café"]},
        ],
        ensure_ascii=False,
    ),
    "names.json": json.dumps({"subject": {"animal": ["animal", {"bird": ["owl"]}, "dog"]}, "mood": ["calm", "café"]}),
    "objects.json": json.dumps(
        {
            "subject": [{"animal": {"": ["animal"], "bird": ["owl"]}}, {"animal": ["dog"]}],
            "mood": {"": ["calm", "café"]},
        }
    ),
    "bodies.json": json.dumps(
        {"subject": {"labels": ["animal", {"animal": [{"bird": ["owl"]}, "dog"]}]}, "mood": ["calm", "café"]}
    ),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_every_form_is_read_alike(tmp_path: Path, name: str, mark: bytes, line_end: str):
    words = read(tmp_path, name, mark + FORMS[name].replace("\n", line_end).encode())

    assert shape(words) == SAME
    assert (words.name, words.notes) == (name, ())


@pytest.mark.parametrize(
    ("name", "text"),
    [("w.txt", "dog\ncat"), ("w.csv", "dog\ncat"), ("w.csv", "label\n\ndog\ncat\n"), ("w.json", '["dog", "cat"]'),
     ("w.json", '{"labels": ["dog", "cat"]}'), ("W.TXT", "  dog\n\n\tcat  ")],
)  # fmt: skip
def test_labels_without_a_facet_are_of_one_facet(tmp_path: Path, name: str, text: str):
    assert shape(read(tmp_path, name, text)) == [("label", ("dog", "cat"), {})]


@pytest.mark.parametrize(
    ("name", "text"),
    [("w.txt", "dog\ncat\nDog\nlast"), ("w.csv", "label\ndog\ncat\nDog\nlast"),
     ("w.json", '["dog", "cat", "Dog", "last"]')],
)  # fmt: skip
def test_labels_listed_twice_count_once_with_a_note(tmp_path: Path, name: str, text: str):
    words = read(tmp_path, name, text)

    assert words.facets[0].labels == ("dog", "cat", "last")
    assert words.notes == ("listed more than once and taken once: dog",)


def test_a_single_label_in_a_file_has_a_note(tmp_path: Path):
    assert "'pets' has one label" in read(tmp_path, "w.txt", "[pets]\ndog").notes[0]


def test_ten_thousand_labels_are_read(tmp_path: Path):
    text = "\n".join(f"group {number % 7} > thing {number}" for number in range(10_000))

    assert len(read(tmp_path, "w.txt", text)) == 10_000


# lists and tables


def test_a_comment_takes_a_whole_line_and_a_section_may_come_again(tmp_path: Path):
    words = read(tmp_path, "w.txt", "# no\n[x]\nc# code\n[y]\nb\n[X]\nlast\n[]\nfree")

    assert shape(words) == [("x", ("c# code", "last"), {}), ("y", ("b",), {}), ("label", ("free",), {})]


def test_cells_may_hold_delimiters_and_line_breaks_in_quotes(tmp_path: Path):
    words = read(tmp_path, "w.csv", 'label,other\n"red, green",1\n"two\nlines",2\n"a ""b""",3')

    assert words.facets[0].labels == ("red, green", "two lines", 'a "b"')


def test_a_table_may_be_in_tabs_and_its_rows_short(tmp_path: Path):
    assert shape(read(tmp_path, "w.csv", "facet\tlabels\tparent\nx\ta\tp\n\tb")) == [
        ("x", ("a",), {"a": "p"}),
        ("label", ("b",), {}),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("w.txt", "dog\nanimal > > cat", "line 2 is 'animal > > cat'; on both sides of > there must be a name"),
        ("w.txt", "a > b\nb > a", "in the facet 'label', 'b' is a kind of itself"),
        ("w.txt", "# nothing\n[x]\n", "the vocabulary w.txt has no labels; give at least one"),
        ("w.csv", "dog,animal\ncat,animal", "the first line names no column label; it must be a header such as"),
        ("w.csv", "label,facet\ndog,x\n,x\ncat,x", "line 3 has no label; fill it in"),
        ("w.csv", "label,parent\ndog,animal >", "line 2 is 'animal >'; on both sides of >"),
        ("w.csv", 'label\n"dog\ncat', "line 3 is no sound CSV (unexpected end of data); check its quotes"),
        ("w.csv", "label,facet\n", "the vocabulary w.csv has no labels"),
        ("w.csv", ",\n,,", "has no labels"),
    ],
)
def test_a_broken_list_or_table_is_refused_by_line(tmp_path: Path, name: str, text: str, message: str):
    assert message in error_of(tmp_path, name, text)


def test_a_cell_too_long_for_a_table_is_refused(tmp_path: Path):
    assert "line 2 is no sound CSV (field larger than" in error_of(tmp_path, "w.csv", "label\n" + "x" * 200_000)


# JSON


def test_templates_belong_to_their_facet(tmp_path: Path):
    facets = [{"facet": "X", "templates": ["{}", "a {}"], "labels": ["p"]}, {"facet": "y", "labels": ["q"]}]

    words = read(tmp_path, "w.json", json.dumps(facets))

    assert words.facets == (Facet(name="X", labels=("p",), templates=("{}", "a {}")), Facet(name="y", labels=("q",)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["dog", "cat"', "is not valid JSON (expecting ',' delimiter at line 1, column 14)"),
        ("[" * 100_000, "nested more than 100 levels deep"),
        (
            "9" * 5000,
            "stands where labels should be" if sys.version_info < (3, 10, 7) else "a number of too many digits",
        ),
        ('{"x":' * 30 + '["dog"]' + "}" * 30, "nested more than 20 deep"),
        ("[]", "has no labels; give at least one"),
        ("{}", "has no labels; give at least one"),
        ("3", "3 stands where labels should be; give a list of texts"),
        ('{"x": "dog"}', '"dog" stands where labels should be'),
        ('["dog", 3]', "a label is 3; it must be a text"),
        ('["dog", ["cat"]]', 'a label is ["cat"]; it must be a text'),
        ('["dog", " "]', 'a label is " "; it must be a text that is not empty'),
        ('{"x": ["a"], "x": ["b"]}', "one object holds 'x' twice"),
        ('{"facet": 1, "labels": ["a"]}', "the name of a facet is 1"),
        ('{"facet": "x", "template": ["{}"], "labels": ["a"]}', "a facet has the key 'template'; it can have facet, "),
        ('{"facet": "x", "templates": "{}", "labels": ["a"]}', 'the templates are "{}"; give a list of texts'),
        ('{"facet": "x", "templates": ["a photo"], "labels": ["a"]}', "the template 'a photo' must hold {} once"),
        ('[{"facet": "x", "labels": ["a"]}, "b"]', '"b" stands among facets'),
    ],
)
def test_broken_json_is_refused_with_what_is_wrong(tmp_path: Path, text: str, message: str):
    assert message in error_of(tmp_path, "w.json", text)


# files


def test_another_encoding_is_refused_by_byte_and_line(tmp_path: Path):
    message = error_of(tmp_path, "w.txt", b"dog\ncaf\xe9\n")

    assert message == "byte 8 (0xE9, in line 2) is not UTF-8; save the file as UTF-8"


def test_bytes_are_counted_from_the_start_of_the_file(tmp_path: Path):
    assert error_of(tmp_path, "w.txt", b"\xef\xbb\xbfdog\ncaf\xe9\n").startswith("byte 11 (0xE9, in line 2)")


def test_utf_16_is_refused_with_and_without_its_mark(tmp_path: Path):
    assert error_of(tmp_path, "w.csv", "dog\ncat".encode("utf-16")).startswith("byte 1 (0xF")
    assert "byte 2 is 0, which is not text in UTF-8" in error_of(tmp_path, "w.csv", "dog\ncat".encode("utf-16-le"))


@pytest.mark.parametrize("name", ["w.txt", "w.csv", "w.json"])
@pytest.mark.parametrize("text", [b"", b" \n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str, text: bytes):
    assert error_of(tmp_path, name, text) == "is empty; write one label per line"


@pytest.mark.parametrize("name", ["w.yaml", "w", "w.txt.gz"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str):
    with pytest.raises(InputError, match=r"by its ending; save it as \.txt, \.csv or \.json"):
        read(tmp_path, name, "dog")


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path):
    (tmp_path / "folder.txt").mkdir()

    with pytest.raises(InputError, match=r"gone\.txt does not exist; check the path"):
        read_vocabulary(tmp_path / "gone.txt")
    with pytest.raises(InputError, match=r"folder\.txt cannot be read: it is a folder"):
        read_vocabulary(tmp_path / "folder.txt")


def test_a_file_too_large_for_words_is_refused_unread(tmp_path: Path):
    path = tmp_path / "w.txt"
    with path.open("wb") as file:
        file.truncate((16 << 20) + 1)

    with pytest.raises(InputError, match="larger than 16 MiB"):
        read_vocabulary(path)


FRAGMENTS = st.lists(
    st.sampled_from([*'[]{}",:;>#\t\r\n \\\ud7ff\ufeff\u2028', "label", "labels", "facet", "parent", '"a"', "b", "\0"])
)


@given(
    st.sampled_from(["w.txt", "w.csv", "w.json"]),
    FRAGMENTS.map(lambda parts: "".join(parts).encode()) | st.binary(),
)
@settings(max_examples=150, deadline=None)
def test_whatever_a_file_holds_it_is_read_or_refused(name: str, content: bytes):
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), name, content)
        with suppress(InputError):
            assert len(read_vocabulary(path)) > 0
