"""A real pipeline of diffusers draws the same with our reader as with its own; skipped where it is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
from clip_grid.clip_backend.ip_adapter.diffusers_pipeline import apply_to_pipeline
from clip_grid.clip_backend.ip_adapter.projections import States
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.weights import Adapter, load_adapter
from clip_grid.errors import InputError

from . import adapter_shapes as made
from . import make_flux_goldens, tiny_flux
from . import tiny_adapters as tiny

WIDTHS = (32, 64, 128, 128)
#: Of the cross-attentions in the order of adapter files: down 2 x 2, up 2 x 3, middle.
SITES = (32, 32, 64, 64, 64, 64, 64, 32, 32, 32, 64)
PAIRS = made.pairs(SITES, tiny.CONTEXT)


def pipeline() -> Any:
    """A small Stable Diffusion without text encoder and autoencoder: prompts are given as states, latents come out."""
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=2, sample_size=8, in_channels=4, out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=tiny.CONTEXT, attention_head_dim=4, norm_num_groups=8,
    )  # fmt: skip
    scheduler = diffusers.DDIMScheduler(steps_offset=1, clip_sample=False)
    vae = diffusers.AutoencoderKL(block_out_channels=(32,), norm_num_groups=8, sample_size=8)
    made_pipeline = diffusers.StableDiffusionPipeline(
        vae=vae, text_encoder=None, tokenizer=None, unet=unet, scheduler=scheduler,
        safety_checker=None, feature_extractor=None, image_encoder=None, requires_safety_checker=False,
    )  # fmt: skip
    made_pipeline.set_progress_bar_config(disable=True)
    return made_pipeline


def draw(drawing: Any, **arguments: Any) -> Any:
    prompt = tiny.random_tensors({"prompt": (2, 5, tiny.CONTEXT)}, 3)["prompt"]
    latents = tiny.random_tensors({"latents": (1, 4, 8, 8)}, 4)["latents"]
    result = drawing(
        prompt_embeds=prompt[:1], negative_prompt_embeds=prompt[1:], latents=latents, num_inference_steps=2,
        guidance_scale=3.0, output_type="latent", height=8, width=8, **arguments,
    )  # fmt: skip
    return result.images


def reference(name: str, kind: str, weight: float = 1.0, row: int = 0) -> Reference:
    states = States(**{name: tiny.states(name)[row : row + 1]})
    blank = tiny.random_tensors({"blank": (1, tiny.ROWS, tiny.STATES)}, 11)["blank"] if name == "hidden" else None
    return Reference(states=states, blank=blank, weight=weight)


def adapter(kind: str) -> Adapter:
    return load_adapter(tiny.tensors_of(kind, PAIRS), variant=kind)


@pytest.mark.parametrize(("kind", "name"), [("base", "embeds"), ("plus", "hidden"), ("faceid", "face")])
def test_a_picture_is_drawn_as_by_the_loader_of_diffusers_alone(kind: str, name: str):
    ours, theirs = pipeline(), pipeline()
    plain = draw(theirs)
    given = reference(name, kind)

    drawn = draw(ours, **apply_to_pipeline(ours, adapter(kind), [given], weight=0.6))

    tables: dict[str, dict[str, Any]] = {"image_proj": {}, "ip_adapter": {}}
    for full, tensor in tiny.tensors_of(kind, PAIRS).items():
        table, _, rest = full.partition(".")
        tables[table][rest] = tensor
    theirs.load_ip_adapter(tables, subfolder="", weight_name="", image_encoder_folder=None)
    theirs.set_ip_adapter_scale(0.6)
    state = getattr(given.states, name)
    free = given.blank if name == "hidden" else torch.zeros_like(state)
    embeds = torch.stack([free, state]) if name != "face" else torch.cat([free, state])
    np.testing.assert_allclose(drawn.numpy(), draw(theirs, ip_adapter_image_embeds=[embeds]).numpy(), atol=1e-6)
    assert (drawn - plain).abs().max() > 1e-3


def test_two_references_act_side_by_side_with_their_weights():
    drawing, loaded = pipeline(), adapter("base")
    one, other = reference("embeds", "base", 0.7), reference("embeds", "base", 0.0, row=1)

    alone = draw(drawing, **apply_to_pipeline(drawing, loaded, [one]))
    both = draw(drawing, **apply_to_pipeline(drawing, loaded, [one, other]))
    stronger = draw(drawing, **apply_to_pipeline(drawing, loaded, [one, reference("embeds", "base", 0.7, row=1)]))

    np.testing.assert_allclose(both.numpy(), alone.numpy(), atol=1e-5)
    assert (stronger - alone).abs().max() > 1e-3


def test_without_guidance_one_side_goes_in():
    drawing = pipeline()

    arguments = apply_to_pipeline(drawing, adapter("base"), [reference("embeds", "base")], has_guidance=False)

    prompt = tiny.random_tensors({"prompt": (1, 5, tiny.CONTEXT)}, 3)["prompt"]
    drawn = drawing(
        prompt_embeds=prompt, num_inference_steps=1, guidance_scale=1.0, output_type="latent", height=8, width=8,
        **arguments,
    ).images  # fmt: skip
    assert bool(torch.isfinite(drawn).all())


def test_an_adapter_for_flux_is_refused_by_name():
    flux = load_adapter(tiny.random_tensors(made.xlabs(4, blocks=2, width=32, context=64, into=40)))

    with pytest.raises(InputError, match=r"for FLUX\.1, but the pipeline is a StableDiffusionPipeline"):
        apply_to_pipeline(pipeline(), flux, [reference("embeds", "base")])


def flux_pipeline() -> Any:
    """A small FLUX.1 without text encoders."""
    vae = diffusers.AutoencoderKL(block_out_channels=(32,), norm_num_groups=8, sample_size=8, latent_channels=16)
    made_pipeline = diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=vae, text_encoder=None, tokenizer=None,
        text_encoder_2=None, tokenizer_2=None, transformer=make_flux_goldens.transformer(),
    )  # fmt: skip
    made_pipeline.set_progress_bar_config(disable=True)
    return made_pipeline


def draw_flux(drawing: Any, **arguments: Any) -> Any:
    text, pooled = tiny_flux.text()
    return drawing(
        prompt_embeds=text, pooled_prompt_embeds=pooled, latents=tiny_flux.packed(tiny_flux.latent()),
        num_inference_steps=2, guidance_scale=1.0, output_type="latent", height=8, width=6, **arguments,
    ).images  # fmt: skip


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_flux_draws_as_by_the_loader_of_diffusers_alone(name: str):
    ours, theirs = flux_pipeline(), flux_pipeline()
    plain = draw_flux(theirs)
    embeds = tiny_flux.tiny.embeddings(f"flux {name}", 2)
    given = Reference(States(embeds=embeds))
    loaded = load_adapter(tiny_flux.xlabs_tensors(name))

    drawn = draw_flux(ours, **apply_to_pipeline(ours, loaded, [given], weight=0.6))

    theirs.load_ip_adapter(
        make_flux_goldens.renamed(name), weight_name="", image_encoder_pretrained_model_name_or_path=None
    )
    theirs.set_ip_adapter_scale(0.6)
    zeros = [torch.zeros_like(embeds)[None]]
    expected = draw_flux(theirs, ip_adapter_image_embeds=[embeds[None]], negative_ip_adapter_image_embeds=zeros)
    np.testing.assert_allclose(drawn.numpy(), expected.numpy(), atol=1e-6)
    assert (drawn - plain).abs().max() > 1e-3
