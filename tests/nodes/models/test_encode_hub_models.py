"""Tests: models that transformers computes give ComfyUI's nodes what ComfyUI's own encoder gives."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from clip_grid.clip_backend.loading import load_encoder
from clip_grid.errors import InputError
from clip_grid.nodes.clip_nodes import CLIPModelLoader, CLIPVisionEncode

from ...clip_backend.tiny_hub_models import DINOS, tiny_model, tiny_naflex

#: The pictures that ComfyUI gives a DINOv2, whose position table says so, and a DINOv3, which has none.
SIDES = {"dinov2": 70, "dinov3": 224}


@pytest.fixture
def folder(host):
    """A folder of transformers where ComfyUI has its models."""
    path = host.models_folder / "clip_vision" / "tiny"
    path.mkdir(parents=True)
    return path


def encode(images, **options):
    model = CLIPModelLoader().execute(model="tiny")["result"]
    lists = {name: [value] for name, value in options.items()}
    return CLIPVisionEncode().execute(image=[images], model=model, **lists)["result"]


def pictures(count, side):
    return torch.rand(count, side, side, 3, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize("kind", DINOS)
def test_a_dino_gives_its_states_after_the_final_norm_as_comfyui_does(folder, kind):
    own = tiny_model(kind, folder)

    output, features, _ = encode(pictures(2, side := SIDES[kind[:6]]))

    mean, std = (
        torch.tensor(values).view(3, 1, 1) for values in (features.preprocessing.mean, features.preprocessing.std)
    )
    levels = (pictures(2, side) * 255).round().movedim(-1, 1) / 255
    with torch.inference_mode():
        wanted = own(pixel_values=(levels - mean) / std, output_hidden_states=True)
    assert torch.allclose(output.last_hidden_state, wanted.last_hidden_state, atol=1e-5)
    assert torch.allclose(output["image_embeds"], wanted.pooler_output, atol=1e-5)
    assert torch.allclose(output.penultimate_hidden_states, wanted.hidden_states[-2], atol=1e-5)
    assert torch.equal(features.cls_hidden, features.last_hidden[:, 0])


@pytest.mark.parametrize(("kind", "registers"), [("dinov2", 0), ("dinov2 registers", 3), ("dinov3", 4)])
def test_registers_are_no_patches(folder, kind, registers):
    tiny_model(kind, folder)
    given = pictures(1, 70)

    _, features, _ = encode(given)

    rows, columns = features.grid
    assert features.registers == registers
    assert features.patch_tokens.shape[1] == rows * columns
    assert torch.equal(features.patch_tokens, features.last_hidden[:, 1 + registers :])


def test_a_naflex_gives_its_embedding_alone(folder):
    tiny_naflex(folder)
    images = [torch.rand(1, 40, 80, 3), torch.rand(1, 90, 30, 3)]
    wanted = load_encoder(folder, device="cpu", reference="comfy").encode_images(images).image_embeds

    model = CLIPModelLoader().execute(model="tiny")["result"]
    output, features, _ = CLIPVisionEncode().execute(image=images, model=model)["result"]

    assert torch.allclose(output["image_embeds"], wanted, atol=1e-6) and output["image_embeds"].shape == (2, 64)
    assert output.last_hidden_state is None and output.penultimate_hidden_states is None
    assert "a grid of patches of its own" in features.absent["last_hidden"]
    with pytest.raises(InputError, match="give fit='squash'"):
        encode(images[0], fit="crop")
