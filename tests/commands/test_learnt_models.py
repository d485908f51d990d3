"""What was learnt as the model of every command that scores: the numbers are those of the merged model's own files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from clip_grid.api import load_encoder
from clip_grid.api.export_model import export_model
from clip_grid.clip_backend.calibration.calibration import read_calibration
from clip_grid.clip_backend.checkpoints.training import BEST
from clip_grid.clip_backend.learning.heads.head import read_head
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from PIL import Image

from ..clip_backend.learning.trained import save_lora
from .drawn import DEMO, WORDS, Shell, draw_twelve

#: How models are used in these tests: no trace of the run outside its memory.
ALONE = DEMO[2:]
COLOURS = ("white", "orange", "purple", "yellow", "green", "red", "blue", "black")
#: Each command that takes a model and gives numbers, and the keys of those that depend on the model.
COMMANDS = {
    "match": (("match", "scenes", "--text", "a white cross", "--json"), ("cosine", "z", "percentile")),
    "match-batch": (("match-batch", "pairs.csv", "--json"), ("cosine", "z")),
    "rank by text": (("rank", "scenes", "--text", "a white cross", "--json"), ("score",)),
    "rank by pictures": (("rank", "scenes", "--like", "scenes/01.png", "--json"), ("score",)),
    "label": (("label", "scenes", "--labels", *COLOURS, "--json"), ("probability", "cosine")),
    "sheet": (
        ("export", "scenes", "sheet.png", "--use-clip", "--vocabulary", ", ".join(COLOURS), "--score-text",
         "a white cross", "--overwrite", "--json"),
        ("clip probability", "cosine"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a LoRA of the bundled model, the same merged at strength 0.5, pictures and runs with a head."""
    folder = tmp_path_factory.mktemp("learnt")
    save_lora(folder / "lora.safetensors", shapes_demo_path())
    export_model(folder / "lora.safetensors", "hf", folder / "merged", strength=0.5)
    draw_twelve(folder / "scenes")
    pairs = [
        f"scenes/{number:02}.png,a {words},{label}"
        for number, right in enumerate(WORDS, 1)
        for words, label in ((right, 1), (WORDS[number % 12], 0))
    ]
    (folder / "pairs.csv").write_text("\n".join(["image_path,text,label", *pairs]) + "\n", "utf-8")
    classes = [f"scenes/{number:02}.png,{'pale' if number % 2 else 'dark'}" for number in range(1, 13)]
    (folder / "classes.csv").write_text("\n".join(["image_path,label", *classes]) + "\n", "utf-8")
    return folder


