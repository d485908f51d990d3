"""The model that is used when none is named: one with both encoders, and always with a note."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.clip_backend.finding.catalog import find_models
from clip_grid.clip_backend.finding.folders import ModelPathConfig
from clip_grid.clip_backend.finding.names import default_model
from clip_grid.errors import InputError

from ..checkpoints.layout_files import layout_named, write_layout


def models(folder: Path, *names: str):
    """What is found in a folder with models of these layouts."""
    for name in names:
        write_layout(layout_named(name), folder)
    return lambda: find_models(ModelPathConfig(clip_vision_paths=folder))


def test_the_first_model_with_both_encoders_is_used_and_named(tmp_path):
    found = models(tmp_path, "clip_vision_h", "clip_g", "hf_folder")

    path, note = default_model(environment={}, find=found)

    assert Path(path).parent == tmp_path
    assert note == f"the model is {Path(path).name}"


def test_a_note_tells_that_there_were_others(tmp_path):
    found = models(tmp_path, "hf_folder", "siglip_b16")

    _, note = default_model(environment={}, find=found)

    assert note.endswith("the first of 2; another is taken by its name")


def test_a_lone_encoder_is_never_used(tmp_path):
    found = models(tmp_path, "clip_vision_h", "clip_g")

    with pytest.raises(InputError, match=r"no CLIP on this machine that has both encoders.*CLIP_GRID_MODEL"):
        default_model(environment={}, find=found)


def test_the_variable_names_the_model_before_any_folder_is_searched():
    def search():
        raise AssertionError("nothing is to be searched")

    model, note = default_model(environment={"CLIP_GRID_MODEL": " my-clip "}, find=search)

    assert model == "my-clip"
    assert "CLIP_GRID_MODEL" in note


def test_the_demo_model_is_never_used_by_default(tmp_path):
    with pytest.raises(InputError, match="name a model"):
        default_model(environment={}, find=models(tmp_path))
