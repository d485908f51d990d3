"""Single attentions of UNets and of FLUX.1 with adapters give what diffusers gave; neither it nor ComfyUI is needed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from clip_grid.clip_backend.ip_adapter.sites import find_sites
from clip_grid.clip_backend.ip_adapter.weights import load_adapter
from safetensors.torch import load_file

from . import tiny_flux as flux
from . import tiny_unets as tiny
from .fake_patcher import FakePatcher, apply, reference, run, unet_like

FOLDER = Path(__file__).parent / "goldens"
GOLDENS, FLUX_GOLDENS = load_file(FOLDER / "sites.safetensors"), load_file(FOLDER / "flux_outputs.safetensors")
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


class DoubleBlock:
    """A block of ComfyUI's FLUX.1 with the queries of the one in diffusers, whose own part leaves the image at 0."""

    hidden_size = flux.WIDTH

    def forward(self, given: dict[str, Any]) -> dict[str, Any]:
        """As ComfyUI 0.33.0 calls the patches of an attention."""
        image = FLUX_GOLDENS["q"].transpose(1, 2)
        q = torch.cat([torch.ones(1, flux.HEADS, flux.TEXTS, image.shape[-1]), image], dim=2)
        options = given["transformer_options"]
        extra = {**options, "block_type": "double", "block_index": 0, "img_slice": [flux.TEXTS, q.shape[2]]}
        for patch in options["patches"]["attn1_patch"]:
            patch(q, q, q, extra_options=extra)
        for patch in options["patches"].get("attn1_output_patch", []):
            patch(q, extra)
        return given


class FluxPatcher(FakePatcher):
    """ComfyUI's ModelPatcher of a FLUX.1."""

    def set_model_attn1_patch(self, patch: Any) -> None:
        patches = self.model_options["transformer_options"].get("patches", {})
        self.model_options["transformer_options"]["patches"] = {"attn1_patch": [*patches.get("attn1_patch", []), patch]}

    def set_model_patch_replace(self, patch: Any, kind: str, *key: Any) -> None:
        options = self.model_options["transformer_options"]
        replaced = {**options.get("patches_replace", {}).get(kind, {}), key: patch}
        options["patches_replace"] = {kind: replaced}


@pytest.mark.parametrize("case", list(flux.cases()), ids=[case.name for case in flux.cases()])
def test_an_image_of_flux_sees_what_it_sees_in_diffusers(case):
    blocks = [DoubleBlock()] * (flux.DOUBLES + flux.SINGLES)
    model = FluxPatcher(SimpleNamespace(double_blocks=blocks[: flux.DOUBLES], single_blocks=blocks[flux.DOUBLES :]))
    for name, scale in case.scales:
        given = reference(f"flux {name}", case.pictures)
        model = apply(model, load_adapter(flux.xlabs_tensors(name)), given, weight=scale)
    options = {**model.model_options["transformer_options"], "cond_or_uncond": [0], "uuids": ["p"]}
    expected = FLUX_GOLDENS[f"{case.name} seen"]
    if "patches_replace" not in options:
        assert not expected.any()
        return

    patch = options["patches_replace"]["dit"]["double_block", 0]
    given = {"img": torch.zeros_like(expected), "transformer_options": options}
    image = patch(given, {"original_block": blocks[0].forward})["img"]

    torch.testing.assert_close(image, expected, atol=2e-6, rtol=0)


def test_the_pictures_of_flux_are_far_from_nothing():
    assert all(FLUX_GOLDENS[f"{case.name} seen"].abs().max() > 1e-2 for case in list(flux.cases())[1:])
