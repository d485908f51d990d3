"""Checks of foreign patches before and after ours, of memory management, and of bad input."""

from __future__ import annotations

import copy
from typing import Any

import comfy.model_management
import tiny_unets as tiny
import torch
from bench import POSITIVE, adapter, apply, distance, guide, model, picture, sample
from clip_grid.clip_backend.ip_adapter.weights import load_adapter
from clip_grid.errors import InputError
from comfy.ldm.modules.attention import optimized_attention
from comfy.samplers import CFGGuider
from torch import Tensor

SITE = ("input", 4, 0)
#: The foreign patch at all attentions of a block, and at one of them.
PLACES = (SITE[:2], SITE)


class Foreign:
    """A replacement of another pack, without our interface: it halves what it replaces."""

    def __init__(self, previous: Any = None) -> None:
        self.previous = previous

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        if self.previous is not None:
            return self.previous(q, k, v, options) / 2
        return optimized_attention(q, k, v, options["n_heads"]) / 2


def with_foreign(patcher: Any, place: tuple[Any, ...], *, wraps: bool = False) -> Any:
    """The model with the foreign patch."""
    clone = patcher.clone()
    replaced = clone.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
    previous = (replaced.get(SITE) or replaced.get(place)) if wraps else None
    clone.set_model_attn2_replace(Foreign(previous), *place)
    return clone


def at_site(patcher: Any) -> Tensor:
    """What the attention at the site gives in the first evaluation of a run."""
    seen: list[Tensor] = []
    clone = patcher.clone()

    def note(n: Tensor, options: dict[str, Any]) -> Tensor:
        if options["block"] == SITE[:2]:
            seen.append(n.clone())
        return n

    clone.set_model_attn2_output_patch(note)
    guider = CFGGuider(clone)
    guider.set_conds(POSITIVE, POSITIVE)
    guider.set_cfg(1.0)
    guide(guider)
    return seen[0]


def check_foreign_patches_before_and_after_keep_their_effect_and_ours() -> None:
    plain, given = model("sd15"), adapter("sd15")
    bias = plain.model.diffusion_model.input_blocks[4][1].transformer_blocks[0].attn2.to_out[0].bias
    # only the site itself has an effect, so that what it is given is the same in all models
    single = {"place_weights": "0, 2=1"}
    text = at_site(plain) - bias
    ours = at_site(apply(plain, given, picture(), **single)) - bias - text
    expected = text / 2 + ours + bias
    for place in PLACES:
        before = apply(with_foreign(plain, place), given, picture(), **single)
        after = with_foreign(apply(plain, given, picture(), **single), place)
        for patcher in (before, after):
            assert distance(at_site(patcher), expected) <= 1e-6 * 4, place
        around = with_foreign(apply(plain, given, picture(), **single), place, wraps=True)
        # it halves what it wraps, ours included, once
        assert distance(at_site(around), (text + ours) / 2 + bias) <= 1e-6 * 4, place


def check_a_node_that_adds_itself_to_our_patch_is_refused() -> None:
    patched = apply(model("sd15"), adapter("sd15"), picture())
    patch = patched.model_options["transformer_options"]["patches_replace"]["attn2"][SITE]
    assert "after the other node" in message_of(lambda: patch.add(print, weight=1))


def check_comfyui_loads_and_counts_our_weights() -> None:
    given = adapter("sd15")
    first = apply(model("sd15"), given, picture())
    again = apply(model("sd15"), given, picture(), weight=0.5)
    (managed,) = set(first.model_patches_models())
    assert set(again.model_patches_models()) == {managed}
    both = apply(first, adapter("sd15", "second"), picture())
    assert len(set(both.model_patches_models())) == 2
    comfy.model_management.load_models_gpu([first])
    assert managed in [loaded.model for loaded in comfy.model_management.current_loaded_models]
    assert managed.model_size() >= sum(pair.k.nbytes + pair.v.nbytes for pair in given.pairs)
    # offloading leaves the adapter's own tensors in place
    managed.model.to("cpu")
    assert managed.model.pairs[0].k.data_ptr() == given.pairs[0].k.data_ptr()


def check_copies_of_a_patch_share_its_weights_but_not_foreign_patches() -> None:
    patched = apply(with_foreign(model("sd15"), SITE), adapter("sd15"), picture())
    patch = patched.model_options["transformer_options"]["patches_replace"]["attn2"][SITE]
    twin = copy.deepcopy(patch)
    assert twin.applied is patch.applied
    assert isinstance(twin.base, Foreign)
    assert twin.base is not patch.base


def message_of(action: Any) -> str:
    """What the user is told."""
    try:
        action()
    except InputError as error:
        return str(error)
    raise AssertionError("nothing was refused")


def check_wrong_models_and_references_are_refused_in_a_sentence() -> None:
    small, large = model("sd15"), model("sdxl")
    said = message_of(lambda: apply(large, adapter("sd15"), picture()))
    assert "16" in said
    assert "70" in said
    assert "no reference" in message_of(lambda: apply(small, adapter("sd15")))
    broken = picture()
    broken.states.embeds[0, 0] = float("nan")
    assert "not finite" in message_of(lambda: apply(small, adapter("sd15"), broken))
    assert "empty" in message_of(lambda: apply(small, adapter("sd15"), picture(mask=torch.zeros(64, 64))))
    other = tiny.adapter_tensors("sd15", "first")
    other["ip_adapter"] = {name: torch.cat([one, one], dim=1) for name, one in other["ip_adapter"].items()}
    other["image_proj"] = {name: torch.cat([one, one]) for name, one in other["image_proj"].items()}
    assert "text tokens of 96" in message_of(lambda: apply(small, load_adapter(other), picture()))


def check_two_hundred_references_work() -> None:
    plain, given = model("sd15"), adapter("sd15")
    together = sample(apply(plain, given, picture("many", 200)), steps=1)
    assert bool(torch.isfinite(together).all())
    separate = [picture(f"many{number}", weight=0.01) for number in range(200)]
    assert bool(torch.isfinite(sample(apply(plain, given, *separate), steps=1, size=(8, 8))).all())
