from __future__ import annotations

import csv
import io
import re

import pytest
from clip_grid.csv_cells import csv_lines, csv_text, plain_cell, safe_cell, split_lines
from hypothesis import example, given
from hypothesis import strategies as st

#: Texts in which the characters that matter are frequent.
TEXTS = st.text(st.one_of(st.sampled_from("'=+-@;|\t\r\n 019.eE\"“é＝"), st.characters(codec="utf-8")))


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\tx", "\rx", "\nx", " =1", "＝1", "-", "=", "- a list"]
)
def test_a_formula_becomes_a_text(text):
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "a cat", "-1", "+0.5", "-.5", "-1e-9", "-1.", "'a cat'", "a=b", "2-1", "'"])
def test_other_texts_and_numbers_stay_as_they_are(text):
    assert safe_cell(text) == text


@pytest.mark.parametrize("text", ["-١", "-1_000", "-inf", "+nan", "-0x10", "--1"])
def test_what_only_python_takes_for_a_number_is_no_number(text):
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a cat;=HYPERLINK(1)", "a cat;'=HYPERLINK(1)"),
        ("a\t@SUM(1)", "a\t'@SUM(1)"),
        ("a| +cmd", "a|' +cmd"),
        ("one\n=two", "one\n'=two"),
        ('a;"=1+1"', 'a;\'"=1+1"'),
        ("a; -0.5;7", "a; -0.5;7"),
        ("a cat, -blurry", "a cat, -blurry"),
    ],
)
def test_no_spreadsheet_of_another_separator_finds_a_formula_within_a_text(text, written):
    assert safe_cell(text) == written
    assert plain_cell(written) == text


@given(TEXTS, st.sampled_from(";\t|"))
def test_no_cell_that_another_separator_makes_of_a_file_begins_like_a_formula(text, separator):
    for cell in re.split(rf"[{separator}\r\n]", csv_text(["a"], [[text]]).removeprefix("a\r\n")):
        bare = cell.strip().lstrip('"').strip()
        assert not re.match(r"[=@＝＋－＠]", bare)
        assert not re.match(r"[+-]", bare) or float(bare.rstrip('"')) is not None


@given(TEXTS)
@example("'=1")
@example("''=1")
@example("'-1")
@example("'")
def test_every_text_comes_back_as_it_was(text):
    assert plain_cell(safe_cell(text)) == text


@given(TEXTS)
def test_no_written_cell_begins_like_a_formula_but_a_number(text):
    written = safe_cell(text)

    assert written[:1] not in set("=@\t\r\n＝")
    assert written[:1] not in set("+-") or float(written) is not None


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_every_reader_of_csv_sees_the_same_cells(rows):
    # the csv module of Python 3.10 reads no NUL
    rows = [tuple(cell.replace("\0", "") for cell in row) for row in rows]
    text = csv_text(["a", "b, c"], rows)

    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read == [["a", "b, c"], *([safe_cell(cell) for cell in row] for row in rows)]


def test_numbers_keep_their_digits_and_nothing_is_an_empty_cell():
    row = (0.1 + 0.2, -3, True, False, None, -0.5, "-0.5", "=x")

    assert csv_text(["a"], [row]) == "a\r\n0.30000000000000004,-3,true,false,,-0.5,-0.5,'=x\r\n"


def test_rows_may_come_one_by_one():
    lines = csv_lines(["n"], ([n] for n in range(3)))

    assert list(lines) == ["n\r\n", "0\r\n", "1\r\n", "2\r\n"]


def test_a_record_of_one_empty_cell_is_no_blank_line():
    assert csv_text(["a"], [[""], [None]]) == 'a\r\n""\r\n""\r\n'


def test_no_rows_are_a_header_alone():
    assert csv_text(["a", "é"], []) == "a,é\r\n"


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1))
def test_what_was_written_is_split_into_the_same_cells_without_the_blanks_around(rows):
    lines = list(split_lines(csv_text(["a", "b"], rows), ","))

    assert [line.cells for line in lines[1:]] == [tuple(safe_cell(cell).strip() for cell in row) for row in rows]


def test_a_quote_that_is_never_closed_is_a_letter():
    lines = list(split_lines('a.png,5" nails,1\nb.png,"a cat,0\n', ","))

    assert [line.cells for line in lines] == [("a.png", '5" nails', "1"), ("b.png", '"a cat', "0")]
    assert [line.number for line in lines] == [1, 2]


def test_a_quote_that_is_never_closed_leaves_the_quoted_rows_below_alone():
    lines = list(split_lines('a.png,"a cat,0\nb.png,"a dog, ""x""",1\nc.png,"quoted" words,0', ","))

    assert [line.cells for line in lines] == [
        ("a.png", '"a cat', "0"),
        ("b.png", 'a dog, "x"', "1"),
        ("c.png", '"quoted" words', "0"),
    ]


def test_a_cell_of_several_lines_counts_as_one_record():
    lines = list(split_lines('a,"x\ny"\nb,"say ""hi"""', ","))

    assert [(line.number, line.cells) for line in lines] == [(1, ("a", "x\ny")), (3, ("b", 'say "hi"'))]
    assert not any(line.blank for line in lines)


@given(
    st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_records_are_those_of_the_csv_module(rows, delimiter, quoting, end):
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    read = csv.reader(io.StringIO(written.getvalue(), newline=""), delimiter=delimiter)

    expected = [[cell.strip() for cell in row] for row in read]
    found = [[cell.strip() for cell in line.cells] for line in split_lines(written.getvalue(), delimiter)]
    assert [row for row in found if any(row)] == [row for row in expected if any(row)]
