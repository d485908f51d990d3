"""Tests: a CLIP_VISION of ComfyUI's own loaders gives its own numbers, in batches of any size and for any pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from clip_grid.errors import CheckpointError, InputError, LimitError, PictureError
from clip_grid.nodes.core.vision import CoreVision, merged_fields
from clip_grid.nodes.host.fake import FakeHost, Interrupted

from .core_toys import DIM, WIDTH, ToyClipVision


def pictures(*sizes):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(*size, generator=generator) for size in sizes]


def test_it_gives_comfyuis_own_numbers_for_pictures_of_any_size(tmp_path):
    toy = ToyClipVision()
    images = pictures((2, 60, 101, 3), (1, 28, 28, 3), (1, 90, 33, 4))
    wanted = [toy.encode_image(batch) for batch in images]

    made = CoreVision(toy, FakeHost(tmp_path)).encode(images).output

    for name in ("last_hidden_state", "image_embeds", "penultimate_hidden_states"):
        assert torch.allclose(made[name], torch.cat([one[name] for one in wanted]), atol=1e-5)
    assert made["mm_projected"] is None and len(made["image_sizes"]) == 4


def test_squashing_is_comfyuis_crop_none(tmp_path):
    toy = ToyClipVision()
    images = pictures((2, 60, 101, 3))
    vision = CoreVision(toy, FakeHost(tmp_path))

    made = vision.encode(images, recipe=replace(vision.recipe, fit="squash")).output

    wanted = toy.encode_image(images[0], crop=False)
    assert torch.allclose(made["last_hidden_state"], wanted.last_hidden_state, atol=1e-5)


def test_batches_of_any_size_give_equal_results(tmp_path):
    images = pictures((7, 40, 40, 3))
    vision = CoreVision(ToyClipVision(), FakeHost(tmp_path))

    made = [vision.encode(images, batch_size=size).output["image_embeds"] for size in (1, 3, 7)]

    assert torch.allclose(made[0], made[2], atol=1e-6) and torch.allclose(made[1], made[2], atol=1e-6)


def test_a_batch_that_does_not_fit_is_tried_in_halves(tmp_path):
    toy = ToyClipVision(most=2)

    features = CoreVision(toy, FakeHost(tmp_path)).encode(pictures((5, 30, 30, 3))).features

    assert len(features) == 5
    assert [size[0] for size in toy.sizes] == [5, 2, 2, 1]


def test_one_picture_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(LimitError, match="memory"):
        CoreVision(ToyClipVision(most=0), FakeHost(tmp_path)).encode(pictures((1, 30, 30, 3)))


def test_features_have_every_state_under_its_name(tmp_path):
    features = CoreVision(ToyClipVision(), FakeHost(tmp_path)).encode_images(pictures((2, 30, 30, 3)))

    assert features.image_embeds.shape == (2, DIM) and features.cls_hidden.shape == (2, WIDTH)
    assert features.patch_tokens.shape == (2, 4, WIDTH) and features.last_hidden.shape == (2, 5, WIDTH)
    assert (features.grid, features.num_tokens, features.hidden_size) == ((2, 2), 5, WIDTH)
    assert torch.equal(features.cls_hidden, features.last_hidden[:, 0])
    assert features.to_features().space == features.space


@pytest.mark.parametrize("make", [lambda: ToyClipVision(projects=False), lambda: unfilled(ToyClipVision())])
def test_without_a_projection_there_is_no_embedding_but_a_reason(tmp_path, make):
    vision = CoreVision(make(), FakeHost(tmp_path))

    features = vision.encode(pictures((1, 30, 30, 3))).features

    assert features.image_embeds is None and vision.dim == 0
    assert features.last_hidden is not None
    with pytest.raises(InputError, match="no visual projection"):
        vision.encode_images(pictures((1, 30, 30, 3)))


def unfilled(toy, value=1e-8):
    """As ComfyUI before 0.32 leaves a projection that the file lacks."""
    toy.model.visual_projection.weight.fill_(value)
    return toy


def test_noise_of_memory_that_nobody_filled_is_not_handed_on(tmp_path):
    toy = unfilled(ToyClipVision(), float("nan"))

    made = CoreVision(toy, FakeHost(tmp_path)).encode(pictures((1, 30, 30, 3)))

    assert made.output["image_embeds"].shape == (1, WIDTH) and made.features.image_embeds is None
    assert torch.isfinite(made.output["image_embeds"]).all()


def test_a_siglip_of_comfyui_has_states_and_no_embedding(tmp_path):
    toy = ToyClipVision(siglip=True)
    vision = CoreVision(toy, FakeHost(tmp_path))

    made = vision.encode(pictures((2, 28, 28, 3)))

    assert vision.recipe.fit == "squash"
    assert made.features.image_embeds is None and "pooling head" in made.features.absent["image_embeds"]
    assert torch.equal(made.features.last_hidden, made.output["all_hidden_states"][:, -1])
    assert made.features.patch_tokens.shape == (2, 4, WIDTH)
    assert "class token" in made.features.absent["cls_hidden"]


def test_a_dino_of_comfyui_has_its_class_token_after_the_norm_for_an_embedding(tmp_path):
    toy = ToyClipVision(dino=True)
    images = pictures((2, 28, 28, 3))
    wanted = toy.encode_image(images[0])
    vision = CoreVision(toy, FakeHost(tmp_path))

    features = vision.encode_images(images, wants=("embeds", "projected_patches"))

    assert vision.dim == features.projection_dim == WIDTH and vision.no_embedding == ""
    assert torch.allclose(features.image_embeds, wanted.image_embeds, atol=1e-6)
    assert torch.allclose(features.projected_patches, wanted.last_hidden_state, atol=1e-6)
    assert torch.equal(features.projected_patches[:, 0], features.image_embeds)
    assert features.patch_tokens is None and "final norm" in features.absent["patch_tokens"]
    assert "image_embeds" not in features.absent and "projected_patches" not in features.absent


def test_states_of_every_layer_are_kept_up_to_a_limit(tmp_path):
    vision = CoreVision(ToyClipVision(siglip=True), FakeHost(tmp_path), most_layer_bytes=3000)

    few, many = (vision.encode(pictures((count, 28, 28, 3)), batch_size=1) for count in (2, 20))

    assert "all_hidden_states" in few.output and "all_hidden_states" not in many.output
    assert many.features.last_hidden is None and "final norm" in many.features.absent["last_hidden"]


def test_numbers_that_are_not_finite_are_refused_with_the_cure(tmp_path):
    toy = ToyClipVision()
    toy.model.vision_model.mix.bias.fill_(float("nan"))

    with pytest.raises(InputError, match="missing clip vision"):
        CoreVision(toy, FakeHost(tmp_path)).encode(pictures((1, 30, 30, 3)))


def test_norms_that_nobody_filled_are_noticed_before_anything_is_computed(tmp_path):
    toy = ToyClipVision()
    toy.model.vision_model.post_layernorm.weight.zero_()

    with pytest.raises(CheckpointError, match="post_layernorm"):
        CoreVision(toy, FakeHost(tmp_path))


def test_a_broken_picture_is_named(tmp_path):
    broken = torch.full((1, 8, 8, 3), float("nan"))

    with pytest.raises(PictureError, match="picture 2"):
        CoreVision(ToyClipVision(), FakeHost(tmp_path)).encode([*pictures((1, 30, 30, 3)), broken])


def test_the_user_can_stop_it_between_batches(tmp_path):
    host = FakeHost(tmp_path, interrupt_after=2)
    toy = ToyClipVision()

    with pytest.raises(Interrupted):
        CoreVision(toy, host).encode(pictures((6, 30, 30, 3)), batch_size=1, progress=host.progress())

    assert len(toy.sizes) == 2


def test_room_is_asked_for_before_every_batch(tmp_path):
    host = FakeHost(tmp_path)

    CoreVision(ToyClipVision(), host).encode(pictures((3, 30, 30, 3)), batch_size=2)

    assert len(host.working_bytes) == 2 and host.working_bytes[0] == 2 * host.working_bytes[1] > 0


def test_a_clip_vision_reads_no_texts(tmp_path):
    with pytest.raises(InputError, match="reads no texts"):
        CoreVision(ToyClipVision(), FakeHost(tmp_path)).encode_texts(["a cat"])


def test_equal_weights_have_one_fingerprint_and_others_another(tmp_path):
    host = FakeHost(tmp_path)
    other = ToyClipVision()
    other.model.vision_model.post_layernorm.bias[0] = 1

    first, again, changed = (CoreVision(toy, host).fingerprint for toy in (ToyClipVision(), ToyClipVision(), other))

    assert first == again != changed


def test_states_of_different_shapes_do_not_go_into_one_output():
    with pytest.raises(InputError, match="one size"):
        merged_fields([{"last_hidden_state": torch.zeros(1, 4, 2)}, {"last_hidden_state": torch.zeros(1, 6, 2)}])
