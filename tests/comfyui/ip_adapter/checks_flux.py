"""Checks of the FLUX adapters on a tiny FLUX: against the attention written out, or refused where hooks are missing."""

from __future__ import annotations

from typing import Any

import comfy.ldm.flux.model
import comfy.model_base
import comfy.model_patcher
import comfy.ops
import comfy.supported_models
import tiny_unets as tiny
import torch
from bench import CPU, adapter, apply, distance
from checks_patches import message_of
from clip_grid.clip_backend.ip_adapter.flux import HOOKS
from clip_grid.clip_backend.ip_adapter.projections import States, project
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.weights import Adapter, load_adapter
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention

WIDTH, HEADS, DOUBLES, SINGLES, TEXTS = 32, 2, 2, 3, 5
CONFIG = {
    "image_model": "flux", "in_channels": 16, "out_channels": 16, "vec_in_dim": 8, "context_in_dim": 12,
    "hidden_size": WIDTH, "mlp_ratio": 2.0, "num_heads": HEADS, "depth": DOUBLES, "depth_single_blocks": SINGLES,
    "axes_dim": [4, 6, 6], "theta": 10000, "patch_size": 2, "qkv_bias": True, "guidance_embed": False,
    "txt_ids_dims": [],
}  # fmt: skip
REFERENCE = Reference(States(embeds=tiny.embeddings("flux")))


def flux() -> Any:
    """A ModelPatcher of the tiny FLUX."""
    config = {**CONFIG, "dtype": torch.float32}
    inner = comfy.model_base.Flux(comfy.supported_models.Flux(config))
    shapes = {name: tuple(one.shape) for name, one in inner.diffusion_model.state_dict().items()}
    inner.diffusion_model.load_state_dict({name: tiny.weight(name, shape) for name, shape in shapes.items()})
    inner.diffusion_model.requires_grad_(False).eval()
    return comfy.model_patcher.ModelPatcher(inner, load_device=CPU, offload_device=CPU)


def can_be_patched() -> bool:
    """Whether this ComfyUI's blocks call patches."""
    return set(HOOKS) <= set(comfy.ldm.flux.model.DoubleStreamBlock.forward.__code__.co_consts)


def xlabs(name: str = "xlabs") -> Adapter:
    """An adapter of XLabs for it."""
    tensors = {
        "ip_adapter_proj_model.proj.weight": tiny.numbers(f"{name}.p", 4 * WIDTH, tiny.EMBEDDING) / 5,
        "ip_adapter_proj_model.proj.bias": tiny.numbers(f"{name}.b", 4 * WIDTH) / 5,
        "ip_adapter_proj_model.norm.weight": torch.ones(WIDTH),
        "ip_adapter_proj_model.norm.bias": torch.zeros(WIDTH),
    }
    for block in range(DOUBLES):
        for letter in "kv":
            start = f"double_blocks.{block}.processor.ip_adapter_double_stream_{letter}_proj"
            tensors[f"{start}.weight"] = tiny.numbers(f"{name}.{start}", WIDTH, WIDTH) / 6
            tensors[f"{start}.bias"] = tiny.numbers(f"{name}.{start}.b", WIDTH) / 6
    return load_adapter(tensors)


def instantx() -> Adapter:
    """An adapter of InstantX for it."""
    projection = {
        "proj.0.weight": tiny.numbers("i0", 2 * tiny.EMBEDDING, tiny.EMBEDDING) / 5,
        "proj.0.bias": torch.zeros(2 * tiny.EMBEDDING),
        "proj.2.weight": tiny.numbers("i2", 4 * WIDTH, 2 * tiny.EMBEDDING) / 5,
        "proj.2.bias": torch.zeros(4 * WIDTH),
        "norm.weight": torch.ones(WIDTH),
        "norm.bias": torch.zeros(WIDTH),
    }
    pairs = {
        f"{block}.to_{letter}_ip.weight": tiny.numbers(f"i.{block}.{letter}", WIDTH, WIDTH) / 6
        for block in range(DOUBLES + SINGLES)
        for letter in "kv"
    }
    return load_adapter({"image_proj": projection, "ip_adapter": pairs}, variant="instantx-flux")


