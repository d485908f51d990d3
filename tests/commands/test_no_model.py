"""Without a usable model every command says which file to get, with a command that works, or names two files."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from clip_grid.clip_backend.finding import names
from clip_grid.clip_backend.finding.advice import FIRST_CLIP
from clip_grid.clip_backend.shapes_demo import shapes_demo_path

from ..clip_backend.checkpoints.layout_files import layout_named, write_layout
from .drawn import WORDS, Shell

pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytestmark = pytest.mark.usefixtures("no_models")

DOWNLOAD = f"--model {FIRST_CLIP.repository} --download"


@pytest.fixture
def commands(scenes: Path, tmp_path: Path) -> dict[str, list[object]]:
    """A command line of each command that needs a model."""
    (tmp_path / "pairs.csv").write_text("image_path,text\nscenes/01.png,a white cross\n", "utf-8")
    return {
        "label": ["label", scenes, "--labels", "red", "blue"],
        "match": ["match", "--image", scenes / "01.png", "--text", "a white cross"],
        "match-batch": ["match-batch", tmp_path / "pairs.csv", "--out", tmp_path / "out.csv"],
        "rank": ["rank", scenes, "--text", "a white cross"],
        "export": ["export", scenes, tmp_path / "s.png", "--use-clip", "--vocabulary", ", ".join(WORDS)],
    }


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The repositories that are fetched; each holds the bundled model."""
    fetched: list[str] = []

    def fetch(name: str) -> Path:
        fetched.append(name)
        return shapes_demo_path()

    monkeypatch.setattr(names, "download_model", fetch)
    return fetched


@pytest.mark.parametrize("name", ["label", "match", "match-batch", "rank", "export"])
def test_the_cure_is_a_command_that_works(shell: Shell, commands, hub, name):
    answer = shell(*commands[name])

    assert answer.status == (0 if name == "export" else 1)
    assert answer.err.count("\n") == 1 and FIRST_CLIP.size in answer.err and FIRST_CLIP.name in answer.err
    assert f"add {DOWNLOAD} to fetch one" in answer.err
    assert hub == []

    cured = shell(*commands[name], *shlex.split(DOWNLOAD))

    assert cured.status == 0
    assert hub == [FIRST_CLIP.repository] * len(hub) != []
    assert "there is no CLIP" not in cured.err


def test_a_download_without_a_name_fetches_the_model_that_messages_name(shell: Shell, commands, hub):
    answer = shell(*commands["label"], "--download")

    assert (answer.status, hub) == (0, [FIRST_CLIP.repository])
    assert f"note: the model is {FIRST_CLIP.repository}, fetched from the Hugging Face hub" in answer.err


@pytest.fixture
def pair(tmp_path: Path, no_models: None) -> None:
    """A vision encoder and its text encoder, each in a file of its own, in the ComfyUI of ``no_models``."""
    for folder, layout in (("clip_vision", "clip_vision_g"), ("text_encoders", "clip_g")):
        write_layout(layout_named(layout), tmp_path / "ComfyUI" / "models" / folder)


PAIR = "--model clip_vision_g.safetensors --text-encoder clip_g.safetensors"


@pytest.mark.parametrize("name", ["label", "match", "match-batch", "rank", "export"])
@pytest.mark.parametrize("given", [(), ("--model", "clip_vision_g"), ("--model", "clip_g.safetensors")])
@pytest.mark.usefixtures("pair")
def test_two_files_that_make_a_pair_are_named_as_the_pair(shell: Shell, commands, name, given):
    answer = shell(*commands[name], *given)

    assert answer.status == (0 if name == "export" else 1)
    assert answer.err.count("\n") == 1
    pair = PAIR.replace("clip_vision_g.safetensors", "clip_vision_g") if "clip_vision_g" in given else PAIR
    assert answer.err.endswith(f": {pair}\n" if name != "export" else f": {pair}; the next source was used\n")


def test_pictures_alone_can_be_compared_by_a_vision_encoder_alone(shell: Shell, scenes: Path, tmp_path: Path, pair):
    answer = shell("rank", scenes, "--like", scenes / "01.png", "--model", "clip_vision_g", "--device", "nowhere")

    assert "make a pair" not in answer.err and "device is 'nowhere'" in answer.err


def test_an_unknown_name_may_be_fetched(shell: Shell, commands, pair):
    answer = shell(*commands["label"], "--model", "clip_vison_g")

    assert "did you mean 'clip_vision_g.safetensors'" in answer.err and "or add --download" in answer.err
