"""``clip-grid train --dry-run``: what is wrong in a data set, told before anything is trained."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from clip_grid.api import check_data
from clip_grid.errors import InputError
from PIL import Image, PngImagePlugin

from .drawn import DEMO, WORDS, Shell

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

WRONG = (*WORDS[1:], WORDS[0])


@pytest.fixture
def lines() -> list[str]:
    """A true and a false caption for each of the drawn pictures."""
    pairs = zip(WORDS, WRONG, strict=True)
    return [
        f"scenes/{number:02}.png,a {word},{label}"
        for number, words in enumerate(pairs, 1)
        for word, label in zip(words, (1, 0), strict=True)
    ]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(["image_path,text,label", *lines]) + "\n", "utf-8")
    return path


def test_errors_end_with_status_1_and_name_their_rows(shell: Shell, scenes: Path, tmp_path: Path, lines: list[str]):
    lost = [f"lost{number}.png,a cat,1" for number in range(14)]
    data = write(tmp_path / "data.csv", [*lines, *lost, "scenes/01.png,,1"])
    findings = tmp_path / "findings.csv"

    answer = shell("train", data, "--dry-run", "--findings", findings, *DEMO)

    assert answer.status == 1
    assert answer.lines[0] == "data.csv: CSV; 39 rows, 24 usable"
    assert answer.lines[1] == "labels: 1 12, 0 12"
    assert answer.lines[2] == "14 errors: pictures that are not there"
    assert answer.lines[3].startswith("    row 25 (line 26) lost0.png: there is no such file in the folder of the data")
    assert answer.lines[13] == f"    and 4 more; see {findings}"
    assert answer.lines[14] == "1 error: rows without a text"
    assert answer.lines[-2:] == ["15 errors, 2 warnings", f"findings: {findings}"]
    with findings.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows if row["severity"] == "error"] == [str(number) for number in range(25, 40)]
    # a check leaves nothing else behind
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "findings.csv", "scenes"]


def test_what_training_of_towers_takes_is_told_before_it_begins(
    shell: Shell, scenes: Path, tmp_path: Path, lines: list[str]
):
    data = write(tmp_path / "data.csv", lines)

    answer = shell("train", data, "--dry-run", "--method", "lora", "--last-blocks", "1", "--epochs", "2", *DEMO)
    cost = check_data(data, model="shapes-demo", method="lora", last_blocks=1, epochs=2).training

    (line,) = (line for line in answer.lines if line.startswith("lora: "))
    assert re.fullmatch(
        r"lora: \d+ steps take about [\d.]+ \w+, about .* of memory of .* that are free, .* on disk.*", line
    )
    assert cost["method"] == "lora" and 0 < cost["seconds"] < 60
    assert 1 << 20 < cost["memory"] < cost["free"]
    # states of 128 drawings alone are 64 float32 each of at least 17 tokens
    assert cost["disk"] > 128 * 17 * 64 * 4
    assert check_data(data, model="shapes-demo", method="platt").training == {}


def test_warnings_alone_end_with_status_3(shell: Shell, scenes: Path, tmp_path: Path, lines: list[str]):
    answer = shell("train", write(tmp_path / "data.csv", lines), "--dry-run", "--json", *DEMO)

    assert answer.status == 3
    report = json.loads(answer.out)
    assert (report["status"], report["errors"], report["warnings"]) == ("warnings", 0, 2)
    assert [one["check"] for one in report["checks"]] == ["few-examples"]
    assert report["split"]["train"] + report["split"]["val"] + report["split"]["test"] == 24
    assert str(tmp_path) not in answer.out


def test_a_clean_set_ends_with_status_0(shell: Shell, scenes: Path, tmp_path: Path, lines: list[str]):
    more = [line.replace(",a ", f",{word} ") for word in ("a small", "a plain") for line in lines]
    data = write(tmp_path / "data.csv", [*lines, *more])

    answer = shell("train", data, "--dry-run", *DEMO)

    assert (answer.status, answer.err) == (0, "")
    assert answer.lines[-1] == "0 errors, 0 warnings"
    assert answer.lines[2].startswith("split: ")


def test_without_a_model_it_says_what_is_not_checked(
    shell: Shell, scenes: Path, tmp_path: Path, lines: list[str], no_models: None
):
    answer = shell("train", write(tmp_path / "data.csv", lines), "--dry-run")

    assert answer.status == 3
    assert "not checked: sizes of pictures, lengths of texts and unlikely labels: they need a model" in answer.err
    # a model that is named must be there
    named = shell("train", tmp_path / "data.csv", "--dry-run", "--model", "nothing")
    assert (named.status, named.out) == (1, "")
    assert "there is no model 'nothing'" in named.err


def test_findings_need_a_dry_run_and_replace_no_foreign_file(
    shell: Shell, scenes: Path, tmp_path: Path, lines: list[str]
):
    data = write(tmp_path / "data.csv", lines)
    (tmp_path / "mine.csv").write_text("mine")

    assert "--findings is for --dry-run" in shell("train", data, "--findings", "x.csv", *DEMO).err
    answer = shell("train", data, "--dry-run", "--findings", tmp_path / "mine.csv", *DEMO)
    assert (answer.status, "holds no findings" in answer.err) == (1, True)
    assert (tmp_path / "mine.csv").read_text() == "mine"


def save_generated(path: Path, prompt: str, seed: int, picture: Path) -> None:
    """A picture as ComfyUI saves it, with the graph that made it."""
    graph = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sdxl.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt, "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["1", 1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "5": {"class_type": "KSampler", "inputs": {
            "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0], "seed": seed,
            "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "x"}},
    }  # fmt: skip
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", json.dumps(graph))
    with Image.open(picture) as opened:
        opened.save(path, pnginfo=info)


def test_prompts_of_comfyui_are_captions_and_their_seeds_stay_together(scenes: Path, tmp_path: Path):
    folder = tmp_path / "output"
    folder.mkdir()
    for number, word in enumerate(WORDS, 1):
        prompt = f"a {word}" if number > 4 else "a field of flowers"
        save_generated(folder / f"{number:02}.png", prompt, number, scenes / f"{number:02}.png")

    report = check_data(folder, model="shapes-demo")
    alone = check_data(folder, model="shapes-demo", group_prompts=False)

    assert report.dataset.layout == "generated pictures, whose prompts are their captions"
    assert [one.text for one in report.dataset.examples[3:6]] == [
        "a field of flowers",
        f"a {WORDS[4]}",
        f"a {WORDS[5]}",
    ]
    assert [one.facts.seed for one in report.dataset.examples] == [str(number) for number in range(1, 13)]
    assert report.dataset.examples[0].facts.model == "sdxl"
    assert len(set(report.split.groups[:4])) == 1
    assert len(set(alone.split.groups)) == 12
    with pytest.raises(InputError, match="holds pictures without captions, and their files tell no prompt"):
        check_data(scenes, model="shapes-demo")
