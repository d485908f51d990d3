"""``clip-grid match-batch``: results as a file, a table or JSON, how well the model did, and calibration."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from .drawn import DEMO, WORDS, Shell

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

#: What is wrong about each picture of WORDS.
WRONG = (*WORDS[1:], WORDS[0])


@pytest.fixture
def pairs(scenes: Path, tmp_path: Path) -> Path:
    """A true and a false caption for each picture."""
    lines = ["image_path,text,label"]
    for number, (right, wrong) in enumerate(zip(WORDS, WRONG, strict=True), 1):
        lines += [f"scenes/{number:02}.png,a {right},1", f"scenes/{number:02}.png,a {wrong},0"]
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_the_summary_tells_verdicts_metrics_and_their_scales(shell: Shell, pairs: Path, tmp_path: Path):
    answer = shell("match-batch", pairs, "--out", tmp_path / "results.csv", *DEMO)

    assert (answer.status, answer.err) == (0, "")
    assert answer.lines[0] == "match from z 2 on; model: shapes-demo"
    assert answer.lines[1] == f"{pairs}: 24 pairs, 24 matched, 0 failed"
    assert answer.lines[2] == f"results: {tmp_path / 'results.csv'}"
    assert answer.lines[3].startswith("verdicts: ")
    assert answer.lines[4] == "labels: 24 pairs, 12 of them matches"
    assert answer.lines[5].split()[:3] == ["ROC-AUC", "of", "z"]


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl"])
def test_results_are_written_in_the_format_of_the_ending(shell: Shell, pairs: Path, tmp_path: Path, ending):
    out = tmp_path / f"results.{ending}"

    assert shell("match-batch", pairs, "--out", out, *DEMO).status == 0

    text = out.read_text("utf-8")
    if ending == "csv":
        rows = list(csv.DictReader(text.splitlines()))
    else:
        rows = json.loads(text)["results"] if ending == "json" else [json.loads(line) for line in text.splitlines()]
    cosines = [float(row["cosine"]) for row in rows]
    assert all(right > wrong for right, wrong in zip(cosines[::2], cosines[1::2], strict=True))
    assert {row["verdict"] for row in rows[::2]} == {"match"}
    assert all(row["probability_scale"] and row["threshold_scale"] == "z" for row in rows)


def test_without_a_file_the_results_are_on_the_terminal(shell: Shell, pairs: Path):
    answer = shell("match-batch", pairs, *DEMO)

    lines = [line for line in answer.lines if line.endswith(tuple(f"a {words}" for words in WORDS))]
    assert [line.split()[0] for line in lines[::2]] == ["match"] * 12
    assert len(lines) == 24


def test_json_holds_rows_and_metrics(shell: Shell, pairs: Path):
    report = shell("match-batch", pairs, *DEMO, "--json").json

    assert (report["status"], report["rows"], len(report["results"])) == ("ok", 24, 24)
    assert report["metrics"]["roc_auc"] >= 0.9


def test_broken_rows_cost_themselves_alone_and_mean_status_3(shell: Shell, pairs: Path, scenes: Path):
    (scenes / "03.png").write_bytes(b"no picture")
    with pairs.open("a", encoding="utf-8") as file:
        file.write("scenes/nowhere.png,a cat,0\nscenes/01.png,,1\nscenes/01.png,a white cross,maybe\n")

    answer = shell("match-batch", pairs, *DEMO)

    assert answer.status == 3
    assert "27 pairs, 22 matched, 5 failed" in answer.out
    failures = answer.err.splitlines()
    assert [line.split(" failed: ")[0] for line in failures] == [f"note: row {row}" for row in (5, 6, 25, 26, 27)]


def test_when_no_row_can_be_matched_the_status_is_1(shell: Shell, tmp_path: Path):
    (tmp_path / "pairs.csv").write_text("image_path,text\nnowhere.png,a cat\n")

    answer = shell("match-batch", tmp_path / "pairs.csv", *DEMO)

    assert answer.status == 1
    assert "row 1 failed" in answer.err and answer.err.endswith("error: none of the rows could be matched\n")


def test_a_calibration_that_was_learnt_gives_probabilities(shell: Shell, pairs: Path, scenes: Path, tmp_path: Path):
    learnt = tmp_path / "mine.json"

    saved = shell("match-batch", pairs, "--save-calibration", learnt, *DEMO)
    command = ("match", "--image", scenes / "10.png", "--text", "a red circle", "a blue ring", *DEMO, "--json")
    right, wrong = shell(*command, "--calibration", learnt).json["matches"]

    assert saved.status == 0
    assert f"note: the calibration is in {learnt}" in saved.err
    assert (right["probability_scale"], wrong["probability_scale"]) == ("calibrated", "calibrated")
    assert right["probability"] > 0.5 > wrong["probability"]
    assert shell("match-batch", pairs, "--calibration", learnt, *DEMO).status == 0


def test_a_second_run_writes_the_same_results_whether_it_resumes_or_not(shell: Shell, pairs: Path, tmp_path: Path):
    out = tmp_path / "results.csv"
    command = ("match-batch", pairs, "--out", out, *DEMO)

    shell(*command)
    first = out.read_bytes()

    assert shell(*command).status == 0 and out.read_bytes() == first
    assert shell(*command, "--no-resume").status == 0 and out.read_bytes() == first


def test_somebody_elses_file_is_not_replaced_unless_told(shell: Shell, pairs: Path, tmp_path: Path):
    out = tmp_path / "notes.csv"
    out.write_text("day,note\n1,keep me\n")

    refused = shell("match-batch", pairs, "--out", out, *DEMO)

    assert refused.status == 1
    assert "notes.csv" in refused.err and "keep me" in out.read_text()
    assert shell("match-batch", pairs, "--out", out, "--overwrite", *DEMO).status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        (["EMPTY"], "empty.csv is empty"),
        (["PAIRS", "--out", "results.txt"], "results.txt"),
        (["PAIRS", "--threshold", "2"], "threshold is 2"),
        (["PAIRS", "--calibration", "nowhere.json"], "nowhere.json"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_found_before_the_model(
    shell: Shell, pairs: Path, tmp_path: Path, arguments, message
):
    (tmp_path / "empty.csv").write_text("")
    named = {"EMPTY": tmp_path / "empty.csv", "PAIRS": pairs}

    answer = shell("match-batch", *(named.get(word, word) for word in arguments), "--model", "/no/such/model")

    assert (answer.status, answer.out) == (1, "")
    assert message in answer.err and answer.err.count("\n") == 1


def test_labels_of_one_kind_give_no_calibration(shell: Shell, pairs: Path, tmp_path: Path):
    lines = [line for line in pairs.read_text("utf-8").splitlines() if not line.endswith(",0")]
    pairs.write_text("\n".join(lines), "utf-8")

    answer = shell("match-batch", pairs, "--save-calibration", tmp_path / "mine.json", *DEMO)

    assert answer.status == 1
    assert answer.err.startswith("error: ")
    assert not (tmp_path / "mine.json").exists()


@pytest.mark.parametrize("arguments", [[], ["a.csv", "b.csv"], ["a.csv", "--mode", "matrix"]])
def test_wrong_usage_is_status_2(shell: Shell, arguments):
    assert shell("match-batch", *arguments).status == 2
