"""``clip-grid train`` and ``evaluate``: the commands of the fine-tuning document, and a head from two folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from .drawn import DEMO, WORDS, Shell

#: What is wrong about each picture of WORDS.
WRONG = (*WORDS[1:], WORDS[0])


@pytest.fixture
def tables(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of train.csv and val.csv: a true and a false caption for each of eight and four pictures."""
    monkeypatch.chdir(tmp_path)
    pairs = list(enumerate(zip(WORDS, WRONG, strict=True), 1))
    for name, own in (("train", pairs[:8]), ("val", pairs[8:])):
        rows = [
            f"scenes/{number:02}.png,a {word},{label}"
            for number, words in own
            for word, label in zip(words, (1, 0), strict=True)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(["image_path,text,label", *rows]) + "\n", "utf-8")
    return tmp_path


@pytest.fixture
def folders(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes with six pictures in each."""
    monkeypatch.chdir(tmp_path)
    for place, path in enumerate(sorted(scenes.iterdir())[:12]):
        folder = tmp_path / "photos" / ("left" if place % 2 else "right")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    return tmp_path / "photos"


def test_training_on_tables_of_pairs_runs_as_its_document_shows(shell: Shell, tables: Path):
    answer = shell("train", "--train-csv", "train.csv", "--val-csv", "val.csv", "--epochs", "5", "--test", "0", *DEMO)

    assert answer.status == 0
    assert answer.lines[0] == "train.csv: CSV; 16 train, 8 val, 0 test"
    assert answer.lines[-2].startswith("There is no test split")
    assert answer.lines[-1] == "run: train-run; the whole report: train-run/report.md"
    assert "epochs had no effect" in answer.err
    # what was learnt is used where a model is asked for
    run = ("--model", "train-run", *DEMO[2:])
    matched = shell("match", "--image", "scenes/01.png", "--text", f"a {WORDS[0]}", "--json", *run)
    assert json.loads(matched.out)["matches"][0]["probability_scale"].startswith("calibrated")
    batch = shell("match-batch", "val.csv", *run)
    assert batch.status == 0
    assert any(line.startswith("labels: 8 pairs") for line in batch.lines)


def test_a_head_is_learnt_from_two_folders_and_measured(shell: Shell, folders: Path):
    trained = shell("train", folders, "--out", "run", "--method", "ridge", "--val", "0", "--test", "0.3", *DEMO)
    again = shell("train", folders, "--out", "run", *DEMO)
    measured = shell("evaluate", "run", folders, "--part", "test", "--json", *DEMO)
    refused = shell("evaluate", "run", folders, *DEMO)

    assert trained.status == 0
    table = [line.split()[0] for line in trained.lines[2:6]]
    assert table == ["base", "ridge", "trained", "majority"]
    assert trained.lines[6].startswith("ridge reaches accuracy")
    assert again.status == 1
    assert "holds a run already; choose another folder, or allow overwriting" in again.err
    assert json.loads(measured.out)["test_openings"] == 2
    assert refused.status == 1
    assert "were used in training" in refused.err


def test_the_report_as_json_is_that_of_the_folder(shell: Shell, folders: Path):
    answer = shell("train", folders, "--out", "run", "--val", "0", "--test", "0.3", "--json", *DEMO)

    assert answer.status == 0
    assert json.loads(answer.out) == {**json.loads(Path("run/report.json").read_text("utf-8")), "out": "run"}


def test_data_are_asked_for_once(shell: Shell, folders: Path):
    nothing = shell("train", *DEMO)
    both = shell("train", folders, "--train-csv", folders, *DEMO)

    assert (nothing.status, both.status) == (1, 1)
    assert "there is no DATA; give one, as in: clip-grid train photos/ --out cats" in nothing.err
    assert "DATA and --train-csv were both given" in both.err


def test_a_wrong_setting_is_named(shell: Shell, folders: Path):
    answer = shell("train", folders, "--method", "magic", *DEMO)

    assert answer.status == 1
    assert "method is 'magic'; it must be one of auto, nearest, ridge" in answer.err
    assert not Path("photos-run").exists()