@pytest.fixture
def there(learnt: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as the current one."""
    monkeypatch.chdir(learnt)
    return learnt


@pytest.fixture
def head_run(shell: Shell, there: Path) -> str:
    """A run with a head, made once."""
    if not Path("heads").exists():
        answer = shell(
            "train", "classes.csv", "--out", "heads", "--method", "ridge", "--val", "0", "--test", "0", *DEMO
        )
        assert answer.status == 0, answer.err
    return "heads"


@pytest.fixture
def pair_run(shell: Shell, there: Path) -> str:
    """A run with a calibration, made once."""
    if not Path("probabilities").exists():
        answer = shell("train", "pairs.csv", "--out", "probabilities", "--val", "0", "--test", "0", *DEMO)
        assert answer.status == 0, answer.err
    return "probabilities"


def numbers(value: object, keys: tuple[str, ...]) -> Iterator[float]:
    """The numbers under these keys, wherever they are, in order."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name in keys and isinstance(one, (int, float)):
                yield float(one)
            yield from numbers(one, keys)
    elif isinstance(value, list):
        for one in value:
            yield from numbers(one, keys)


def found(shell: Shell, arguments: tuple[str, ...], keys: tuple[str, ...], *model: str) -> list[float]:
    answer = shell(*arguments, "--model", *model, *ALONE)
    assert answer.status == 0, answer.err
    return list(numbers(answer.json, keys))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_lora_with_its_strength_scores_as_the_merged_model(shell: Shell, there: Path, name: str):
    arguments, keys = COMMANDS[name]

    own = found(shell, arguments, keys, "lora.safetensors", "--strength", "0.5")

    assert len(own) >= 12
    # six digits of a cosine; percentiles are steps of 1 in 100, and z is a cosine times some tens
    assert own == pytest.approx(found(shell, arguments, keys, "merged"), abs=1e-3)
    if name.startswith("rank"):
        assert np.abs(np.subtract(own, found(shell, arguments, keys, "shapes-demo"))).max() > 0.005


def hits(shell: Shell, *model: str) -> dict[str, float]:
    """The z of each hit by its name."""
    answer = shell("search", "a white cross", "--index", "kept", "--json", *model, *ALONE)
    assert answer.status == 0, answer.err
    return {Path(one["path"]).name: one["z"] for one in answer.json["hits"]}


def another_picture(folder: Path) -> Path:
    """A folder with one picture more."""
    (folder / "more").mkdir()
    Image.new("RGB", (64, 64), "red").save(folder / "more" / "red.png")
    return folder / "more"


def test_an_index_is_searched_with_the_strength_and_base_that_it_was_made_with(
    shell: Shell, there: Path, tmp_path: Path
):
    lora = ("--model", "lora.safetensors", "--base", "shapes-demo", "--strength", "0.5")
    assert shell("index", "scenes", "--index", "kept", *lora, *ALONE).status == 0

    own = hits(shell)

    assert own == pytest.approx(hits(shell, *lora)) and len(own) == 12
    vectors, text = (
        [load_encoder("merged").encode_images(sorted(Path("scenes").iterdir())).to_features().vectors,
         load_encoder("merged").encode_texts(["a white cross"]).vectors[0]]
    )  # fmt: skip
    order = np.argsort(-vectors @ text)
    assert list(own) == [f"{place + 1:02}.png" for place in order]
    # a new picture is computed as the others were, without a word about the model
    again = shell("index", another_picture(tmp_path), "--index", "kept", *ALONE)
    assert (again.status, again.out.partition(":")[2]) == (0, " 1 new\n")


@pytest.mark.parametrize("other", [("shapes-demo",), ("lora.safetensors",)])
def test_an_index_of_another_strength_is_refused_with_both(
    shell: Shell, there: Path, tmp_path: Path, other: tuple[str, ...]
):
    lora, index = ("--model", "lora.safetensors", "--strength", "0.5"), ("--index", tmp_path / "index")
    assert shell("index", "scenes", *index, *lora, *ALONE).status == 0

    searched = shell("search", "a white cross", *index, "--model", *other, *ALONE)
    added = shell("index", another_picture(tmp_path), *index, "--model", *other, *ALONE)

    shown = "shapes-demo with lora.safetensors at 1" if "lora" in other[0] else "shapes-demo"
    sentence = f"holds embeddings of shapes-demo with lora.safetensors at 0.5, and {shown} has another embedding space"
    assert searched.status == added.status == 1
    assert sentence in searched.err and sentence in added.err
    assert "choose that model, or none, which takes that of the index" in searched.err
    assert "choose that model, or another folder for the index" in added.err


def test_a_head_labels_pictures_and_sheets_by_its_run_its_file_and_as_the_model(shell: Shell, head_run: str):
    ways = [
        ("--head", head_run), ("--head", f"{head_run}/head.safetensors"), ("--model", head_run),
        ("--model", f"{head_run}/head.safetensors"), ("--head", head_run, "--model", "shapes-demo"),
    ]  # fmt: skip
    labelled = [shell("label", "scenes", "--json", *way, *ALONE).json["images"] for way in ways]
    sheet = shell("export", "scenes", "s.png", "--use-clip", "--clip-model", head_run, "--overwrite", "--json", *ALONE)

    head = read_head(Path(head_run))
    features = load_encoder("shapes-demo").encode_images(sorted(Path("scenes").iterdir())).to_features().vectors
    expected = head.probabilities(features).max(axis=1)
    classes = [head.classes[place] for place in head.probabilities(features).argmax(axis=1)]
    for way in labelled:
        assert [one["label"] for one in way] == classes
        assert [one["score"] for one in way] == pytest.approx(expected, abs=1e-4)
    assert [cell["label"] for cell in sheet.json["cells"]] == classes
    assert [cell["scores"]["clip probability"] for cell in sheet.json["cells"]] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["rank by text", "label"])
