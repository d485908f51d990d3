"""Without a usable model users are told which file to get, where it goes and the command that fetches it, or a pair."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo
from clip_grid.clip_backend.finding import advice
from clip_grid.clip_backend.finding.advice import (
    CLIP_G_TEXT,
    CLIP_VISION_G,
    COMFYUI,
    COMMAND,
    FIRST_CLIP,
    LISTING,
    PYTHON,
)
from clip_grid.clip_backend.finding.catalog import FoundModel, find_models
from clip_grid.clip_backend.finding.folders import ModelPathConfig
from clip_grid.clip_backend.finding.names import default_model, find_model
from clip_grid.errors import InputError

from ..checkpoints.layout_files import LAYOUTS, layout_named, write_layout

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def found(tmp_path: Path):
    """Lists the models of a ComfyUI with files of these layouts, by their folder."""

    def make(*, vision: tuple[str, ...] = (), text: tuple[str, ...] = ()) -> list[FoundModel]:
        for folder, names in (("clip_vision", vision), ("text_encoders", text)):
            for name in names:
                write_layout(layout_named(name), tmp_path / folder)
            (tmp_path / folder).mkdir(exist_ok=True)
        return find_models(
            ModelPathConfig(clip_vision_paths=tmp_path / "clip_vision", text_encoder_paths=tmp_path / "text_encoders")
        )

    return make


@pytest.mark.parametrize("wording", [PYTHON, COMMAND, LISTING, COMFYUI])
def test_the_file_to_get_is_named_with_its_size_its_folder_and_the_download(wording, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", os.path.join(os.sep, "some", "hub"))

    told = advice.no_complete_model([], wording)

    named = (FIRST_CLIP.name, FIRST_CLIP.file, FIRST_CLIP.size, FIRST_CLIP.folder, FIRST_CLIP.repository, "download")
    assert [part for part in named if part not in told] == []
    assert wording is COMFYUI or str(Path(os.sep, "some", "hub").resolve()) in told
    assert "\n" not in told


def test_readme_and_the_help_page_name_the_same_file():
    readme = (ROOT / "README.md").read_text("utf-8")
    page = (ROOT / "web" / "docs" / "ClipGrid_CLIPModelLoader.md").read_text("utf-8")

    row = next(line for line in readme.splitlines() if line.startswith(f"| `{FIRST_CLIP.name}` |"))
    assert all(part in row for part in (FIRST_CLIP.size, f"ComfyUI/{FIRST_CLIP.folder}", FIRST_CLIP.repository))
    assert f"`{FIRST_CLIP.file}` ({FIRST_CLIP.size}) of `{FIRST_CLIP.repository}`" in page
    assert f"{FIRST_CLIP.folder}/{FIRST_CLIP.name}" in page
    text = next(line for line in readme.splitlines() if f"`{CLIP_G_TEXT.name}` |" in line)
    assert all(part in text for part in (CLIP_G_TEXT.size, CLIP_G_TEXT.folder, CLIP_G_TEXT.repository))


def test_two_files_of_one_space_are_told_as_a_pair_with_the_command(found):
    models = found(vision=("clip_vision_h", "clip_vision_g"), text=("clip_g", "clip_l"))

    assert advice.no_complete_model(models, COMMAND).endswith(
        "but two files make a pair: clip_vision_g.safetensors and clip_g.safetensors; use them with: "
        "--model clip_vision_g.safetensors --text-encoder clip_g.safetensors"
    )
    assert advice.no_complete_model(models, COMFYUI).endswith(
        "in CLIP Model Loader choose clip_vision_g.safetensors as model and clip_g.safetensors as text_encoder"
    )
    assert "load_encoder('clip_vision_g.safetensors', text_encoder='clip_g.safetensors')" in advice.no_complete_model(
        models, PYTHON
    )


def test_the_command_for_a_pair_names_files_that_are_found_by_it(found, tmp_path):
    found(vision=("clip_vision_g",), text=("clip_g",))
    folder = tmp_path / "clip_vision"
    spaced = (folder / "clip_vision_g.safetensors").rename(folder / "my G.safetensors")
    (tmp_path / "text_encoders" / "clip_g").mkdir()
    write_layout(layout_named("clip_vision_h"), tmp_path / "text_encoders" / "clip_g")
    models = found()

    told = advice.no_complete_model(models, COMMAND)

    words = shlex.split(told[told.index("--model") :])
    assert words[::2] == ["--model", "--text-encoder"]
    assert find_model(words[1], find=lambda: models) == spaced
    assert find_model(words[3], find=lambda: models).name == "clip_g.safetensors"


def test_files_of_one_name_are_told_by_their_paths(found, tmp_path):
    models = found(vision=("clip_vision_g",), text=("clip_g",))
    for model in models:
        model.path.rename(model.path.with_name("model.safetensors"))
    models = found()

    told = advice.no_complete_model(models, COMMAND)

    assert f"--model {tmp_path / 'clip_vision' / 'model.safetensors'}" in told
    assert f"--text-encoder {tmp_path / 'text_encoders' / 'model.safetensors'}" in told


@pytest.mark.parametrize(
    ("vision", "text"),
    [((), ("clip_g",)), (("clip_vision_g",), ()), (("clip_vision_h",), ("clip_g",)), (("clip_vision_l",), ("clip_l",))],
)
def test_files_that_do_not_belong_together_are_no_pair(found, vision, text):
    models = found(vision=vision, text=text)

    assert len(models) == len(vision) + len(text)
    assert advice.model_pairs(models) == []
    assert FIRST_CLIP.repository in advice.no_complete_model(models, COMMAND)


def test_a_file_with_one_encoder_is_told_its_partner(found):
    listed = found(vision=("clip_vision_g", "clip_vision_h"), text=("clip_g", "clip_l"))
    models = {model.name: model for model in listed}

    def told(name: str) -> str:
        return advice.lone_encoder(models[f"{name}.safetensors"], lambda: listed, COMMAND)

    pair = "--model clip_vision_g.safetensors --text-encoder clip_g.safetensors"
    assert told("clip_vision_g").startswith("clip_vision_g.safetensors has a vision encoder alone; ")
    assert told("clip_vision_g").endswith(pair) and told("clip_g").endswith(pair)
    assert f"({FIRST_CLIP.file}" in told("clip_l")
    assert told("clip_l").startswith("clip_l.safetensors has a text encoder without projection alone; ")
    assert FIRST_CLIP.repository in told("clip_l") and FIRST_CLIP.repository in told("clip_vision_h")


@pytest.mark.parametrize(
    ("layout", "partner", "command"),
    [
        ("clip_vision_g", CLIP_G_TEXT, "--model clip_vision_g.safetensors --text-encoder clip_g.safetensors"),
        ("clip_g", CLIP_VISION_G, f"--model {CLIP_VISION_G.name} --text-encoder clip_g.safetensors"),
    ],
)
def test_the_missing_file_of_a_known_pair_is_named_with_its_size_and_folder(found, layout, partner, command):
    (model,) = found(vision=(layout,))

    told = advice.lone_encoder(model, lambda: [model], COMMAND)

    file = f"{partner.file} ({partner.size}) of {partner.repository} into ComfyUI's {partner.folder} as {partner.name}"
    assert told.endswith(f"; put {file}, and use them with: {command}")


@pytest.mark.parametrize("layout", [one for one in LAYOUTS if one.loads], ids=lambda one: one.name)
def test_a_model_that_compares_pictures_with_texts_is_never_called_incomplete(tmp_path, layout):
    write_layout(layout, tmp_path)
    (model,) = find_models(ModelPathConfig(other_paths=tmp_path))
    info = model.info
    assert isinstance(info, CheckpointInfo)

    told = advice.lone_encoder(model, list, COMMAND)

    compares = info.vision and info.text and layout.vision_projection and layout.text_projection
    assert bool(told) is not bool(compares)
    assert not re.search("None|{|}", told)


def test_the_model_to_get_is_fetched_only_if_that_is_asked_for():
    model, note = default_model(environment={}, find=list, download=True)

    assert model == FIRST_CLIP.repository
    assert note == f"the model is {FIRST_CLIP.repository}, fetched from the Hugging Face hub"
    with pytest.raises(InputError, match="--download"):
        default_model(environment={}, find=list, wording=COMMAND)


def test_an_unknown_name_is_answered_in_the_words_of_the_front_end():
    models = [FoundModel("clip_vision_h.safetensors", Path("h"))]

    cures = {
        "pass download=True to fetch it": PYTHON,
        "add --download to fetch it": COMMAND,
        r"with: clip-grid models --download NAME$": LISTING,
        "put it into models/clip_vision and press R": COMFYUI,
    }
    for cure, wording in cures.items():
        with pytest.raises(InputError, match=cure):
            find_model("clip_vison_h", find=lambda: models, wording=wording)
    with pytest.raises(InputError, match=f"none at all was found; add --model {FIRST_CLIP.repository} --download"):
        find_model("anything", find=list, wording=COMMAND)


def test_a_text_encoder_alone_is_told_with_the_vision_encoder_that_completes_it_before_the_file_to_get(found):
    told = advice.no_complete_model(found(text=("clip_g",)), COMFYUI)

    assert "clip_g.safetensors has a text encoder alone: put sdxl_models/image_encoder/model.safetensors" in told
    assert f"{CLIP_VISION_G.size}) of {CLIP_VISION_G.repository} into ComfyUI's {CLIP_VISION_G.folder}" in told
    assert told.endswith(f"; or {advice.how_to_get_one(COMFYUI)}")
