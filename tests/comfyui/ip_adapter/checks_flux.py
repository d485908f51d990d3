"""Checks of the FLUX adapters on a tiny FLUX: against diffusers, against the attention written out, and refusals."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import comfy.ldm.flux.model
import comfy.model_base
import comfy.model_patcher
import comfy.ops
import comfy.supported_models
import comfy.utils
import tiny_unets as tiny
import torch
from bench import CPU, adapter, apply, distance
from checks_patches import message_of
from clip_grid.clip_backend.ip_adapter.flux import HOOKS
from clip_grid.clip_backend.ip_adapter.projections import States, project
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.roles import KEY, Call, Run
from clip_grid.clip_backend.ip_adapter.weights import Adapter, load_adapter
from clip_grid.tests.clip_backend.ip_adapter import tiny_flux
from clip_grid.tests.clip_backend.ip_adapter.tiny_flux import DOUBLES, GRID, HEADS, SINGLES, SIZE, TEXTS, WIDTH
from comfy.ldm.flux.model import FluxParams
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention

#: In names of the same weights in other formats than that of diffusers' FLUX.1.
OTHER_NAMES = ("ff.linear_", "ff_context.linear_", "to_qkv_mlp_proj")


def reference(name: str = "flux v1", pictures: int = 1, **fields: Any) -> Reference:
    """Random pictures."""
    return Reference(States(embeds=tiny.embeddings(name, pictures)), **fields)


REFERENCE = reference()


def flux() -> Any:
    """A ModelPatcher of the tiny FLUX with the weights that diffusers had."""
    known = {one.name for one in fields(FluxParams)} | {"image_model"}
    config = {name: value for name, value in tiny_flux.COMFYUI.items() if name in known}
    inner = comfy.model_base.Flux(comfy.supported_models.Flux({**config, "dtype": torch.float32}))
    tensors = {name: torch.zeros_like(one) for name, one in inner.diffusion_model.state_dict().items()}
    for theirs, place in comfy.utils.flux_to_diffusers(config).items():
        ours, part, *change = (place, None) if isinstance(place, str) else place
        is_other_name = any(part in theirs for part in OTHER_NAMES) or theirs.endswith(".attn.to_out.weight")
        if ours not in tensors or is_other_name:
            continue
        target = tensors[ours] if part is None else tensors[ours].narrow(*part)
        given = tiny.weight(theirs, tuple(target.shape))
        target.copy_(change[0](given) if change else given)
    inner.diffusion_model.load_state_dict(tensors)
    inner.diffusion_model.requires_grad_(False).eval()
    return comfy.model_patcher.ModelPatcher(inner, load_device=CPU, offload_device=CPU)


def can_be_patched() -> bool:
    """Whether this ComfyUI's blocks call patches."""
    return set(HOOKS) <= set(comfy.ldm.flux.model.DoubleStreamBlock.forward.__code__.co_consts)


def xlabs(name: str = "v1") -> Adapter:
    """An adapter of XLabs for it."""
    return load_adapter(tiny_flux.xlabs_tensors(name))


def instantx(name: str = "i") -> Adapter:
    """An adapter of InstantX for it."""
    projection = {
        "proj.0.weight": tiny.numbers(f"{name}0", 2 * tiny.EMBEDDING, tiny.EMBEDDING) / 5,
        "proj.0.bias": torch.zeros(2 * tiny.EMBEDDING),
        "proj.2.weight": tiny.numbers(f"{name}2", 4 * WIDTH, 2 * tiny.EMBEDDING) / 5,
        "proj.2.bias": torch.zeros(4 * WIDTH),
        "norm.weight": torch.ones(WIDTH),
        "norm.bias": torch.zeros(WIDTH),
    }
    pairs = {
        f"{block}.to_{letter}_ip.weight": tiny.numbers(f"{name}.{block}.{letter}", WIDTH, WIDTH) / 6
        for block in range(DOUBLES + SINGLES)
        for letter in "kv"
    }
    return load_adapter({"image_proj": projection, "ip_adapter": pairs}, variant="instantx-flux")


def evaluated(patcher: Any, size: tuple[int, int] = SIZE) -> Tensor:
    """[1, 16, *size]: the answer of the transformer for one prompt."""
    options = {**patcher.model_options["transformer_options"], "cond_or_uncond": [0], "uuids": ["p"]}
    options[KEY] = Call(Run(), {}, size, None)
    text, pooled = tiny_flux.text()
    with torch.no_grad():
        answer: Tensor = patcher.model.diffusion_model(
            tiny_flux.latent(size), torch.tensor([0.5]), text, y=pooled, transformer_options=options
        )
    return answer


