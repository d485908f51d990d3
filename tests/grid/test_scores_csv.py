"""The CSV file of the scores: read back whole, safe for spreadsheets, and never over a file of the user."""

from __future__ import annotations

import csv
import json

import pytest
from clip_grid.csv_cells import plain_cell
from clip_grid.errors import OutputError

from .samples import export, flats, save, survey

HEAD = ["path", "label", "source", "page", "row", "column"]


def rows_of(path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def scores(*values, name="cosine"):
    return [{name: value} for value in values]


def test_the_scores_come_back_as_they_were(tmp_path):
    values = (0.1 + 0.2, -0.25, 1e-17)
    inputs = {"scores": scores(*values), "labels": ['a "b", c', "两行\nzwei", "x"]}

    report = export(flats(3), tmp_path / "s.png", inputs, scores_csv=True, columns=2)

    head, *rows = rows_of(tmp_path / "s.scores.csv")
    assert head == [*HEAD, "cosine"]
    assert [row[:6] for row in rows] == [
        ["image 1", 'a "b", c', "text", "0", "0", "0"],
        ["image 2", "两行\nzwei", "text", "0", "0", "1"],
        ["image 3", "x", "text", "0", "1", "0"],
    ]
    assert [float(row[6]) for row in rows] == [*values]
    assert report.scores_file == str(tmp_path / "s.scores.csv")
    assert json.loads((tmp_path / "s.json").read_text("utf-8"))["scores_file"] == report.scores_file


def test_a_text_is_never_a_formula(tmp_path):
    inputs = {"scores": [{"=1+1": 0.5}], "labels": ['=HYPERLINK("http://x")']}

    export(flats(1), tmp_path / "s.png", inputs, scores_csv=True)

    head, row = rows_of(tmp_path / "s.scores.csv")
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in (*head, *row))
    assert (plain_cell(head[6]), plain_cell(row[1])) == ("=1+1", '=HYPERLINK("http://x")')


def test_a_picture_without_a_score_has_an_empty_cell(tmp_path):
    inputs = {"scores": [{"a": 1.5}, {}, {"a": float("nan"), "b": 2}]}

    export(flats(3), tmp_path / "s.png", inputs, scores_csv=True)

    head, *rows = rows_of(tmp_path / "s.scores.csv")
    assert (head[6:], [row[6:] for row in rows]) == (["a", "b"], [["1.5", ""], ["", ""], ["nan", "2.0"]])


def test_a_score_called_like_a_place_keeps_its_column(tmp_path):
    export(flats(1), tmp_path / "s.png", {"scores": scores(0.5, name="Row")}, scores_csv=True)

    assert rows_of(tmp_path / "s.scores.csv") == [
        [*HEAD, "Row (2)"],
        ["image 1", "image 1", "filename", "0", "0", "0", "0.5"],
    ]


def test_pages_have_one_file_of_scores(tmp_path):
    export(flats(3), tmp_path / "s.png", {"scores": scores(1, 2, 3)}, scores_csv=True, rows=1, columns=1)

    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["s.scores.csv"]
    assert [row[3] for row in rows_of(tmp_path / "s.scores.csv")[1:]] == ["0", "1", "2"]


def test_no_file_is_written_unasked(tmp_path):
    report = export(flats(1), tmp_path / "s.png", {"scores": scores(1)})

    assert not (tmp_path / "s.scores.csv").exists()
    assert "scores_file" not in report.to_dict()


def test_a_second_run_replaces_its_own_file(tmp_path):
    for value in (0.5, 0.75):
        export(flats(1), tmp_path / "s.png", {"scores": scores(value)}, scores_csv=True)

    assert rows_of(tmp_path / "s.scores.csv")[1][6] == "0.75"


@pytest.mark.parametrize("content", [b"path,label\n", b"\xff\xfe\x00", b"path;label;source;page;row;column\n"])
def test_a_file_of_the_user_is_never_replaced(content, tmp_path):
    (tmp_path / "s.scores.csv").write_bytes(content)

    with pytest.raises(OutputError, match=r"s\.scores\.csv exists and does not hold scores of a sheet"):
        export(flats(1), tmp_path / "s.png", {"scores": scores(1)}, scores_csv=True)

    assert (tmp_path / "s.scores.csv").read_bytes() == content
    assert not (tmp_path / "s.png").exists()


def test_a_picture_that_breaks_is_left_out_as_in_the_report(tmp_path):
    from .samples import truncated

    save(tmp_path / "in/a.png")
    truncated(tmp_path / "in/b.png")
    save(tmp_path / "in/né.png")

    report = export(survey(tmp_path / "in"), tmp_path / "s.png", {"scores": scores(1, 2, 3)}, scores_csv=True)

    names = [row[0].rpartition("/")[2] for row in rows_of(tmp_path / "s.scores.csv")[1:]]
    assert (names, len(report.skipped)) == (["a.png", "né.png"], 1)
