"""Tests: without a usable model the nodes say which file to get and where it goes, or name two files that fit."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from clip_grid.clip_backend.finding.advice import COMFYUI, FIRST_CLIP, how_to_get_one
from clip_grid.errors import InputError
from clip_grid.nodes.clip_nodes import CLIPModelLoader
from clip_grid.nodes.models.choice import auto_model, find_model, model_advice
from clip_grid.nodes.models.loaded import LoadedModel
from clip_grid.nodes.score_nodes import CLIPLabel, CLIPMatchScore, RankImages

from ...clip_backend.checkpoints.layout_files import layout_named, write_layout
from ...clip_backend.encoding.toy_encoder import toy_encoder
from ..demo_images import image, run

pytestmark = pytest.mark.usefixtures("host")
CURE = how_to_get_one(COMFYUI)
TOY = f"shapes-demo is a toy that knows coloured shapes only: about other pictures it says nothing; {CURE}"
PAIR = "in CLIP Model Loader choose clip_vision_g.safetensors as model and clip_g.safetensors as text_encoder"


@pytest.fixture
def pair(host):
    """A vision encoder and its text encoder, each in a file of its own."""
    for folder, name in (("clip_vision", "clip_vision_g"), ("text_encoders", "clip_g")):
        write_layout(layout_named(name), host.models_folder / folder)


def told_by(work) -> str:
    with pytest.raises(InputError) as refusal:
        work()
    return str(refusal.value)


def scoring_nodes(model):
    """A run of every node that needs texts, with this model connected."""
    return [
        lambda: run(CLIPMatchScore, image("red circle"), text="a heart", model=model),
        lambda: run(CLIPLabel, image("red circle"), labels="a heart, a star", model=model),
        lambda: run(RankImages, image("red circle", "blue star"), text="a heart", model=model),
    ]


def test_the_file_its_size_and_its_folder_are_told_by_every_node(host):
    told = [told_by(work) for work in scoring_nodes(None)]
    told += [told_by(lambda: auto_model(host)), told_by(lambda: find_model("clip_vision_l", host))]
    told.append(CLIPModelLoader.VALIDATE_INPUTS(model="clip_vision_l.safetensors"))

    assert [message for message in told if not message.endswith(CURE)] == []
    assert f"{FIRST_CLIP.size}) of {FIRST_CLIP.repository} into {FIRST_CLIP.folder} as {FIRST_CLIP.name}" in CURE


def test_two_files_that_fit_are_named_instead(host, pair):
    told = [told_by(work) for work in scoring_nodes(None)] + [told_by(lambda: auto_model(host))]

    assert [message for message in told if not message.endswith(f"clip_g.safetensors; {PAIR}")] == []


def test_a_vision_encoder_that_is_connected_alone_is_told_its_text_encoder(host, pair):
    loaded = LoadedModel("clip_vision_g.safetensors", find_model("clip_vision_g.safetensors", host), toy_encoder())

    told = [told_by(work) for work in scoring_nodes(loaded)]

    assert all("clip_vision_g.safetensors has a vision encoder alone" in message for message in told)
    assert [message for message in told if not message.endswith(PAIR)] == []


def test_no_file_is_asked_for_where_a_complete_model_is_there(host):
    write_layout(layout_named("hf_b32"), host.models_folder / "clip_vision")

    told = told_by(scoring_nodes(None)[0])

    assert told.endswith("or clip and clip_vision (from Load CLIP and Load CLIP Vision)")


def test_the_demo_model_says_what_it_does_not_know(host):
    ui = CLIPModelLoader().execute(model="shapes-demo")["ui"]

    assert ui["clip_notes"] == [TOY]
    assert ui["text"][0].splitlines()[-1] == TOY


def test_the_scores_of_the_demo_carry_its_note_first(host, caplog):
    model = CLIPModelLoader().execute(model="shapes-demo")["result"][0]
    caplog.clear()

    answers = [work() for work in scoring_nodes(model)]

    assert [answer["ui"]["clip_notes"][0] for answer in answers] == [TOY] * 3
    assert [record.getMessage() for record in caplog.records].count(f"CLIP Grid: {TOY}") == 3


def test_where_no_model_is_found_the_loader_says_what_to_get_before_and_in_a_run(host):
    (names, extra) = CLIPModelLoader.INPUT_TYPES()["required"]["model"]

    assert names[0] == "none found" and extra["clip_grid_advice"].endswith(CURE)
    assert CLIPModelLoader.VALIDATE_INPUTS(model="none found") == extra["clip_grid_advice"]
    assert told_by(lambda: CLIPModelLoader().execute(model="none found")) == extra["clip_grid_advice"]


def test_a_complete_model_needs_no_advice(host):
    write_layout(layout_named("hf_b32"), host.models_folder / "clip_vision")

    (names, extra) = CLIPModelLoader.INPUT_TYPES()["required"]["model"]

    assert names[-1] == "shapes-demo" and len(names) == 2 and extra["clip_grid_advice"] == ""


def test_who_has_only_sdxl_is_told_what_his_checkpoint_gives_and_what_is_missing(host):
    path = write_layout(layout_named("sdxl"), host.models_folder / "checkpoints")

    advice = model_advice(host)

    assert f"{path.name} has a text encoder alone: put sdxl_models/image_encoder/model.safetensors (3.69 GB)" in advice
    assert f"CLIP-ViT-bigG-14-laion2B-39B-b160k.safetensors as model and {path.name} as text_encoder" in advice
    assert advice.endswith(CURE)
