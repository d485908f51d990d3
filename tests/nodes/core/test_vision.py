"""Tests: a CLIP_VISION of ComfyUI's loaders gives ComfyUI's own numbers, in batches of any size and for any images."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from clip_grid.errors import CheckpointError, InputError, LimitError, PictureError
from clip_grid.nodes.core.vision import CoreVision, core_vision_encoder, merged_fields
from clip_grid.nodes.core.vision_model import weights_fingerprint
from clip_grid.nodes.host.fake import FakeHost, Interrupted

from ..toy_comfyui import DIM, WIDTH, ToyClipVision


@pytest.fixture
def host(tmp_path):
    return FakeHost(tmp_path)


def images(*sizes):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(*size, generator=generator) for size in sizes]


def broken_image():
    return torch.full((1, 8, 8, 3), float("nan"))


def without_projection(value=1e-8):
    """As ComfyUI before 0.32 loads a file that has no projection: its memory is uninitialised."""
    toy = ToyClipVision()
    toy.model.visual_projection.weight.fill_(value)
    return toy


# all fields of a CLIP_VISION_OUTPUT


def test_it_gives_comfyuis_own_numbers_for_images_of_any_size(host):
    toy = ToyClipVision()
    batches = images((2, 60, 101, 3), (1, 28, 28, 3), (1, 90, 33, 4))
    wanted = [toy.encode_image(batch) for batch in batches]

    made = CoreVision(toy, host).encode(batches).output

    for name in ("last_hidden_state", "image_embeds", "penultimate_hidden_states"):
        assert torch.allclose(made[name], torch.cat([one[name] for one in wanted]), atol=1e-5)
    assert made["mm_projected"] is None and len(made["image_sizes"]) == 4


def test_squashing_is_comfyuis_crop_none(host):
    toy = ToyClipVision()
    batches = images((2, 60, 101, 3))
    vision = CoreVision(toy, host)

    made = vision.encode(batches, preprocessing=replace(vision.model.preprocessing, fit="squash")).output

    wanted = toy.encode_image(batches[0], crop=False)
    assert torch.allclose(made["last_hidden_state"], wanted.last_hidden_state, atol=1e-5)


def test_batches_of_any_size_give_equal_results(host):
    batches = images((7, 40, 40, 3))
    vision = CoreVision(ToyClipVision(), host)

    made = [vision.encode(batches, batch_size=size).output["image_embeds"] for size in (1, 3, 7)]

    assert torch.allclose(made[0], made[2], atol=1e-6) and torch.allclose(made[1], made[2], atol=1e-6)


def test_a_batch_that_does_not_fit_into_memory_is_halved(host):
    toy = ToyClipVision(most=2)

    features = CoreVision(toy, host).encode(images((5, 30, 30, 3))).features

    assert len(features) == 5
    assert [size[0] for size in toy.sizes] == [5, 2, 2, 1]


def test_a_single_image_that_does_not_fit_into_memory_is_refused(host):
    with pytest.raises(LimitError, match="memory"):
        CoreVision(ToyClipVision(most=0), host).encode(images((1, 30, 30, 3)))


class OnDevice(ToyClipVision):
    """A CLIP_VISION on a device that has no memory for a single image."""

    def __init__(self, **options):
        super().__init__(**options)
        self.load_device = self.patcher.load_device = torch.device("meta")
        self.computed_on = []

    def encode_image(self, image, crop=True):
        self.computed_on.append((self.load_device.type, self.patcher.load_device.type, image.device.type, len(image)))
        if self.load_device.type != "cpu":
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
        return super().encode_image(image, crop)


def test_where_the_device_is_full_comfyuis_encoder_really_computes_on_the_cpu_and_the_result_says_so(host):
    toy, batches = OnDevice(), images((3, 40, 56, 3))

    features = CoreVision(toy, host).encode(batches).features

    assert toy.computed_on == [("meta", "meta", "meta", 3), ("meta", "meta", "meta", 1), ("cpu", "cpu", "cpu", 3)]
    assert torch.equal(features.image_embeds, CoreVision(ToyClipVision(), host).encode(batches).features.image_embeds)
    assert "processor computed" in features.notes[0]
    assert (toy.load_device.type, toy.patcher.load_device.type) == ("meta", "meta"), "the user's own stays as it was"


def test_the_encoder_for_scores_really_computes_on_the_cpu_too(host):
    toy, batches = OnDevice(), images((3, 40, 56, 3))

    made = core_vision_encoder(toy, host).encode_images(batches)

    assert toy.computed_on[-1] == ("cpu", "cpu", "cpu", 3) and "processor computed" in made.notes[0]


def test_a_picture_that_needs_too_much_memory_is_named(host, monkeypatch):
    def full(*args):
        raise MemoryError

    monkeypatch.setattr("clip_grid.nodes.core.vision.prepare", full)

    with pytest.raises(PictureError, match="picture 1: needs more memory than is free"):
        CoreVision(ToyClipVision(), host).encode(images((1, 30, 30, 3)))


def test_the_images_of_a_batch_go_to_the_device_together(host, monkeypatch):
    toy, moved = OnDevice(), []
    true_to = torch.Tensor.to

    def to(tensor, *args, **options):
        if any(getattr(argument, "type", argument) == "meta" for argument in args):
            moved.append((tuple(tensor.shape), tensor.dtype))
        return true_to(tensor, *args, **options)

    monkeypatch.setattr(torch.Tensor, "to", to)
    CoreVision(toy, host).encode(images((3, 40, 56, 3)))

    assert moved[0] == ((3, 28, 28, 3), torch.uint8)


def test_memory_is_asked_for_before_every_batch(host):
    CoreVision(ToyClipVision(), host).encode(images((3, 30, 30, 3)), batch_size=2)

    assert len(host.working_bytes) == 2 and host.working_bytes[0] == 2 * host.working_bytes[1] > 0


def test_the_user_can_stop_it_between_batches(tmp_path):
    host = FakeHost(tmp_path, interrupt_after=2)
    toy = ToyClipVision()

    with pytest.raises(Interrupted):
        CoreVision(toy, host).encode(images((6, 30, 30, 3)), batch_size=1, progress=host.progress())

    assert len(toy.sizes) == 2


def test_a_broken_image_is_named(host):
    with pytest.raises(PictureError, match="picture 2"):
        CoreVision(ToyClipVision(), host).encode([*images((1, 30, 30, 3)), broken_image()])


def test_states_of_different_shapes_do_not_go_into_one_output():
    with pytest.raises(InputError, match="one size"):
        merged_fields([{"last_hidden_state": torch.zeros(1, 4, 2)}, {"last_hidden_state": torch.zeros(1, 6, 2)}])


# features


def test_features_have_every_state_under_its_name(host):
    features = CoreVision(ToyClipVision(), host).encode(images((2, 30, 30, 3))).features

    assert features.image_embeds.shape == (2, DIM) and features.cls_hidden.shape == (2, WIDTH)
    assert features.patch_tokens.shape == (2, 4, WIDTH) and features.last_hidden.shape == (2, 5, WIDTH)
    assert (features.grid, features.num_tokens, features.hidden_size) == ((2, 2), 5, WIDTH)
    assert torch.equal(features.cls_hidden, features.last_hidden[:, 0])
    assert features.to_features().space == features.space


@pytest.mark.parametrize("make", [lambda: ToyClipVision(projects=False), without_projection])
def test_without_a_projection_there_is_no_embedding_but_a_reason(host, make):
    vision = CoreVision(make(), host)

    features = vision.encode(images((1, 30, 30, 3))).features

    assert features.image_embeds is None and vision.identity.dim == 0
    assert features.last_hidden is not None
    with pytest.raises(InputError, match="no visual projection"):
        features.require("embeds")


def test_an_uninitialised_projection_is_not_used(host):
    made = CoreVision(without_projection(float("nan")), host).encode(images((1, 30, 30, 3)))

    assert made.output["image_embeds"].shape == (1, WIDTH) and made.features.image_embeds is None
    assert torch.isfinite(made.output["image_embeds"]).all()


def test_a_siglip_of_comfyui_has_states_and_no_embedding(host):
    vision = CoreVision(ToyClipVision(siglip=True), host)

    made = vision.encode(images((2, 28, 28, 3)))

    assert vision.model.preprocessing.fit == "squash"
    assert made.features.image_embeds is None and "pooling head" in made.features.absent["image_embeds"]
    assert torch.equal(made.features.last_hidden, made.output["all_hidden_states"][:, -1])
    assert made.features.patch_tokens.shape == (2, 4, WIDTH)
    assert "class token" in made.features.absent["cls_hidden"]


def test_the_embedding_of_a_dino_of_comfyui_is_its_class_token_after_the_norm(host):
    toy = ToyClipVision(dino=True)
    batches = images((2, 28, 28, 3))
    wanted = toy.encode_image(batches[0])
    vision = CoreVision(toy, host)

    features = vision.encode(batches).features

    assert vision.identity.dim == features.projection_dim == WIDTH and vision.model.no_embedding == ""
    assert torch.allclose(features.image_embeds, wanted.image_embeds, atol=1e-6)
    assert torch.allclose(features.projected_patches, wanted.last_hidden_state, atol=1e-6)
    assert torch.equal(features.projected_patches[:, 0], features.image_embeds)
    assert features.patch_tokens is None and "final norm" in features.absent["patch_tokens"]
    assert "image_embeds" not in features.absent and "projected_patches" not in features.absent


def test_the_states_of_every_layer_are_kept_up_to_a_limit(host):
    vision = CoreVision(ToyClipVision(siglip=True), host, max_layer_bytes=3000)

    few, many = (vision.encode(images((count, 28, 28, 3)), batch_size=1) for count in (2, 20))

    assert "all_hidden_states" in few.output and "all_hidden_states" not in many.output
    assert many.features.last_hidden is None and "final norm" in many.features.absent["last_hidden"]


def test_equal_weights_have_one_fingerprint_and_others_another(host):
    other = ToyClipVision()
    other.model.vision_model.post_layernorm.bias[0] = 1

    first, again, changed = (
        CoreVision(toy, host).identity.fingerprint for toy in (ToyClipVision(), ToyClipVision(), other)
    )

    assert first == again != changed


def test_every_weight_of_every_type_is_in_the_fingerprint():
    class Weights(torch.nn.Module):
        def __init__(self, **tensors):
            super().__init__()
            for name, tensor in tensors.items():
                self.register_buffer(name, tensor)

    class Quantised(torch.Tensor):
        """As packs for GGUF files have them: raw bytes with the shape of what they stand for."""

        @property
        def shape(self):
            return torch.Size((300, 4))

    base = {
        "float16": torch.ones(500, dtype=torch.float16),
        "brain": torch.ones(500, dtype=torch.bfloat16),
        "eight": torch.ones(500).to(torch.float8_e4m3fn),
        "whole": torch.ones(500, dtype=torch.int8),
        "flags": torch.ones(500, dtype=torch.bool),
        "scale": torch.tensor(2.0),
        "empty": torch.ones(0),
        "quantised": torch.ones(500, dtype=torch.uint8).as_subclass(Quantised),
    }
    prints = {weights_fingerprint(Weights(**base))}
    for name, tensor in base.items():
        for place in (0, -1) if tensor.numel() else ():
            changed = tensor.clone()
            changed.as_subclass(torch.Tensor).reshape(-1)[place] = 0
            prints.add(weights_fingerprint(Weights(**base | {name: changed})))

    assert len(prints) == 1 + 6 * 2 + 1
    assert weights_fingerprint(Weights(**base)) in prints
    assert weights_fingerprint(Weights(**base | {"float16": base["float16"].float()})) in prints


# weights that a file lacks


@pytest.mark.parametrize(
    "encode",
    [
        lambda toy, host: CoreVision(toy, host).encode(images((1, 30, 30, 3))),
        lambda toy, host: core_vision_encoder(toy, host).encode_images(images((1, 30, 30, 3))),
    ],
)
def test_numbers_that_are_not_finite_are_refused_with_the_cure(host, encode):
    toy = ToyClipVision()
    toy.model.vision_model.mix.bias.fill_(float("nan"))

    with pytest.raises(InputError, match=r"missing clip vision.*fetch the file again"):
        encode(toy, host)


def test_uninitialised_norms_are_noticed_before_anything_is_computed(host):
    toy = ToyClipVision()
    toy.model.vision_model.post_layernorm.weight.zero_()

    with pytest.raises(CheckpointError, match="post_layernorm"):
        CoreVision(toy, host)


# the embedding alone, cached


def test_the_encoders_embeddings_are_those_of_the_output(host):
    toy = ToyClipVision()

    made = core_vision_encoder(toy, host).encode_images(images((3, 40, 56, 3)))

    wanted = CoreVision(toy, host).encode(images((3, 40, 56, 3))).features
    assert torch.equal(made.image_embeds, wanted.image_embeds)
    assert (made.space, made.names) == (wanted.space, wanted.names)


def test_a_second_run_computes_no_image_again(host):
    toy = ToyClipVision()
    first = core_vision_encoder(toy, host).encode_images(images((3, 40, 56, 3))).image_embeds
    toy.sizes.clear()

    second = core_vision_encoder(toy, host).encode_images(images((3, 40, 56, 3))).image_embeds

    assert toy.sizes == [] and torch.equal(first, second)


def test_another_model_computes_the_images_again(host):
    core_vision_encoder(ToyClipVision(), host).encode_images(images((3, 40, 56, 3)))
    other = ToyClipVision()
    other.model.visual_projection.weight.data += 1

    core_vision_encoder(other, host).encode_images(images((3, 40, 56, 3)))

    assert len(other.sizes) == 1


def test_the_encoder_can_leave_out_a_broken_image(host):
    batches = [*images((1, 40, 56, 3)), broken_image()]

    made = core_vision_encoder(ToyClipVision(), host).encode_images(batches, strict=False)

    assert made.kept == (0,) and "NaN" in made.failed[0].reason


def test_there_is_no_encoder_without_a_projection(host):
    with pytest.raises(InputError, match="no visual projection"):
        core_vision_encoder(ToyClipVision(projects=False), host)


def test_a_clip_vision_reads_no_texts(host):
    with pytest.raises(InputError, match="no text encoder"):
        core_vision_encoder(ToyClipVision(), host).encode_texts(["a cat"])