def evaluated(patcher: Any, size: tuple[int, int] = (9, 6)) -> Tensor:
    """[1, 16, *size]: the answer of the transformer for one prompt."""
    options = {**patcher.model_options["transformer_options"], "cond_or_uncond": [0], "uuids": ["p"]}
    with torch.no_grad():
        answer: Tensor = patcher.model.diffusion_model(
            tiny.numbers("flux x", 1, 16, *size), torch.tensor([0.5]), tiny.numbers("flux text", 1, TEXTS, 12),
            y=tiny.numbers("flux y", 1, 8), transformer_options=options,
        )  # fmt: skip
    return answer


def split(tokens: Tensor) -> Tensor:
    """[1, tokens, width] by heads."""
    return tokens.reshape(1, -1, HEADS, WIDTH // HEADS).transpose(1, 2)


class ByHand:
    """The formula of an adapter, through hooks that note the queries of each block."""

    def __init__(self, given: Adapter, scale: float) -> None:
        self.given, self.scale = given, scale
        self.tokens = project(given, REFERENCE.states)
        self.seen: Any = None

    def site(self, options: dict[str, Any]) -> int:
        return int(options["block_index"]) + (DOUBLES if options["block_type"] == "single" else 0)

    def attend(self, q: Tensor, site: int, *, is_normed: bool) -> Tensor:
        pair = self.given.pairs[site]
        k, v = split(linear(self.tokens, pair.k, pair.k_bias)), split(linear(self.tokens, pair.v, pair.v_bias))
        if is_normed:
            k, v = (one * torch.rsqrt(one.pow(2).mean(-1, keepdim=True) + 1e-5) for one in (k, v))
        return self.scale * scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    def note(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict[str, Any], **_: object) -> dict[str, Any]:
        self.seen = q
        return {}

    def add_instantx(self, attention: Tensor, options: dict[str, Any]) -> Tensor:
        start = TEXTS if options["block_type"] == "double" else 0
        out = attention.clone()
        out[:, start:] += self.attend(self.seen[:, :, start:], self.site(options), is_normed=True)
        return out

    def xlabs_block(self, number: int) -> Any:
        def run(given: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
            out = extra["original_block"](given)
            return {**out, "img": out["img"] + self.attend(self.seen[:, :, TEXTS:], number, is_normed=False)}

        return run


def check_adapters_of_xlabs_give_the_written_out_formula() -> None:
    if not can_be_patched():
        return
    plain, given = flux(), xlabs()
    by_hand, expected = ByHand(given, 0.7), plain.clone()
    expected.set_model_attn1_patch(by_hand.note)
    for number in range(DOUBLES):
        expected.set_model_patch_replace(by_hand.xlabs_block(number), "dit", "double_block", number)
    ours = evaluated(apply(plain, given, REFERENCE, weight=0.7))
    assert distance(ours, evaluated(expected)) <= 1e-5
    assert distance(ours, evaluated(plain)) > 1e-2


def check_adapters_of_instantx_give_the_written_out_formula() -> None:
    if not can_be_patched():
        return
    plain, given = flux(), instantx()
    by_hand, expected = ByHand(given, 0.7), plain.clone()
    expected.set_model_attn1_patch(by_hand.note)
    expected.set_model_attn1_output_patch(by_hand.add_instantx)
    ours = evaluated(apply(plain, given, REFERENCE, weight=0.7))
    assert distance(ours, evaluated(expected)) <= 1e-5
    assert distance(ours, evaluated(plain)) > 1e-2


def check_two_flux_adapters_of_both_kinds_act_together_in_any_order() -> None:
    if not can_be_patched():
        return
    plain = flux()
    one = apply(apply(apply(plain, xlabs(), REFERENCE), instantx(), REFERENCE), xlabs("more"), REFERENCE)
    other = apply(apply(apply(plain, xlabs("more"), REFERENCE), xlabs(), REFERENCE), instantx(), REFERENCE)
    assert distance(evaluated(one), evaluated(other)) <= 1e-5
    assert torch.equal(evaluated(apply(plain, xlabs(), REFERENCE, weight=0)), evaluated(plain))


def check_flux_adapters_need_hooks_and_a_flux() -> None:
    plain = flux()
    if not can_be_patched():
        said = message_of(lambda: apply(plain, xlabs(), REFERENCE))
        assert "0.33.0" in said, said
        assert "update ComfyUI" in said, said
    said = message_of(lambda: apply(plain, adapter("sd15"), REFERENCE))
    assert "Flux" in said, said
    if can_be_patched():
        wrong = message_of(lambda: apply(plain, xlabs(), REFERENCE, weight_type="style"))
        assert "SD 1.5 and SDXL only" in wrong, wrong
