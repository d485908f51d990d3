"""``clip-grid check-model``: tables and one sentence, or JSON; and README's commands for calibrating."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from clip_grid.clip_backend.model_check import pictures as picture_module
from clip_grid.commands import check_model
from PIL import Image

from ..clip_backend.model_check.synthetic_model import synthetic_model
from .drawn import DEMO, WORDS, Shell

pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytest.importorskip("safetensors")

from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from safetensors.numpy import load_file, save_file

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture(autouse=True)
def without_photographs(monkeypatch):
    """Drawings, whatever is installed here."""
    monkeypatch.setattr(picture_module, "find_spec", lambda name: None)


def test_the_bundled_model_is_measured_and_not_judged(shell: Shell):
    answer = shell("check-model", *DEMO)

    assert answer.status == 1
    assert answer.lines[0] == "## Check of shapes-demo"
    assert answer.lines[-1] == "no conclusion: shapes-demo knows drawn shapes only, and none is in these pictures"
    assert "note: scikit-image is not installed" in answer.err
    assert str(Path.home()) not in answer.out and str(README.parent) not in answer.out


def test_all_but_warnings_and_sentences_are_tables_of_markdown(shell: Shell):
    lines = shell("check-model", *DEMO).lines

    assert [line for line in lines[1:-1] if line and not line.startswith(("| ", "- ", "Captions: "))] == []
    tables = re.findall(r"(?:^\|.*\n)+", "\n".join(lines) + "\n", re.MULTILINE)
    assert len(tables) == 5
    for table in tables:
        rows = table.splitlines()
        assert set(rows[1]) <= set("| -") and len({row.count("|") for row in rows}) == 1
    properties = dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", tables[0], re.MULTILINE))
    assert properties["pictures"] == "12 drawings" and properties["bank"] == "version 1"
    assert {"clip-grid", "Python", "torch", "Pillow", "device cpu"} <= set(
        re.findall(r"device cpu|[\w-]+", properties["versions"])
    )
    assert properties["preprocessing"].startswith("40 px, crop, bicubic; mean 0.4815")


def test_json_has_every_figure_and_the_versions(shell: Shell):
    answer = shell("check-model", *DEMO, "--json")

    report = answer.json
    assert (answer.status, report["conclusion"], report["model"]["files"]) == (1, "no conclusion", ["shapes-demo"])
    assert [len(own["cosines"]) for own in report["order"]] == [8] * 5
    assert [one["pictures"] for one in report["nothing"]] == [3] * 8 + [6]
    assert report["versions"]["device"] == "cpu" and report["versions"]["torch"]


def test_the_sentence_decides_the_exit_status(shell: Shell, monkeypatch):
    model, other = synthetic_model(), synthetic_model(seed=9)
    answers = []
    for texts in (model.texts, other.texts):
        monkeypatch.setattr(check_model, "model_choice", lambda args, texts=texts: replaced(model, texts))
        answers.append(shell("check-model", "--quiet", "--device", "cpu"))

    assert [answer.status for answer in answers] == [0, 1]
    assert answers[0].lines[-1] == "defaults hold: order and spread are as expected"
    assert answers[1].lines[-1].startswith("order wrong: the files do not belong together; check the pair of files")
    assert answers[0].err == ""


def replaced(model, texts):
    return type(model)(model.identity, model.pictures, texts)


def test_the_model_is_named_with_or_without_the_flag(shell: Shell):
    named, flagged = shell("check-model", "--json", "shapes-demo", *DEMO[2:]), shell("check-model", "--json", *DEMO)

    assert named.json == flagged.json


def test_two_models_are_refused(shell: Shell):
    answer = shell("check-model", "one", "--model", "two")

    assert (answer.status, answer.out) == (2, "")
    assert answer.err == "error: one model is checked at a time, and there are 2: one, two\n"


def test_an_unknown_model_fails_with_its_name(shell: Shell, no_models):
    answer = shell("check-model", "nowhere")

    assert (answer.status, answer.out) == (1, "")
    assert "there is no model 'nowhere'" in answer.err


@pytest.mark.parametrize(
    ("kept", "told"),
    [(("vision_model.", "visual_projection."), "text_encoder"), (("text_model.", "text_projection."), "no vision")],
)
def test_a_model_that_lacks_an_encoder_fails_with_what_is_missing(shell: Shell, tmp_path: Path, kept, told):
    tensors = load_file(shapes_demo_path() / "model.safetensors")
    path = tmp_path / "part.safetensors"
    save_file({name: tensor for name, tensor in tensors.items() if name.startswith(kept)}, path)
    shutil.copy(shapes_demo_path() / "tokenizer.json", tmp_path)

    answer = shell("check-model", path, *DEMO[2:])

    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("error: ") and told in answer.err and "part.safetensors" in answer.err


# README


def test_readmes_commands_learn_from_fifty_labelled_pairs(shell: Shell, scenes: Path, monkeypatch):
    monkeypatch.chdir(scenes.parent)
    lines = ["image_path,text,label"]
    for shift in range(5):
        for number in range(1, 11):
            words = WORDS[(number - 1 + shift // 3 * (shift + 1)) % len(WORDS)]
            lines.append(f"scenes/{number:02}.png,a {words},{int(shift < 3)}")
    Path("labelled.csv").write_text("\n".join(lines), "utf-8")
    Path("pairs.csv").write_text("image_path,text\na.png,a red circle\na.png,a blue star\n", "utf-8")
    with Image.open(scenes / "10.png") as red_circle:
        red_circle.save("a.png")
    block = re.search(r"<!-- calibrate -->\n```sh\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert block
    learnt, matched, judged = (shlex.split(line)[1:] for line in block[1].splitlines())

    answer = shell(*learnt, *DEMO)
    assert (answer.status, "labels: 50 pairs, 30 of them matches" in answer.out) == (0, True)
    assert "note: the calibration is in mine.json" in answer.err
    answer = shell(*matched, *DEMO, "--json").json["matches"][0]
    assert (answer["verdict"], answer["probability_scale"]) == ("match", "calibrated")
    assert shell(*judged, *DEMO).status == 0
    verdicts = [row.split(",") for row in Path("results.csv").read_text("utf-8").splitlines()]
    place = verdicts[0].index("verdict")
    assert [row[place] for row in verdicts[1:]] == ["match", "mismatch"]
