"""Style from one picture and composition from another: two adapters in a row, at the blocks that the pages name."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from clip_grid.clip_backend.ip_adapter.projections import project
from clip_grid.clip_backend.ip_adapter.sites import find_sites
from clip_grid.clip_backend.ip_adapter.weights import load_adapter
from torch import Tensor
from torch.nn.functional import linear

from . import tiny_unets as tiny
from .fake_patcher import FakePatcher, apply, attend, reference, run, unet_like

#: By family, the blocks where each acts, with its share.
BLOCKS: dict[str, dict[str, dict[tuple[str, int], float]]] = {
    "sd15": {
        "style": {("input", n): 1.0 for n in (1, 2, 4, 5)} | {("output", n): 1.0 for n in range(5, 12)},
        "composition": {("input", 7): 0.25, ("input", 8): 1.0},
    },
    "sdxl": {"style": {("output", 1): 1.0}, "composition": {("input", 8): 1.0}},
}


def blocks_of(model: FakePatcher) -> set[tuple[str, int]]:
    replaced = model.model_options["transformer_options"]["patches_replace"]["attn2"]
    return {key[:2] for key in replaced}


@pytest.mark.parametrize("family", BLOCKS)
@pytest.mark.parametrize("name", ["style", "composition"])
def test_a_preset_acts_at_the_blocks_of_its_family_alone(family, name):
    given = load_adapter(tiny.adapter_tensors(family, "first"))

    made = apply(FakePatcher(unet_like(family)), given, reference(), weight_type=name)

    assert blocks_of(made) == set(BLOCKS[family][name])


@pytest.mark.parametrize("family", BLOCKS)
def test_two_adapters_in_a_row_take_style_from_one_picture_and_composition_from_another(family):
    given, plain = load_adapter(tiny.adapter_tensors(family, "first")), FakePatcher(unet_like(family))
    calls: list[tuple[str, dict[str, Any]]] = [
        ("style", {"weight_type": "style", "weight": 0.8}),
        ("composition", {"weight_type": "composition", "weight": 0.6}),
    ]

    def chain(order: list[tuple[str, dict[str, Any]]]) -> FakePatcher:
        model = plain
        for picture, settings in order:
            model = apply(model, given, reference(picture), **settings)
        return model

    both, swapped = chain(calls), chain(calls[::-1])

    assert blocks_of(both) == {block for blocks in BLOCKS[family].values() for block in blocks}
    for number, site in enumerate(find_sites(plain.model.diffusion_model)):
        texts = tuple(
            tiny.numbers(f"{letter}{number}", 2, count, site.width)
            for letter, count in zip("qkv", (12, 5, 5), strict=True)
        )
        found = run(both, key=site.key, given=texts, heads=2)
        torch.testing.assert_close(found, by_hand(given, number, site.key[:2], family, texts), atol=1e-5, rtol=1e-5)
        assert torch.equal(found, run(swapped, key=site.key, given=texts, heads=2))


def by_hand(given: Any, number: int, block: tuple[str, int], family: str, texts: tuple[Tensor, ...]) -> Tensor:
    """The attention of a site, for the negative and the positive side."""
    out, pair = attend(*texts, 2), given.pairs[number]
    for name, weight in (("style", 0.8), ("composition", 0.6)):
        tokens = torch.cat([torch.zeros(1, tiny.EMBEDDING), tiny.embeddings(name)])
        seen = project(given, type(reference().states)(embeds=tokens))
        added = attend(texts[0], linear(seen, pair.k), linear(seen, pair.v), 2)
        out = out + weight * BLOCKS[family][name].get(block, 0.0) * added
    return out
