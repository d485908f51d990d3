"""Tests: CLIP Vision Encode gives what ComfyUI's own encoder gives for the same model, for images of any size."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from clip_grid.clip_backend.loading import load_encoder
from clip_grid.errors import InputError, PictureError
from clip_grid.nodes.host.fake import Interrupted

from ..toy_comfyui import ToyClipVision
from .model_files import SIDE, WIDTH, encode, images, load, write_model


def test_the_output_is_that_of_the_model_itself(host, model):
    batches = [images(2), images(1, 30, 20)]
    wanted = load_encoder(model, device="cpu", reference="comfy").encode_images(
        batches, wants=("embeds", "last_hidden", "penultimate_hidden")
    )

    output, features, _ = encode(batches, model=load())

    assert torch.allclose(output["image_embeds"], wanted.image_embeds, atol=1e-6)
    assert torch.allclose(output.last_hidden_state, wanted.last_hidden, atol=1e-6)
    assert torch.allclose(output.penultimate_hidden_states, wanted.penultimate_hidden, atol=1e-6)
    assert output.image_sizes == [(3, SIDE, SIDE)] * 3 and output.mm_projected is None
    assert features.patch_tokens.shape == (3, 16, WIDTH) and features.cls_hidden.shape == (3, WIDTH)


def test_batches_of_any_size_give_equal_results(host, model):
    loaded = load()

    made = [encode(images(5), model=loaded, batch_size=size)[0]["image_embeds"] for size in (0, 1, 2)]

    assert torch.allclose(made[0], made[1], atol=1e-6) and torch.allclose(made[0], made[2], atol=1e-6)


def test_the_fits_differ_and_have_comfyuis_names_too(host, model):
    loaded = load()

    made = {fit: encode(images(), model=loaded, fit=fit)[0]["image_embeds"] for fit in ("crop", "squash", "pad")}

    assert not torch.allclose(made["crop"], made["squash"]) and not torch.allclose(made["squash"], made["pad"])
    assert torch.equal(made["squash"], encode(images(), model=loaded, fit="none")[0]["image_embeds"])
    assert torch.equal(made["crop"], encode(images(), model=loaded)[0]["image_embeds"])


def test_transparent_pixels_lie_on_the_background_that_is_chosen(host, model):
    see_through = torch.cat([images(1), torch.zeros(1, *images(1).shape[1:3], 1)], dim=3)
    white, hidden = torch.ones_like(images(1)), images(1)
    sources = [{"model": load()}, {"clip_vision": ToyClipVision()}]

    for source in sources:
        seen, plain, below, dropped = (
            encode(picture, background=background, **source)[0]["image_embeds"]
            for picture, background in (
                (see_through, "white"),
                (white, "reference"),
                (hidden, "white"),
                (see_through, "reference"),
            )
        )
        assert torch.allclose(seen, plain, atol=1e-6) and torch.allclose(dropped, below, atol=1e-6)
        assert not torch.allclose(seen, dropped, atol=1e-3)


def test_a_clip_vision_of_comfyui_goes_through_unchanged(host):
    toy = ToyClipVision()
    batch = images()
    wanted = toy.encode_image(batch)

    output, features, report = encode(batch, clip_vision=toy)

    assert torch.allclose(output["image_embeds"], wanted.image_embeds, atol=1e-5)
    assert features.projection_dim == json.loads(report)["embedding"] == 12


def test_a_model_without_projection_gives_states_and_the_reason_for_no_embedding(host):
    write_model(host.models_folder / "clip_vision" / "bare.safetensors", projection=False)

    output, features, report = encode(images(), model=load("bare.safetensors"))

    assert features.image_embeds is None and "projection" in json.loads(report)["absent"]["image_embeds"]
    assert output["image_embeds"].shape == (2, WIDTH) and output.last_hidden_state.shape == (2, 17, WIDTH)


def test_a_siglip_gives_its_states_after_the_final_norm_as_comfyui_does(host):
    path = write_model(host.models_folder / "clip_vision" / "siglip.safetensors", siglip=True)
    loaded = load("siglip.safetensors")

    output, features, _ = encode(images(), model=loaded)

    state = load_encoder(path, device="cpu").encode_images(images(1), wants=("last_hidden",)).last_hidden
    assert state.shape[1:] == output.last_hidden_state.shape[1:] == (16, WIDTH)
    assert output["image_embeds"] is output.last_hidden_state
    assert not torch.allclose(output.last_hidden_state, features.last_hidden)
    assert features.image_embeds.shape == (2, WIDTH) and features.cls_hidden is None


def test_half_precision_images_are_accepted(host, model):
    output, _, _ = encode(images().half(), model=load())

    assert torch.isfinite(output["image_embeds"]).all()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(40, 40, 3), r"shape \(40, 40, 3\).*Convert Mask to Image"),
        (torch.zeros(0, 8, 8, 3), "no picture"),
        ([], "no picture"),
        ("/etc/passwd", "image holds a str"),
        (torch.zeros(1, 8, 8, 2), "C = 1, 3 or 4"),
    ],
)
def test_a_value_that_is_no_image_is_refused_with_the_cure(host, model, value, message):
    with pytest.raises(InputError, match=message):
        encode(value, model=load())


def test_an_image_with_nan_is_refused_by_its_number(host, model):
    broken = torch.full((1, 8, 8, 3), float("nan"))

    with pytest.raises(PictureError, match="picture 3: holds NaN"):
        encode([images(2), broken], model=load())


def test_exactly_one_model_must_be_connected(host, model):
    with pytest.raises(InputError, match="nothing to encode with"):
        encode(images())
    with pytest.raises(InputError, match="leave one"):
        encode(images(), model=load(), clip_vision=ToyClipVision())


def test_an_image_of_one_pixel_and_one_of_4000_to_1_are_encoded(host, model):
    output, _, _ = encode([torch.rand(1, 1, 1, 3), torch.rand(1, 1, 4000, 3)], model=load())

    assert torch.isfinite(output["image_embeds"]).all()


def test_the_user_can_stop_it_between_batches(host, model):
    loaded = load()
    host.interrupt_after = 2

    with pytest.raises(Interrupted):
        encode(images(6), model=loaded, batch_size=1)

    assert host.steps[-1][0] == 2
