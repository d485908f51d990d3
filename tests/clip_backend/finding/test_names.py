"""A name finds its model; without one a model with both encoders is used, and a note says which."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.finding.catalog import FoundModel, find_models
from clip_grid.clip_backend.finding.folders import ModelPathConfig
from clip_grid.clip_backend.finding.names import default_model, find_model
from clip_grid.errors import InputError

from ..checkpoints.layout_files import layout_named, write_layout


def test_a_name_finds_its_model():
    models = [FoundModel("clip_vision/tiny.safetensors", Path("a")), FoundModel("b/c", Path("x"))]

    for name in ("clip_vision/tiny.safetensors", "clip_vision\\tiny", "tiny.safetensors", "tiny"):
        assert find_model(name, find=lambda: models) == Path("a")


def test_an_unknown_name_is_refused_with_the_nearest():
    models = [FoundModel("clip_vision_h.safetensors", Path("h")), FoundModel("unrelated", Path("u"))]

    with pytest.raises(InputError, match=r"no model 'clip_vison_h'; did you mean 'clip_vision_h\.safetensors'\?"):
        find_model("clip_vison_h", find=lambda: models)
    with pytest.raises(InputError, match="none at all was found"):
        find_model("anything", find=list)


def test_the_demo_model_is_found_by_its_name():
    assert read_checkpoint(find_model("shapes-demo", find=list)).family == "clip"


def test_a_name_of_two_models_is_not_guessed():
    models = [FoundModel("a/model.safetensors", Path("a")), FoundModel("b/model.safetensors", Path("b"))]

    with pytest.raises(InputError, match=r"'a/model\.safetensors', 'b/model\.safetensors'"):
        find_model("model", find=lambda: models)
    assert find_model("b/model", find=lambda: models) == Path("b")


def test_a_name_that_no_repository_can_have_is_refused_without_asking_the_network():
    with pytest.raises(InputError, match="cannot be fetched from the hub"):
        find_model("a/b/c/d", download=True, find=list)


def models_in(folder: Path, *names: str):
    """Finds the models in a folder with files of these layouts."""
    for name in names:
        write_layout(layout_named(name), folder)
    return lambda: find_models(ModelPathConfig(clip_vision_paths=folder))


def test_the_first_model_with_both_encoders_is_used_and_named(tmp_path):
    find = models_in(tmp_path, "clip_vision_h", "clip_g", "hf_folder")

    path, note = default_model(environment={}, find=find)

    assert Path(path).parent == tmp_path
    assert note == f"the model is {Path(path).name}"


def test_a_note_says_that_there_are_others(tmp_path):
    find = models_in(tmp_path, "hf_folder", "siglip_b16")

    _, note = default_model(environment={}, find=find)

    assert note.endswith("the first of 2; another is taken by its name")


def test_a_lone_encoder_is_never_used(tmp_path):
    find = models_in(tmp_path, "clip_vision_h", "clip_g")

    with pytest.raises(InputError, match="no CLIP on this machine that has both encoders"):
        default_model(environment={}, find=find)


def test_the_variable_names_the_model_before_any_folder_is_searched():
    def search():
        raise AssertionError("nothing is to be searched")

    model, note = default_model(environment={"CLIP_GRID_MODEL": " my-clip "}, find=search)

    assert model == "my-clip"
    assert "CLIP_GRID_MODEL" in note


def test_the_demo_model_is_never_used_by_default(tmp_path):
    with pytest.raises(InputError, match="no CLIP on this machine"):
        default_model(environment={}, find=models_in(tmp_path))
