"""``clip-grid match``: one pair in full, several as lines, a matrix; every score with its scale."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .drawn import DEMO, WORDS, Shell

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

FIELDS = {
    "cosine", "clip_score", "probability", "probability_scale", "z", "percentile", "verdict", "reason", "threshold",
    "threshold_scale", "model", "phrases", "clip_similarity_score", "clip_match_status", "clip_is_match",
}  # fmt: skip


def test_one_pair_is_told_in_full_with_a_scale_for_every_number(shell: Shell, scenes: Path):
    answer = shell("match", "--image", scenes / "10.png", "--text", "a red circle on a green background", *DEMO)

    assert (answer.status, answer.err) == (0, "")
    assert answer.lines[0] == f"match: {scenes / '10.png'} · a red circle on a green background"
    told = {line.split()[0]: line for line in answer.lines[1:]}
    assert "standard deviations above" in answer.lines[1]
    assert "a match from 2 on; standard deviations above the mean" in told["z"]
    assert "of 100 unrelated texts" in told["percentile"]
    assert "softmax against" in told["probability"]
    assert {"cosine", "CLIPScore", "phrase", "model:"} <= told.keys()


def test_each_phrase_is_shown_unclear_or_missing(shell: Shell, scenes: Path):
    answer = shell("match", "--image", scenes / "10.png", "--text", "a red circle and a blue ring", *DEMO)

    head = next(place for place, line in enumerate(answer.lines) if line.split()[:1] == ["phrase"])
    phrases = {line.split("  ")[2].strip(): line.split()[-1] for line in answer.lines[head + 1 : head + 3]}
    assert phrases.keys() == {"a red circle", "a blue ring"}
    assert set(phrases.values()) <= {"shown", "unclear", "missing"}


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_the_status_is_0_whatever_the_verdict(shell: Shell, scenes: Path, flags):
    answer = shell("match", "--image", scenes / "10.png", "--text", "a blue ring", *DEMO, *flags)

    assert answer.status == 0
    assert "mismatch" in answer.out


def test_json_holds_the_stable_fields_of_every_pair(shell: Shell, scenes: Path):
    texts = [f"a {words}" for words in WORDS]

    report = shell("match", "--image", scenes, "--text", *texts, *DEMO, "--json").json

    assert (report["status"], report["mode"], len(report["matches"])) == ("ok", "pairs", 12)
    assert all(one.keys() >= FIELDS for one in report["matches"])
    assert [one["verdict"] for one in report["matches"]] == ["match"] * 12


def test_one_text_stands_once_above_its_pictures(shell: Shell, scenes: Path):
    answer = shell("match", "--image", scenes, "--text", "a white star on a yellow background", *DEMO)

    assert answer.lines[0] == "match from z 2 on; model: shapes-demo"
    assert answer.lines[1].startswith(
        "z: standard deviations above the mean of these texts; percentile: how many of 100"
    )
    assert answer.lines[2] == "text: a white star on a yellow background"
    assert answer.lines[3].split() == ["verdict", "z", "cosine", "percentile", "probability", "picture"]
    rows = [line.split() for line in answer.lines[4:] if not line.startswith(" ")]
    assert rows[1][0] == "match"
    assert max(range(12), key=lambda place: float(rows[place][2])) == 1
    assert all("standard deviations" in line for line in answer.lines[5::2])


def test_one_picture_stands_once_above_its_texts(shell: Shell, scenes: Path):
    answer = shell("match", "--image", scenes / "10.png", "--text", "a red circle", "a blue ring", *DEMO)

    assert answer.lines[2] == f"picture: {scenes / '10.png'}"
    assert answer.lines[4].startswith("match") and answer.lines[4].endswith("a red circle")


def test_a_matrix_has_a_line_per_picture_and_a_column_per_text(shell: Shell, scenes: Path):
    images = [scenes / name for name in ("01.png", "02.png", "10.png")]
    texts = ("a white cross", "a white star", "a red circle")

    answer = shell("match", "--image", *images, "--text", *texts, "--mode", "matrix", *DEMO)

    assert answer.lines[1:4] == [f"text {place}: {text}" for place, text in enumerate(texts, 1)]
    table = [[cell for cell in line.split("  ") if cell.strip()] for line in answer.lines[5:]]
    found = [[cell.split() for cell in row[:3]] for row in table]
    assert [max(range(3), key=lambda text: float(row[text][0])) for row in found] == [0, 1, 2]
    assert [row[place][1] for place, row in enumerate(found)] == ["match"] * 3


def test_presets_of_two_words_are_written_with_a_hyphen_or_without(shell: Shell, scenes: Path):
    command = ("match", "--image", scenes / "10.png", "--text", "a red circle", *DEMO, "--json", "--preset")

    for preset in ("percentile-95", "percentile 95"):
        (match,) = shell(*command, preset).json["matches"]
        assert (match["threshold"], match["threshold_scale"], match["verdict"]) == (95, "percentile", "match")


def test_images_and_texts_may_be_given_flag_by_flag(shell: Shell, scenes: Path):
    pairs = [("01.png", "a white cross"), ("10.png", "a red circle")]
    flags = [word for name, text in pairs for word in ("--image", scenes / name, "--text", text)]

    assert [one["text"] for one in shell("match", *flags, *DEMO, "--json").json["matches"]] == [
        "a white cross", "a red circle",
    ]  # fmt: skip


def test_a_broken_picture_costs_itself_alone_and_means_status_3(shell: Shell, scenes: Path):
    (scenes / "02.png").write_bytes(b"")
    images = [scenes / name for name in ("01.png", "02.png", "10.png")]

    answer = shell(
        "match", "--image", *images, "--text", "a white cross", "a white star", "a red circle", *DEMO, "--json"
    )

    assert answer.status == 3
    assert [(one["text"], one["verdict"]) for one in answer.json["matches"]] == [
        ("a white cross", "match"), ("a red circle", "match"),
    ]  # fmt: skip
    assert f"left out {scenes / '02.png'}: " in answer.err


def test_texts_and_names_beyond_ascii_are_shown_as_they_are(shell: Shell, scenes: Path):
    (scenes / "10.png").rename(scenes / "círculo 赤.png")

    answer = shell("match", "--image", scenes / "círculo 赤.png", "--text", "ein roter Kreis „groß“", *DEMO)

    assert answer.status == 0
    assert answer.lines[0].endswith("círculo 赤.png · ein roter Kreis „groß“")


def test_when_no_picture_can_be_read_the_status_is_1(shell: Shell, scenes: Path):
    (scenes / "01.png").write_bytes(b"")

    answer = shell("match", "--image", scenes / "01.png", "--text", "a red circle", *DEMO, "--quiet")

    assert (answer.status, answer.out) == (1, "")
    assert answer.err == "error: none of the pictures could be read\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--threshold", "7"], "threshold is 7"),
        (["--mode", "all"], "mode is 'all'"),
        (["--preset", "percentile-12"], "preset is 'percentile-12'"),
        (["--calibration", "nowhere.json"], "nowhere.json"),
        (["--image", "nowhere.png"], "there is no folder or file"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_found_before_the_model(shell: Shell, scenes: Path, flags, message):
    answer = shell("match", "--image", scenes, "--text", "a cat", "--model", "/no/such/model", *flags)

    assert (answer.status, answer.out) == (1, "")
    assert message in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("texts", "flags", "message"),
    [
        (["a", "b", "c"], [], "12"),
        ([" "], [], "empty"),
        (["a", "b"], ["--mode", "broadcast"], "broadcast"),
        (["a"], ["--template", "no place"], "no place"),
    ],
)
def test_counts_and_texts_that_do_not_fit_are_refused(shell: Shell, scenes: Path, texts, flags, message):
    answer = shell("match", "--image", scenes, "--text", *texts, *DEMO, *flags)

    assert (answer.status, answer.out) == (1, "")
    assert message in answer.err and answer.err.count("\n") == 1


def test_a_calibration_of_another_model_is_refused(shell: Shell, scenes: Path, tmp_path: Path):
    told = {
        "clip_grid": "calibration", "version": 2, "model": "other", "fingerprint": "x", "space": "y", "slope": 3.0,
        "intercept": -1.0, "bank": 1, "template": "{}", "long_text": "mean", "prompt_syntax": True,
        "pairs": 20, "positives": 10, "roc_auc": 0.9, "roc_auc_interval": [0.8, 1.0],
    }  # fmt: skip
    (tmp_path / "other.json").write_text(json.dumps(told))

    answer = shell(
        "match", "--image", scenes / "01.png", "--text", "a", "--calibration", tmp_path / "other.json", *DEMO
    )

    assert answer.status == 1
    assert "the calibration is for other" in answer.err


@pytest.mark.parametrize("arguments", [[], ["--image", "x"], ["--text", "x"], ["--image", "x", "--text"], ["x"]])
def test_wrong_usage_is_status_2(shell: Shell, arguments):
    assert shell("match", *arguments).status == 2
