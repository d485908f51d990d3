"""Tests: models of ComfyUI's own loaders compute each picture and each text of a session but once."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from clip_grid.errors import InputError
from clip_grid.nodes.core.encoder import CoreEncoder, core_vision_encoder
from clip_grid.nodes.core.text import core_text_encoder
from clip_grid.nodes.core.vision import CoreVision
from clip_grid.nodes.host.fake import FakeHost

from .core_toys import DIM, LETTER_TOKENS, ToyClipVision, ToyTower, toy_clip, write_letters


def pictures(count=3):
    return torch.rand(count, 40, 56, 3, generator=torch.Generator().manual_seed(count))


@pytest.fixture
def host(tmp_path):
    return FakeHost(tmp_path, vocabulary_folders=(write_letters(tmp_path / "sd1_tokenizer"),))


@pytest.fixture
def clip():
    torch.manual_seed(1)
    return toy_clip({"clip_l": ToyTower(DIM, LETTER_TOKENS)}, "clip_l")


def test_its_numbers_are_those_of_the_clip_vision(host):
    toy = ToyClipVision()

    made = core_vision_encoder(toy, host).encode_images(pictures())

    wanted = CoreVision(toy, host).encode_images(pictures())
    assert torch.equal(made.image_embeds, wanted.image_embeds)
    assert (made.space, made.names) == (wanted.space, wanted.names)


def test_a_second_execution_computes_no_picture_again(host):
    toy = ToyClipVision()
    first = core_vision_encoder(toy, host).encode_images(pictures()).image_embeds
    toy.sizes.clear()

    second = core_vision_encoder(toy, host).encode_images(pictures()).image_embeds

    assert toy.sizes == [] and torch.equal(first, second)


def test_another_model_is_asked_anew(host):
    core_vision_encoder(ToyClipVision(), host).encode_images(pictures())
    other = ToyClipVision()
    other.model.visual_projection.weight.data += 1

    core_vision_encoder(other, host).encode_images(pictures())

    assert len(other.sizes) == 1


def test_a_second_execution_reads_no_text_again(host, clip):
    clip.patcher.patches_uuid = "of the first load"
    core_text_encoder(clip, host).encode_texts(["hi", "ho"])
    clip.patcher.patches_uuid = "of the second load"
    tower = clip.cond_stage_model.clip_l
    tower.batches.clear()

    core_text_encoder(clip, host).encode_texts(["ho", "hi"])

    assert tower.batches == []


def test_a_lora_on_the_clip_is_another_model(host, clip):
    core_text_encoder(clip, host).encode_texts(["hi"])
    tower = clip.cond_stage_model.clip_l
    tower.batches.clear()
    clip.patcher.patches, clip.patcher.patches_uuid = {"a": 1}, "of the LoRA"

    core_text_encoder(clip, host).encode_texts(["hi"])

    assert len(tower.batches) == 1


def test_a_pair_compares_pictures_with_texts(host, clip):
    vision = core_vision_encoder(ToyClipVision(), host)
    pair = CoreEncoder(vision, core_text_encoder(clip, host, dim=DIM, space=vision.space), "assumed")

    cosines = pair.encode_images(pictures()).to_features().similarity(pair.encode_texts(["hi"]))

    assert cosines.shape == (3, 1) and np.isfinite(cosines).all()
    assert "space" in pair.identity.assumed and pair.identity.notes[0] == "assumed"


def test_a_broken_picture_costs_itself_alone(host):
    broken = torch.full((1, 8, 8, 3), float("nan"))

    made = core_vision_encoder(ToyClipVision(), host).encode_images([pictures(1), broken], strict=False)

    assert made.kept == (0,) and "NaN" in made.failed[0].reason


def test_numbers_that_are_not_finite_are_refused_with_the_cure(host):
    toy = ToyClipVision()
    toy.model.vision_model.mix.weight.data.fill_(float("nan"))

    with pytest.raises(InputError, match="fetch the file again"):
        core_vision_encoder(toy, host).encode_images(pictures())


def test_without_a_projection_there_is_nothing_to_compare(host):
    with pytest.raises(InputError, match="no visual projection"):
        core_vision_encoder(ToyClipVision(projects=False), host)
