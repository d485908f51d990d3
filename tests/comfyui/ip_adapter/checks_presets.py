"""Checks of style from one picture and composition from another: two adapters in a row, against the formula."""

from __future__ import annotations

from typing import Any

import torch
from bench import adapter, apply, distance, model, picture, sample
from clip_grid.clip_backend.ip_adapter.projections import project
from clip_grid.clip_backend.ip_adapter.sites import find_sites
from clip_grid.clip_backend.ip_adapter.weights import Adapter
from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor
from torch.nn.functional import linear

STYLE, COMPOSITION = picture("style picture"), picture("composition picture")
#: By family, the blocks of the model where each acts, with its share.
BLOCKS: dict[str, dict[str, dict[tuple[str, int], float]]] = {
    "sd15": {
        "style": {
            ("input", 1): 1, ("input", 2): 1, ("input", 4): 1, ("input", 5): 1,
            **{("output", number): 1 for number in range(5, 12)},
        },
        "composition": {("input", 7): 0.25, ("input", 8): 1},
    },
    "sdxl": {"style": {("output", 1): 1}, "composition": {("input", 8): 1}},
}  # fmt: skip


class ByHand:
    """The attention of one site, plus that to the tokens of pictures."""

    def __init__(self, given: Adapter, site: int, terms: list[tuple[Tensor, float]]) -> None:
        pair = given.pairs[site]
        self.terms = [(linear(tokens, pair.k), linear(tokens, pair.v), factor) for tokens, factor in terms]

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        heads = options["n_heads"]
        out: Tensor = optimized_attention(q, k, v, heads)
        for own_k, own_v, factor in self.terms:
            out = out + factor * optimized_attention(q, own_k, own_v, heads)
        return out


def by_hand(family: str, plain: Any, given: Adapter, weights: dict[str, float]) -> Any:
    """The model with hand-written patches at the blocks that are named above."""
    clone = plain.clone()
    tokens = {"style": project(given, STYLE.states), "composition": project(given, COMPOSITION.states)}
    for number, site in enumerate(find_sites(plain.model.diffusion_model)):
        blocks = BLOCKS[family]
        terms = [(tokens[name], weights[name] * blocks[name].get(site.key[:2], 0.0)) for name in weights]
        if any(factor for _, factor in terms):
            clone.set_model_attn2_replace(ByHand(given, number, terms), *site.key)
    return clone


def check_style_and_composition_of_two_pictures_act_at_the_blocks_that_are_named() -> None:
    for family in BLOCKS:
        plain, given = model(family), adapter(family)
        style = {"weight_type": "style", "weight": 0.8}
        composition = {"weight_type": "composition", "weight": 0.6}
        both = apply(apply(plain, given, STYLE, **style), given, COMPOSITION, **composition)
        other = apply(apply(plain, given, COMPOSITION, **composition), given, STYLE, **style)
        wanted = by_hand(family, plain, given, {"style": 0.8, "composition": 0.6})

        # without guidance only the positive side is computed
        found, swapped, expected = (sample(one, cfg=1.0) for one in (both, other, wanted))

        assert distance(found, expected) <= 1e-5 * float(expected.abs().max()), family
        assert distance(found, swapped) <= 1e-5 * float(expected.abs().max()), family
        alone = sample(apply(plain, given, STYLE, **style), cfg=1.0)
        assert distance(found, alone) > 1e-3, family
        assert distance(alone, sample(plain, cfg=1.0)) > 1e-3, family


def check_a_mask_of_another_shape_is_noted_once_per_run() -> None:
    from dataclasses import replace

    from bench import COMFY
    from clip_grid.clip_backend.ip_adapter.apply import apply_adapter
    from clip_grid.clip_backend.ip_adapter.apply_settings import ApplySettings

    notes: list[str] = []
    comfy = replace(COMFY, note=notes.append)
    references = [picture(mask=torch.ones(64, 64)), picture(mask=torch.ones(32, 64)), picture(mask=torch.ones(48, 96))]
    plain = model("sd15")
    given = apply_adapter(plain, adapter("sd15"), references, settings=ApplySettings(), comfy=comfy)

    sample(given, size=(8, 16), steps=2)
    assert len(notes) == 1
    assert notes[0].startswith("a mask of 64 x 64 pixels is stretched to the picture of 128 x 64")
    sample(given, size=(16, 16), steps=1)
    assert [note[:22] for note in notes[1:]] == ["a mask of 64 x 32 pixe", "a mask of 96 x 48 pixe"]