def split(tokens: Tensor) -> Tensor:
    """[1, tokens, width] by heads."""
    return tokens.reshape(1, -1, HEADS, WIDTH // HEADS).transpose(1, 2)


class ByHand:
    """The formula of an adapter, through hooks that note the queries of each block."""

    def __init__(self, given: Adapter, scale: float, *references: Reference) -> None:
        self.given, self.scale = given, scale
        self.terms = references or (REFERENCE,)
        self.seen: Any = None

    def on(self, plain: Any) -> Any:
        """The model with it."""
        clone = plain.clone()
        clone.set_model_attn1_patch(self.note)
        if self.given.info.variant.numbering == "xlabs":
            for number in range(DOUBLES):
                clone.set_model_patch_replace(self.xlabs_block(number), "dit", "double_block", number)
        else:
            clone.set_model_attn1_output_patch(self.add_instantx)
        return clone

    def attend(self, q: Tensor, site: int, *, is_normed: bool) -> Tensor:
        pair, total = self.given.pairs[site], torch.zeros(())
        for term in self.terms:
            tokens = project(self.given, term.states).flatten(0, 1)[None]
            k, v = split(linear(tokens, pair.k, pair.k_bias)), split(linear(tokens, pair.v, pair.v_bias))
            if is_normed:
                k, v = (one * torch.rsqrt(one.pow(2).mean(-1, keepdim=True) + 1e-5) for one in (k, v))
            seen = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            total = total + self.scale * term.weight * seen * self.masked(term.mask, q.shape[2])
        return total

    def masked(self, mask: Tensor | None, tokens: int) -> Tensor:
        """A mask of the latent's size by 2 x 2 cells; text tokens have its mean."""
        if mask is None:
            return torch.ones(())
        cells = mask.reshape(GRID[0], 2, GRID[1], 2).mean((1, 3)).flatten()
        return torch.cat([cells.mean().expand(tokens - len(cells)), cells])[:, None]

    def note(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict[str, Any], **_: object) -> dict[str, Any]:
        self.seen = q
        return {}

    def add_instantx(self, attention: Tensor, options: dict[str, Any]) -> Tensor:
        is_double = options["block_type"] == "double"
        start, site = (TEXTS, 0) if is_double else (0, DOUBLES)
        out = attention.clone()
        out[:, start:] += self.attend(self.seen[:, :, start:], site + options["block_index"], is_normed=True)
        return out

    def xlabs_block(self, number: int) -> Any:
        def run(given: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
            out = extra["original_block"](given)
            return {**out, "img": out["img"] + self.attend(self.seen[:, :, TEXTS:], number, is_normed=False)}

        return run


def check_outputs_are_those_of_diffusers() -> None:
    if not can_be_patched():
        return
    goldens = load_file(Path(tiny.__file__).parent / "goldens" / "flux_outputs.safetensors")
    plain, worst = flux(), 0.0
    for case in tiny_flux.cases():
        patched = plain
        for name, scale in case.scales:
            patched = apply(patched, xlabs(name), reference(f"flux {name}", case.pictures), weight=scale)
        difference = distance(tiny_flux.packed(evaluated(patched)), goldens[case.name])
        worst = max(worst, difference)
        assert difference <= 1e-5, (case.name, difference)
        effect = distance(goldens[case.name], goldens["v1:0 pictures:1"])
        assert effect > 1e-2 or case.name == "v1:0 pictures:1", (case.name, effect)
    print(f"# largest difference from diffusers: {worst:.1e}")


def check_adapters_give_the_written_out_formula() -> None:
    if not can_be_patched():
        return
    plain = flux()
    for given in (xlabs("v1"), xlabs("v2"), instantx()):
        ours = evaluated(apply(plain, given, REFERENCE, weight=0.7))
        assert distance(ours, evaluated(ByHand(given, 0.7).on(plain))) <= 1e-5, given.info.label
        assert distance(ours, evaluated(plain)) > 1e-2, given.info.label


def check_two_references_with_masks_give_the_written_out_formula() -> None:
    if not can_be_patched():
        return
    plain, mask = flux(), tiny.numbers("flux mask", *SIZE).abs().clamp(max=1)
    one = reference("flux one", 2, weight=0.8, mask=mask)
    other = reference("flux other", weight=0.5)
    for given in (xlabs("v1"), xlabs("v2"), instantx()):
        ours = evaluated(apply(plain, given, one, other, weight=0.7))
        assert distance(ours, evaluated(ByHand(given, 0.7, one, other).on(plain))) <= 1e-5, given.info.label
        unmasked = evaluated(apply(plain, given, reference("flux one", 2, weight=0.8), other, weight=0.7))
        assert distance(ours, unmasked) > 1e-3, given.info.label


def check_complementary_masks_are_no_mask_in_any_size() -> None:
    if not can_be_patched():
        return
    plain = flux()
    for size in (SIZE, (9, 7)):
        mask = tiny.numbers("flux mask", 50, 40).abs().clamp(max=1)
        for given in (xlabs("v1"), instantx()):
            whole = evaluated(apply(plain, given, REFERENCE), size)
            ones = evaluated(apply(plain, given, reference(mask=torch.ones(5, 5))), size)
            parts = [reference(mask=one) for one in (mask, 1 - mask)]
            assert distance(ones, whole) <= 1e-6
            assert distance(evaluated(apply(plain, given, *parts), size), whole) <= 1e-5


def check_the_order_of_flux_adapters_of_both_kinds_changes_no_bit() -> None:
    if not can_be_patched():
        return
    plain, given = flux(), [xlabs("v1"), instantx(), xlabs("v1 more"), instantx("more")]
    drawn = []
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1)):
        patched = plain
        for place in order:
            patched = apply(patched, given[place], REFERENCE)
        drawn.append(evaluated(patched))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])
    assert torch.equal(evaluated(apply(plain, given[0], REFERENCE, weight=0)), evaluated(plain))


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