def test_a_run_whose_model_was_left_as_it_was_is_that_model(shell: Shell, there: Path, pair_run: str, name: str):
    arguments, keys = COMMANDS[name]

    assert found(shell, arguments, keys, pair_run) == found(shell, arguments, keys, "shapes-demo")


@pytest.mark.parametrize("command", ["match", "match-batch"])
def test_a_calibration_is_taken_from_a_run_its_file_and_the_model(shell: Shell, pair_run: str, command: str):
    arguments, _ = COMMANDS[command]
    ways = [
        ("--calibration", pair_run, "--model", "shapes-demo"), ("--model", pair_run),
        ("--calibration", f"{pair_run}/calibration.json", "--model", "shapes-demo"),
    ]  # fmt: skip

    answers = [shell(*arguments, *way, *ALONE) for way in ways]

    calibration = read_calibration(Path(pair_run) / "calibration.json")
    for answer in answers:
        assert answer.status == 0, answer.err
        results = answer.json["matches" if command == "match" else "results"]
        assert {one["probability_scale"].split()[0] for one in results} == {"calibrated"}
        expected = [calibration.probability(one["z"]) for one in results]
        assert [one["probability"] for one in results] == pytest.approx(expected, abs=1e-3)


def test_a_calibration_of_the_model_without_its_lora_is_refused(shell: Shell, pair_run: str):
    answer = shell(
        "match", "scenes", "--text", "a cross", "--calibration", pair_run, "--model", "lora.safetensors", *ALONE
    )

    assert answer.status == 1
    assert "shapes-demo" in answer.err and "lora.safetensors at 1" in answer.err


def test_a_run_that_has_no_head_or_calibration_says_so(shell: Shell, head_run: str, pair_run: str):
    label = shell("label", "scenes", "--head", pair_run, *ALONE)
    match = shell("match", "scenes", "--text", "a cross", "--calibration", head_run, *DEMO)

    assert (label.status, match.status) == (1, 1)
    assert "head" in label.err and pair_run in label.err
    assert "calibration" in match.err and head_run in match.err


@pytest.mark.parametrize("name", ["match", "label"])
def test_a_strength_of_a_model_that_has_none_is_refused(shell: Shell, there: Path, name: str):
    answer = shell(*COMMANDS[name][0], "--model", "shapes-demo", "--strength", "0.5", *ALONE)

    assert answer.status == 1
    assert "is no run, LoRA or head, which alone take strength; leave strength out" in answer.err


def test_a_calibration_of_the_run_is_left_out_at_another_strength_with_a_note(shell: Shell, pair_run: str):
    if not Path("both").exists():
        shutil.copytree(pair_run, "both")
        shutil.copy("lora.safetensors", Path("both") / BEST)
    model = ("--model", "both", "--strength", "0.5")

    answer = shell("match", "scenes/01.png", "--text", "a white cross", "--json", *model, *ALONE)
    batch = shell("match-batch", "pairs.csv", *model, *ALONE)

    assert (answer.status, batch.status) == (0, 0)
    assert not answer.json["matches"][0]["probability_scale"].startswith("calibrated")
    note = "the calibration of both is for its strength 1, and is left out at 0.5"
    assert note in answer.json["notes"] and note in batch.err
