"""Tests: the files of results, and what they may replace."""

from __future__ import annotations

import json

import pytest
from clip_grid.clip_backend.match_files.report import RESULT_COLUMNS
from clip_grid.errors import InputError, OutputError

from .toy_match import TRUE, pairs_of, run, table_of

COLUMNS = ["image_path", "text", "label", "note"]


def test_the_csv_has_the_given_columns_and_ours(folder, toy):
    pairs = pairs_of(folder, "a.png,=a,1,'x", "gone.png,+b,0,-2", columns=",".join(COLUMNS))

    run(pairs, folder / "new" / "out.csv", toy)

    first, second = table_of(folder / "new" / "out.csv")
    assert list(first) == [*COLUMNS, *RESULT_COLUMNS]
    assert [first[name] for name in COLUMNS] == ["a.png", "'=a", "1", "'x"]
    assert (float(first["cosine"]), first["verdict"], first["error"]) == (TRUE, "match", "")
    assert (first["clip_is_match"], first["clip_match_status"]) == ("true", "Match (score: 0.310)")
    assert float(first["clip_similarity_score"]) == TRUE
    assert (first["threshold"], first["threshold_scale"], first["probability_scale"]) == ("0.25", "cosine", "sigmoid")
    assert first["missing_phrases"] == "in é"
    assert (second["text"], second["note"], second["cosine"], second["clip_is_match"]) == ("'+b", "-2", "", "")
    assert "there is no file gone.png" in second["error"]


def test_the_json_is_the_report(folder, toy):
    report = run(pairs_of(folder, "a.png,a é,1", "gone.png,b,0"), folder / "out.json", toy)

    told = json.loads((folder / "out.json").read_text("utf-8"))
    assert told.pop("clip_grid") == "match-batch"
    assert told == json.loads(json.dumps(report.to_dict()))
    assert (told["status"], told["rows"], told["done"], told["failed"]) == ("partial", 2, 1, 1)
    first, second = told["results"]
    assert (first["row"], first["image_path"], first["text"], first["label"]) == (1, "a.png", "a é", True)
    assert first["phrases"][0] == {
        "text": "in é",
        "cosine": 0.2,
        "z": 0.1,
        "percentile": 9.0,
        "support": -0.01,
        "status": "missing",
        "is_missing": True,
    }
    assert (second["cosine"], second["clip_is_match"], second["label"]) == (None, None, False)


def test_json_lines_have_the_same_keys_in_every_line(folder, toy):
    report = run(pairs_of(folder, "a.png,a,1", "gone.png,b"), folder / "out.JSONL", toy)

    lines = [json.loads(line) for line in (folder / "out.JSONL").read_text("utf-8").splitlines()]
    assert lines == json.loads(json.dumps(report.to_dict()))["results"]
    assert lines[0].keys() == lines[1].keys() >= {"cosine", "clip_similarity_score", "error"}


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.jsonl"])
def test_results_are_replaced_by_those_of_the_next_run(name, folder, toy):
    pairs = pairs_of(folder, "gone.png,a")
    run(pairs, folder / name, toy)
    before = (folder / name).read_bytes()

    report = run(pairs_of(folder, "a.png,a"), folder / name, toy)

    assert (report.done, report.resumed) == (1, 0)
    assert (folder / name).read_bytes() != before


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.jsonl"])
def test_a_file_of_something_else_is_not_replaced_unasked(name, folder, toy):
    (folder / name).write_text('{"mine": 1}')
    pairs = pairs_of(folder, "a.png,a")

    with pytest.raises(OutputError, match=r"does not hold results of this program; .* allow overwriting"):
        run(pairs, folder / name, toy)
    assert toy.opened == 0

    run(pairs, folder / name, toy, overwrite=True)
    assert "clip_similarity_score" in (folder / name).read_text("utf-8")


def test_an_empty_file_is_in_nobodys_way(folder, toy):
    (folder / "out.csv").touch()

    assert run(pairs_of(folder, "a.png,a"), folder / "out.csv", toy).status == "ok"


def test_a_file_of_results_may_itself_be_the_pairs(folder, toy):
    run(pairs_of(folder, "a.png,=a,1,x", columns=",".join(COLUMNS)), folder / "first.csv", toy)

    report = run(folder / "first.csv", folder / "second.csv", toy)

    assert report.results[0].row.text == "=a"
    assert table_of(folder / "second.csv") == table_of(folder / "first.csv")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.txt", "ends in '.txt'; results are written as .csv, .json, .jsonl"),
        ("out", "ends in 'nothing'"),
        ("pairs.csv", "the results would replace the pairs"),
    ],
)
def test_a_name_that_cannot_be_meant_is_refused(name, message, folder, toy):
    with pytest.raises(InputError, match=message):
        run(pairs_of(folder, "a.png,a"), folder / name, toy, overwrite=True)


def test_a_place_that_cannot_be_written_is_named(folder, toy):
    (folder / "sub.csv").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        run(pairs_of(folder, "a.png,a"), folder / "sub.csv", toy)
    with pytest.raises(OutputError, match="cannot be written"):
        run(pairs_of(folder, "a.png,a"), folder / "a.png" / "out.csv", toy)
