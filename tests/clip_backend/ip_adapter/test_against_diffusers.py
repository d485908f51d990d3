"""Single attentions of UNets and of FLUX.1 with adapters give what diffusers gave; neither it nor ComfyUI is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from clip_grid.clip_backend.ip_adapter.sites import find_sites
from clip_grid.clip_backend.ip_adapter.weights import load_adapter
from safetensors.torch import load_file

from . import tiny_unets as tiny
from .fake_patcher import FakePatcher, apply, reference, run, unet_like

GOLDENS = load_file(Path(__file__).parent / "goldens" / "sites.safetensors")
CASES = [(case, site) for case in tiny.cases() for site in tiny.SITES[case.family]]


@pytest.mark.parametrize(("case", "site"), CASES, ids=[f"{case.name} at {site}" for case, site in CASES])
def test_an_attention_gives_what_it_gives_in_diffusers(case, site):
    model = FakePatcher(unet_like(case.family))
    place = find_sites(model.model.diffusion_model)[site]
    heads = 8 if case.family == "sd15" else place.width // 8
    given = tuple(GOLDENS[f"{case.family} {site} {name}"] for name in "qkv")
    untouched = run(model, key=place.key, given=given, heads=heads)

    for name, scale in case.scales:
        adapter = load_adapter(tiny.adapter_tensors(case.family, name))
        model = apply(model, adapter, reference(name, case.pictures), weight=scale)
    drawn = run(model, key=place.key, given=given, heads=heads)

    torch.testing.assert_close(drawn, GOLDENS[f"{case.name} {site} out"], atol=2e-6, rtol=0)
    assert torch.equal(drawn, untouched) is not any(scale for _, scale in case.scales)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_the_attentions_are_those_of_the_adapter_in_its_order(family):
    sites = find_sites(unet_like(family))

    assert [site.width for site in sites] == tiny.WIDTHS[family]
