"""Tests: models are loaded by name, once, with another file's text encoder if asked, and connected to scoring nodes."""

from __future__ import annotations

import os
import shutil

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from clip_grid.clip_backend.loading import load_encoder
from clip_grid.errors import InputError, SpaceError
from clip_grid.nodes.clip_nodes import CLIPModelLoader
from clip_grid.nodes.models.loaded import loaded_encoders
from clip_grid.nodes.score_nodes import CLIPMatchScore

from ...clip_backend.tiny_models import tiny_clip
from ...clip_backend.vocabularies import learn_clip
from ..demo_images import image, run
from ..toy_comfyui import ToyClipVision, ToyTower, toy_clip
from .model_files import encode, images, load, offered_names, write_text_model

pytestmark = pytest.mark.usefixtures("host")


def test_an_unknown_model_is_refused_before_anything_runs_with_the_nearest_name(host, model):
    offered_names()

    assert CLIPModelLoader.VALIDATE_INPUTS(model="tiny.safetensors") is True
    assert "did you mean 'tiny.safetensors'" in CLIPModelLoader.VALIDATE_INPUTS(model="tinny.safetensors")


def test_the_loader_runs_again_when_the_file_changes_and_never_raises(host, model):
    offered_names()
    before = CLIPModelLoader.IS_CHANGED(model="tiny.safetensors")
    os.utime(model, ns=(1, 1))
    after = CLIPModelLoader.IS_CHANGED(model="tiny.safetensors")
    model.unlink()

    assert before != after != CLIPModelLoader.IS_CHANGED(model="tiny.safetensors")
    assert CLIPModelLoader.IS_CHANGED(model=None) == CLIPModelLoader.IS_CHANGED(model=None)


def test_the_hosts_vocabulary_folders_are_searched_in_turn(host, tmp_path):
    clip = tiny_clip(tmp_path / "clip")
    (host.models_folder / "clip_vision").mkdir(parents=True)
    shutil.copy(clip.folder / "model.safetensors", host.models_folder / "clip_vision" / "whole.safetensors")
    host.vocabulary_folders = (learn_clip(tmp_path / "other", 400), clip.folder)

    made = load("whole.safetensors").encoder.tokenizer.encode(["a cat"])

    assert made == load_encoder(clip.folder, device="cpu").tokenizer.encode(["a cat"])


def test_a_text_encoder_of_an_unknown_space_is_joined_only_with_trust_space(host, model):
    write_text_model(host.models_folder / "text_encoders" / "words.safetensors")

    assert CLIPModelLoader.INPUT_TYPES()["optional"]["text_encoder"][0] == ["none", "words.safetensors"]
    assert "words.safetensors" not in offered_names()
    with pytest.raises(SpaceError, match="trust_space"):
        load(text_encoder="words.safetensors")
    assert load(text_encoder="words.safetensors", trust_space=True).name == "tiny.safetensors + words.safetensors"


def test_a_model_that_is_chosen_twice_is_loaded_once(host, model):
    assert load().encoder is load().encoder
    assert load().encoder is not load(dtype="fp16").encoder


def test_the_summary_names_what_was_assumed(host, model):
    shown = CLIPModelLoader().execute(model="tiny.safetensors")["ui"]["text"][0]

    assert "embeddings of 24 dimensions" in shown and "assumed:" in shown and "activation" in shown


def test_a_bad_option_is_refused_by_name(host, model):
    with pytest.raises(InputError, match="dtype is 'int4'"):
        load(dtype="int4")


def test_a_model_that_disappeared_is_refused_with_the_cure(host, model):
    offered_names()
    shutil.move(model, model.with_suffix(".gone"))

    with pytest.raises(InputError, match=r"look for the models again|no model"):
        encode(images(), model=load())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "no model is connected; connect model"),
        ({"model": [None]}, "no model is connected"),
        ({"clip": ["a clip"]}, "clip is only one encoder of a model; connect clip_vision"),
        ({"clip_vision": ["a clip"]}, "clip_vision is only one encoder of a model; connect clip of"),
        ({"model": ["shapes-demo"]}, "model holds a str"),
        ({"model": ["a", "b"]}, "2 models are connected to model"),
        ({"model": ["a"], "clip": ["b"]}, "model and clip"),
    ],
)
def test_exactly_one_complete_model_must_be_connected(inputs, message):
    with pytest.raises(InputError, match=message):
        run(CLIPMatchScore, image("red circle"), text="a heart", **{"model": None, **inputs})


def test_a_clip_and_a_clip_vision_of_different_sizes_are_refused():
    with pytest.raises(InputError, match="there is no CLIP that goes with"):
        run(
            CLIPMatchScore, image("red circle"), text="a heart", model=None, clip=toy_clip({"clip_l": ToyTower(12)}),
            clip_vision=ToyClipVision(),
        )  # fmt: skip


def test_embeddings_are_found_again_after_a_restart(host):
    loaded = CLIPModelLoader().execute(model="shapes-demo")["result"][0]
    first = run(CLIPMatchScore, image("red circle"), model=loaded, text="a red circle")
    kept = sorted(host.embeddings_folder.iterdir())
    loaded_encoders().clear()
    again = CLIPModelLoader().execute(model="shapes-demo")["result"][0]
    second = run(CLIPMatchScore, image("red circle"), model=again, text="a red circle")

    assert again.encoder is not loaded.encoder
    assert again.encoder.cache.misses == 0 and kept
    assert sorted(host.embeddings_folder.iterdir()) == kept
    assert first["result"][0] == second["result"][0]
