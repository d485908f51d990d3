"""Two files are used as one model only if they share a space and each has its projection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo, TextShape, VisionShape
from clip_grid.clip_backend.checkpoints.joined import joined_space
from clip_grid.clip_backend.checkpoints.spaces import space_of
from clip_grid.errors import CheckpointError, SpaceError

VISION = CheckpointInfo(
    path=Path("clip_vision_g.safetensors"), files=(), layout="hf-clip-vision", family="clip",
    vision=VisionShape(width=1664, layers=48, heads=16, mlp=8192, patch=14, tokens=257, image_size=224),
    projection=1280, has_vision_projection=True, space="laion/bigG", fingerprint="v",
)  # fmt: skip
TEXT = CheckpointInfo(
    path=Path("clip_g.safetensors"), files=(), layout="hf-clip-text", family="clip",
    text=TextShape(width=1280, layers=32, heads=20, mlp=5120, context=77, vocabulary=49408),
    projection=1280, has_text_projection=True, space="laion/bigG", fingerprint="t",
)  # fmt: skip


def test_two_files_that_state_one_space_are_of_it():
    stated = {"space": "sidecar"}

    assert joined_space(replace(VISION, sources=stated), replace(TEXT, sources=stated)) == "laion/bigG"


@pytest.mark.parametrize("source", ["assumed", "header"])
def test_both_files_stand_in_a_space_that_their_shapes_and_prefixes_suggest(source):
    vision, text = replace(VISION, sources={"space": "sidecar"}), replace(TEXT, sources={"space": source})

    assert joined_space(vision, text) == "model:v+t"
    assert joined_space(vision, replace(text, fingerprint="tuned")) == "model:v+tuned"


def test_two_spaces_are_refused_with_files_and_spaces_named():
    other = replace(TEXT, path=Path("sd2.safetensors"), projection=1024, space="laion/H")

    with pytest.raises(SpaceError, match=r"clip_vision_g\.saf.*laion/bigG.*sd2\.saf.*laion/H.*clip_vision_h with"):
        joined_space(VISION, other)


def test_two_known_spaces_of_one_length_are_refused_even_with_trust_space():
    with pytest.raises(SpaceError, match="different models"):
        joined_space(VISION, replace(TEXT, space="other/bigG"), trust_space=True)


def test_two_lengths_are_refused_even_with_trust_space():
    with pytest.raises(SpaceError, match="different models"):
        joined_space(VISION, replace(TEXT, space=None, projection=768), trust_space=True)


def test_an_unknown_space_is_refused_and_the_cure_is_named():
    with pytest.raises(SpaceError, match=r"space unknown.*trust_space=True"):
        joined_space(VISION, replace(TEXT, space=None))


@pytest.mark.parametrize(("vision", "text"), [("laion/bigG", None), (None, "laion/bigG"), (None, None)])
def test_an_unknown_space_of_equal_length_is_accepted_with_trust_space(vision, text):
    assert joined_space(replace(VISION, space=vision), replace(TEXT, space=text), trust_space=True) == "model:v+t"


def test_a_text_encoder_without_projection_is_never_used():
    with pytest.raises(CheckpointError, match=r"clip_g\.safetensors: it has no text_projection"):
        joined_space(VISION, replace(TEXT, has_text_projection=False), trust_space=True)


def test_a_vision_encoder_without_projection_is_never_used():
    with pytest.raises(CheckpointError, match="no visual projection"):
        joined_space(replace(VISION, has_vision_projection=False), TEXT, trust_space=True)


def test_a_missing_encoder_is_named():
    with pytest.raises(CheckpointError, match="no text tower"):
        joined_space(VISION, VISION)
    with pytest.raises(CheckpointError, match="no vision tower"):
        joined_space(TEXT, TEXT)


def test_a_file_with_a_problem_is_refused_with_it():
    with pytest.raises(CheckpointError, match="has 23 of 24 layers"):
        joined_space(VISION, replace(TEXT, problem="it has 23 of 24 layers; get the whole file"))


def test_a_model_by_itself_has_the_space_that_its_file_states():
    assert space_of(replace(VISION, sources={"space": "sidecar"})) == "laion/bigG"


def test_two_models_of_one_shape_do_not_share_a_space_that_is_only_assumed():
    assumed = replace(VISION, sources={"space": "assumed"})

    assert space_of(assumed) != space_of(replace(assumed, fingerprint="w"))
