"""CLIPVisionEncoder: the methods that other programs call, with the true shapes of the model."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from clip_grid.api.vision_encoder import CLIPVisionEncoder
from clip_grid.errors import InputError

from .clip_backend.encoding.toy_encoder import toy_encoder
from .clip_backend.tiny_models import random_pictures, tiny_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("vision") / "tiny-clip")


def test_a_file_gives_features_of_pictures_in_every_form(clip):
    encoder = CLIPVisionEncoder.from_pretrained(clip.folder, device="cpu", torch_dtype=torch.float32)
    image = random_pictures(1)[0]
    array = np.asarray(image)

    theirs = clip.images([image])
    for form in (image, array, torch.from_numpy(array.copy()).permute(2, 0, 1)):
        np.testing.assert_allclose(encoder.encode_image(form).global_features, theirs, atol=1e-5)
    assert encoder.get_embedding_dim() == 24


def test_shapes_are_those_of_one_picture_and_patches_come_on_request():
    encoder = CLIPVisionEncoder(toy_encoder())
    image = random_pictures(1)[0]

    full = encoder.encode_image(image, return_patch_features=True)

    assert full.global_features.shape == (1, 4)
    assert full.cls_token.shape == (1, 3)
    assert full.patch_features.shape == (1, 4, 3)
    assert encoder.encode_image(image).patch_features is None


def test_a_batch_is_a_list_in_order():
    encoder = CLIPVisionEncoder(toy_encoder())
    images = random_pictures(3)

    several = encoder.encode_images_batch(images)

    assert len(several) == 3
    for one, image in zip(several, images, strict=True):
        torch.testing.assert_close(one.global_features, encoder.encode_image(image).global_features)


def test_several_pictures_are_not_taken_for_one():
    with pytest.raises(InputError, match="2 pictures; use encode_images_batch"):
        CLIPVisionEncoder(toy_encoder()).encode_image(random_pictures(2))
