"""Sheets that CLIP labels: ``export``, ``labeled-grid-exporter`` and ``demo`` with ``--use-clip``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from clip_grid.cli import labeled_grid_exporter

from .drawn import WORDS, Shell

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

CLIP = ("--use-clip", "--clip-model", "shapes-demo", "--vocabulary", ", ".join(WORDS))


def labels_of(report: dict) -> list[str]:
    return [cell["label"] for cell in report["cells"]]


def test_clip_labels_the_pictures_that_nothing_else_names(shell: Shell, scenes: Path, tmp_path: Path):
    (tmp_path / "some.csv").write_text("filename,label\n03,mine\n")

    answer = shell("export", scenes, tmp_path / "s.png", "--csv", tmp_path / "some.csv", *CLIP, "--json")

    assert answer.status == 0
    assert labels_of(answer.json) == [*WORDS[:2], "mine", *WORDS[3:]]
    assert answer.json["label_sources"] == {"csv": 1, "clip": 11}


def test_a_sheet_takes_every_option_of_the_model(shell: Shell, scenes: Path, tmp_path: Path):
    model = ("--model", "shapes-demo", "--text-encoder", "shapes-demo", "--device", "cpu", "--dtype", "bf16")
    words = ("--vocabulary", ", ".join(WORDS))

    answer = shell("export", scenes, tmp_path / "s.png", "--use-clip", *model, "--no-cache", *words, "--json")
    refused = shell("export", scenes, tmp_path / "t.png", "--use-clip", "--model", "shapes-demo", "--device", "warp")

    assert labels_of(answer.json) == list(WORDS)
    assert "no labels from CLIP: device is 'warp'" in refused.err


def test_clip_is_not_asked_unless_told(shell: Shell, scenes: Path, tmp_path: Path):
    answer = shell("export", scenes, tmp_path / "s.png", "--clip-model", "/no/such/model", "--json")

    assert answer.status == 0
    assert answer.json["label_sources"] == {"filename": 12}
    assert answer.err == "note: --clip-model has no effect without --use-clip or --score-text\n"
    flags = ("--text-encoder", "x", "--device", "cpu", "--cache", tmp_path, "--cache-size", "1")
    flags += ("--picture-background", "white", "--download")
    told = shell("export", scenes, tmp_path / "s.png", *flags).err
    assert {line.split()[1] for line in told.splitlines()} == {flag for flag in flags if str(flag).startswith("--")}


def test_words_that_nobody_asks_for_are_noted(shell: Shell, scenes: Path, tmp_path: Path):
    answer = shell("export", scenes, tmp_path / "s.png", "--vocabulary", "red, blue")

    assert (answer.status, answer.err) == (0, "note: --vocabulary has no effect without --use-clip\n")


def test_a_text_scores_every_picture_by_its_cosine(shell: Shell, scenes: Path, tmp_path: Path):
    command = ("export", scenes, tmp_path / "s.png", "--clip-model", "shapes-demo", "--score-text", "a red circle")

    answer = shell(*command, "--json")

    cosines = [cell["scores"]["cosine"] for cell in answer.json["cells"]]
    assert answer.status == 0
    assert max(cosines) == cosines[WORDS.index("red circle")]


@pytest.mark.parametrize("model", ["/no/such/model", "BROKEN", "no-such-name"])
def test_a_model_that_cannot_be_used_costs_the_labels_and_never_the_sheet(
    shell: Shell, scenes: Path, tmp_path: Path, no_models, model
):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\0" * 100)
    given = broken if model == "BROKEN" else model

    answer = shell("export", scenes, tmp_path / "s.png", "--use-clip", "--clip-model", given)

    report = json.loads((tmp_path / "s.json").read_text("utf-8"))
    assert answer.status == 0
    assert report["label_sources"] == {"filename": 12}
    assert "note: no labels from CLIP: " in answer.err
    assert report["warnings"][0].startswith("no labels from CLIP: ")


def test_without_torch_the_sheet_is_made_and_the_cure_told(shell: Shell, scenes: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    answer = shell("export", scenes, tmp_path / "s.png", *CLIP)

    assert answer.status == 0
    assert "torch must be there" in answer.err and "pip install" in answer.err
    assert (tmp_path / "s.png").stat().st_size > 0


def test_a_vocabulary_that_is_not_there_is_told(shell: Shell, scenes: Path, tmp_path: Path):
    flags = ("--use-clip", "--clip-model", "shapes-demo", "--vocabulary", tmp_path / "nowhere.txt")

    answer = shell("export", scenes, tmp_path / "s.png", *flags)

    assert "nowhere.txt" in answer.err


def test_a_template_is_saved_without_what_clip_is_told(shell: Shell, scenes: Path, tmp_path: Path):
    answer = shell("export", "--rows", "2", *CLIP, "--save-template", tmp_path / "t.json")

    assert answer.status == 0
    assert json.loads((tmp_path / "t.json").read_text("utf-8"))["rows"] == 2


def test_a_batch_is_labelled_folder_by_folder(shell: Shell, scenes: Path, tmp_path: Path):
    for folder, name in (("a", "10.png"), ("b", "02.png")):
        (tmp_path / folder).mkdir()
        (scenes / name).rename(tmp_path / folder / "x.png")

    answer = shell("export", "--batch", tmp_path / "a", tmp_path / "b", tmp_path / "out", *CLIP, "--json")

    assert [labels_of(grid) for grid in answer.json["grids"]] == [["red circle"], ["white star"]]


# --- the older command


def test_the_older_command_takes_its_usual_model_only_where_it_is(
    scenes: Path, tmp_path: Path, no_models, monkeypatch, capsys
):
    monkeypatch.setenv("CLIP_GRID_MODEL", "shapes-demo")
    arguments = [str(scenes), str(tmp_path / "s.png"), "--use-clip", "--vocabulary", ", ".join(WORDS), "--json"]

    status = labeled_grid_exporter(arguments)

    out, err = capsys.readouterr()
    assert status == 0
    assert err.startswith("note: openai/clip-vit-base-patch32 is not on this machine")
    assert labels_of(json.loads(out)) == list(WORDS)


def test_the_older_command_takes_the_model_that_is_named(scenes: Path, tmp_path: Path, capsys):
    status = labeled_grid_exporter([str(scenes), str(tmp_path / "s.png"), *CLIP, "--json"])

    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert labels_of(json.loads(out)) == list(WORDS)


# --- the demo


def test_the_demo_draws_shapes_and_labels_them(shell: Shell, tmp_path: Path):
    answer = shell("demo", tmp_path / "demo", "--use-clip", "--json")

    sheet = answer.json["grids"][-1]
    assert (answer.status, answer.err) == (0, "")
    assert sheet["pages"][0]["path"] == str(tmp_path / "demo" / "clip.png")
    assert sheet["label_sources"] == {"clip": 12}
    assert {"white cross", "yellow circle", "purple diamond"} <= set(labels_of(sheet))
