"""IPAdapterService: finds CLIP-G or CLIP-H by content, gives features of reference pictures, and falls back quietly."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from clip_grid import api
from clip_grid.clip_backend.finding.advice import CLIP_VISION_G, CLIP_VISION_H
from clip_grid.errors import CheckpointError, InputError, PictureError

from .clip_backend.checkpoints.layout_files import layout_named, write_layout

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from .clip_backend.tiny_models import random_pictures, tiny_clip


def config_with(folder: Path, *layouts: str) -> api.ModelPathConfig:
    """A folder of vision encoders with files of these layouts, whose names tell nothing."""
    for number, name in enumerate(layouts):
        written = write_layout(layout_named(name), folder)
        written.rename(folder / f"{number}.safetensors")
    folder.mkdir(exist_ok=True)
    return api.ModelPathConfig(clip_vision_paths=[folder])


@pytest.mark.parametrize(
    ("layouts", "chosen"),
    [
        (("clip_vision_h", "clip_vision_g"), "1.safetensors"),
        (("clip_vision_g",), "0.safetensors"),
        (("clip_vision_l", "hf_b32", "clip_vision_h"), "2.safetensors"),
        (("hf_h14",), "0.safetensors"),
    ],
)
def test_g_and_else_h_is_found_by_its_content(tmp_path, layouts, chosen):
    assert api.find_clip_vision(config_with(tmp_path / "models", *layouts)).name == chosen


def test_other_encoders_are_never_taken_and_both_files_are_named(tmp_path):
    config = config_with(tmp_path / "models", "clip_vision_l", "hf_b32", "hf_h14_378", "siglip_b16")

    with pytest.raises(InputError) as refusal:
        api.find_clip_vision(config)

    for file in (CLIP_VISION_G, CLIP_VISION_H):
        assert f"{file.file} ({file.size}) of {file.repository} as {file.name}" in str(refusal.value)
    assert "into ComfyUI's models/clip_vision" in str(refusal.value)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("vision") / "tiny-clip")


@pytest.fixture
def service(clip) -> api.IPAdapterService:
    return api.IPAdapterService(clip_vision_path=clip.folder, device="cpu", torch_dtype=torch.float32)


def test_features_are_those_of_transformers(service, clip):
    image = random_pictures(1)[0]

    assert service.load_clip_vision()
    features = service.extract_features(image)

    np.testing.assert_allclose(features.global_features, clip.images([image]), atol=1e-5)
    assert service.get_embedding_dim() == features.global_features.shape[1] == 24
    assert features.patch_features.shape[:2] == (1, service.encoder.encoder.encode_images(image).num_tokens - 1)
    assert features.cls_token.shape == (1, features.patch_features.shape[2])


def test_the_model_is_loaded_with_the_first_picture_if_nobody_asked_before(service):
    assert service.encoder is None
    assert service.extract_features(random_pictures(1)[0]) is not None
    assert service.encoder is not None


def test_a_reference_keeps_its_features(service):
    reference = api.ReferenceImage(image=np.asarray(random_pictures(1)[0]), scale=0.8)

    features = service.extract_features(reference)

    assert reference.features is features is service.extract_features(reference)
    assert service.extract_features_batch([reference])[0] is features


def test_features_that_another_model_left_in_a_reference_are_not_used(service, tmp_path):
    other = api.IPAdapterService(tiny_clip(tmp_path / "other", projection=16).folder, device="cpu")
    reference = api.ReferenceImage(random_pictures(1)[0])
    foreign = other.extract_features(reference)

    own = service.extract_features(reference)

    assert own is not foreign and reference.features is own
    torch.testing.assert_close(own.global_features, service.extract_features(reference.image).global_features)


def test_a_batch_keeps_the_order_and_loses_one_broken_picture_alone(service, tmp_path, caplog):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    images = random_pictures(3)
    known = api.ReferenceImage(images[2])
    service.extract_features(known)

    found = service.extract_features_batch([images[0], tmp_path / "broken.png", known, api.ReferenceImage(images[1])])

    assert found[1] is None and "broken.png has no features: " in caplog.text
    assert found[2] is known.features
    for features, image in ((found[0], images[0]), (found[3], images[1])):
        torch.testing.assert_close(features.global_features, service.extract_features(image).global_features)
    assert service.extract_features_batch([]) == []
    assert service.extract_features_batch([tmp_path / "broken.png"]) == [None]


def test_a_single_picture_that_cannot_be_read_is_an_error(service, tmp_path):
    with pytest.raises(PictureError, match="nowhere"):
        service.extract_features(tmp_path / "nowhere.png")


def test_without_a_model_a_warning_says_what_to_get_and_nothing_fails(tmp_path, caplog):
    service = api.IPAdapterService(config=config_with(tmp_path / "models", "clip_vision_l"))

    with caplog.at_level(logging.WARNING):
        assert service.load_clip_vision() is False

    assert CLIP_VISION_G.name in caplog.text and CLIP_VISION_H.name in caplog.text
    assert service.problem in caplog.text
    image = random_pictures(1)[0]
    reference = api.ReferenceImage(image)
    assert service.extract_features(reference) is reference.features is None
    assert service.extract_features_batch([image, reference]) == [None, None]
    assert service.get_embedding_dim() is None
    assert caplog.text.count("reference pictures have no features") == 1
    with pytest.raises(InputError, match="there is no vision encoder of CLIP-G or CLIP-H"):
        api.load_clip_vision(config=api.ModelPathConfig(clip_vision_paths=[tmp_path / "models"]))


def test_a_model_that_was_put_in_place_meanwhile_is_taken(clip, tmp_path):
    service = api.IPAdapterService(config=config_with(tmp_path / "models"), device="cpu")
    assert not service.load_clip_vision()

    assert service.load_clip_vision(clip.folder)
    assert service.problem == "" and service.get_embedding_dim() == 24


def test_a_file_that_was_named_is_never_replaced_by_another(tmp_path):
    service = api.IPAdapterService(clip_vision_path=tmp_path / "nowhere.safetensors")

    with pytest.raises(CheckpointError, match="there is no such file"):
        service.load_clip_vision()
    with pytest.raises(CheckpointError, match="there is no such file"):
        service.extract_features(random_pictures(1)[0])


def test_encoder_and_features_move_to_a_device_and_number_type(service):
    image = random_pictures(1)[0]
    features = service.extract_features(image)

    assert service.to("cpu", torch.bfloat16) is service
    assert service.encoder.encoder.identity.dtype == "bf16"
    moved = features.to("meta", torch.float16)
    assert {state.device.type for state in (moved.global_features, moved.cls_token, moved.patch_features)} == {"meta"}
    assert moved.global_features.dtype == torch.float16 and moved.fingerprint == features.fingerprint
    assert features.global_features.device.type == "cpu"

    encoder = api.load_clip_vision(service._path, device="cpu")
    assert encoder.to("cpu", "bf16") is encoder and encoder.encoder.identity.dtype == "bf16"
    with pytest.raises(InputError, match="with from_pretrained"):
        api.CLIPVisionEncoder(encoder.encoder).to("cpu")


def test_features_of_an_encoder_have_the_same_name_and_move_too(service):
    service.load_clip_vision()
    features = service.encoder.encoder.encode_images(random_pictures(2), wants=["embeds", "cls_hidden"])

    moved = features.to("meta")

    assert features.global_features is features.image_embeds
    assert moved.cls_hidden.device.type == moved.image_embeds.device.type == "meta"
    assert moved.patch_tokens is None and moved.names == features.names
    half = features.to("cpu", torch.float16)
    np.testing.assert_allclose(half.to_features().vectors, features.to_features().vectors, atol=1e-3)
    with pytest.raises(InputError, match="not asked for"):
        service.encoder.encoder.encode_images(random_pictures(1), wants=["cls_hidden"]).global_features.sum()
