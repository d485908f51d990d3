from __future__ import annotations

import pytest
from clip_grid.clip_backend.match_files.pairs_file import read_label, read_pairs
from clip_grid.csv_cells import csv_text, plain_cell, safe_cell
from clip_grid.errors import InputError
from hypothesis import assume, given
from hypothesis import strategies as st


@pytest.fixture
def read(tmp_path):
    def write_and_read(text, encoding="utf-8"):
        path = tmp_path / "pairs é.csv"
        path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
        return read_pairs(path)

    return write_and_read


def told(table):
    return [(row.image, row.text, row.label) for row in table.rows]


def test_a_plain_file_is_read(read):
    table = read("image_path,text,label\na.png,a cat,1\nsub/b.png,ein Hündchen,0\n")

    assert table.columns == ("image_path", "text", "label")
    assert told(table) == [("a.png", "a cat", True), ("sub/b.png", "ein Hündchen", False)]
    assert [row.number for row in table.rows] == [1, 2]
    assert not any(row.problem for row in table.rows)


@pytest.mark.parametrize(
    "text",
    [
        "image_path;text;label\r\na.png;a cat, sitting;1\r\n",
        "image_path\ttext\tlabel\na.png\ta cat, sitting\t1",
        "image_path|text|label\ra.png|a cat, sitting|1\r",
        "sep=;\nimage_path;text;label\na.png;a cat, sitting;1",
        '\n\n"image_path","text","label"\n\n "a.png" , "a cat, sitting" ,"1"\n,,\n\n',
        "\ufeffimage_path,text,label\na.png,'a cat, sitting',1".replace("'", '"'),
        "label;IMAGE PATH;note;Text\n1;a.png;x;a cat, sitting",
        "label;text;image-path;\n1;a cat, sitting;a.png;",
    ],
)
def test_every_dialect_says_the_same(text, read):
    assert told(read(text)) == [("a.png", "a cat, sitting", True)]


@pytest.mark.parametrize("image", ["image", "File", "file name", "FilePath", "path", "img", "picture"])
@pytest.mark.parametrize("text", ["caption", "Description", "PROMPT", "sentence"])
def test_columns_go_by_their_usual_names(image, text, read):
    assert told(read(f"{text},{image}\na cat,a.png")) == [("a.png", "a cat", None)]


def test_of_two_columns_that_might_be_meant_the_better_name_wins(read):
    assert told(read("path,prompt,image_path,text\nx,y,a.png,a cat")) == [("a.png", "a cat", None)]


def test_a_row_number_counts_the_rows_that_are_not_blank(read):
    table = read("image,text\n\na.png,x\n,\nb.png,y\n")

    assert [(row.number, row.image) for row in table.rows] == [(1, "a.png"), (2, "b.png")]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (",a cat,1", "it names no picture"),
        ("a.png,,1", "its text is empty"),
        ("a.png", "its text is empty"),
        ("a.png,a cat,maybe", "the label 'maybe' is neither 1 nor 0"),
        ("a.png,a cat,nan", "the label 'nan' is neither"),
        ("a.png,a cat,2", "the label '2' is neither"),
        ("a.png,a cat, sitting,1", "it has 4 cells, the header 3; a text that contains the separator"),
    ],
)
def test_a_broken_row_says_what_is_wrong_and_costs_itself_alone(row, problem, read):
    table = read(f"image,text,label\nx.png,x,1\n{row}\ny.png,y,0\n")

    assert [bool(row.problem) for row in table.rows] == [False, True, False]
    assert problem in table.rows[1].problem
    assert len(table.rows[1].cells) == 3


def test_a_row_may_lack_its_label_and_have_empty_cells_behind(read):
    table = read("image,text,label\na.png,a cat\nb.png,b,1,,\n")

    assert told(table) == [("a.png", "a cat", None), ("b.png", "b", True)]
    assert not any(row.problem for row in table.rows)


def test_a_quote_that_is_never_closed_costs_no_other_row(read):
    table = read('image,text,label\na.png,"a cat,1\nb.png,5" nails,0\n')

    assert told(table) == [("a.png", '"a cat', True), ("b.png", '5" nails', False)]


def test_texts_may_have_lines_and_apostrophes_before_formulas_are_taken_off(read):
    table = read("image,text\n'-a.png,\"'=a\nb\"\n'b.png,'quoted'\n")

    assert told(table) == [("-a.png", "=a\nb", None), ("'b.png", "'quoted'", None)]


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1), st.sampled_from(["", "1", "0"])), min_size=1))
def test_whatever_is_written_as_csv_comes_back(tmp_path_factory, rows):
    assume(all(row[0].strip() and row[1].strip() and "\0" not in row[0] + row[1] for row in rows))
    path = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    path.write_text(csv_text(["image_path", "text", "label"], rows), "utf-8", newline="")

    table = read_pairs(path)

    labels = {"": None, "1": True, "0": False}
    assert [(row.text, row.label) for row in table.rows] == [
        (plain_cell(safe_cell(text).strip()), labels[label]) for _, text, label in rows
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pairs é.csv is empty; it needs a header such as image_path,text,label"),
        ("\ufeff \n\n", "is empty"),
        ("image,text\n", "has a header but no rows"),
        ("image,text\n,\n\n", "has a header but no rows"),
        (",,\n", "no column of pictures"),
        ("title;caption\nx;y\n", "no column of pictures, only title, caption; its first line must be a header"),
        ("image,words\na.png,y\n", "no column of texts, only image, words; .* called text, caption"),
        ("a.png,a cat,1\nb.png,a dog,0\n", "no column of pictures, only a.png, a cat, 1;"),
        ("image,text\na.png,x\0y", "NUL bytes"),
    ],
)
def test_a_file_that_is_none_of_pairs_is_refused(text, message, read):
    with pytest.raises(InputError, match=message):
        read(text)


def test_a_byte_that_is_no_utf_8_costs_its_row_alone(read):
    good, bad = b"image_path,text\na.png,a cat\n", b"b.png,caf\xe9\n"

    table = read(good + bad + "c.png,ein Hündchen\n".encode())

    assert [bool(row.problem) for row in table.rows] == [False, True, False]
    assert "save the file as CSV in UTF-8" in table.rows[1].problem
    # what is written of the row can be encoded
    assert table.rows[1].cells == ("b.png", "caf\N{REPLACEMENT CHARACTER}")
    assert told(table)[2] == ("c.png", "ein Hündchen", None)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_with_its_mark_is_read(encoding, read):
    text = "image_path,text\na.png,ein Hündchen\n"

    table = read(text if encoding == "utf-16" else "\ufeff" + text, encoding)

    assert told(table) == [("a.png", "ein Hündchen", None)]


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"gone.csv does not exist; check the path"):
        read_pairs(tmp_path / "gone.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_pairs(tmp_path)


@pytest.mark.parametrize("text", ["1", "1.0", "true", "TRUE", " Yes ", "y", "match", "Matched"])
def test_words_for_a_match(text):
    assert read_label(text) is True


@pytest.mark.parametrize("text", ["0", "0.0", "False", "no", "N", "mismatch", "no_match", "NO MATCH"])
def test_words_for_a_mismatch(text):
    assert read_label(text) is False


@pytest.mark.parametrize("text", ["", "maybe", "nan", "-1", "2", "0.5", "10", "ja"])
def test_other_words_say_nothing(text):
    assert read_label(text) is None
