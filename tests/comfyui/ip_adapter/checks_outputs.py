"""Checks of what models with adapters put out, against diffusers and against each other."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tiny_unets as tiny
import torch
from bench import adapter, apply, distance, model, picture, sample
from clip_grid.clip_backend.ip_adapter import key_values
from clip_grid.clip_backend.ip_adapter.attention import AttentionPatch
from clip_grid.clip_backend.ip_adapter.projections import States
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.sites import find_sites
from comfy.ldm.modules.diffusionmodules.openaimodel import timestep_embedding
from safetensors.torch import load_file
from torch import Tensor

FAMILIES = ("sd15", "sdxl")


def evaluated(patcher: Any, family: str) -> Tensor:
    """[2, 4, 16, 16]: what the UNet answers for the negative and the positive side."""
    given = tiny.inputs()
    sizes = timestep_embedding(given.sizes.flatten(), tiny.SIZE_NUMBERS).reshape(2, -1)
    vector = torch.cat([given.pooled, sizes], dim=1) if family == "sdxl" else None
    options = {**patcher.model_options["transformer_options"], "cond_or_uncond": [1, 0], "uuids": ["n", "p"]}
    with torch.no_grad():
        output: Tensor = patcher.model.diffusion_model(
            given.x, given.timestep, context=given.text, y=vector, transformer_options=options
        )
    return output


def check_outputs_are_those_of_diffusers() -> None:
    goldens = load_file(Path(tiny.__file__).parent / "goldens" / "unet_outputs.safetensors")
    worst = 0.0
    for family in FAMILIES:
        plain = model(family)
        for case in (case for case in tiny.cases() if case.family == family):
            patched = plain
            for name, scale in case.scales:
                patched = apply(patched, adapter(family, name), picture(name, case.pictures), weight=scale)
            difference = distance(evaluated(patched, family), goldens[case.name])
            worst = max(worst, difference)
            assert difference <= 1e-5, (case.name, difference)
    print(f"# largest difference from diffusers: {worst:.1e}")


def check_what_does_nothing_is_bit_equal() -> None:
    for family in FAMILIES:
        plain, given = model(family), adapter(family)
        untouched = sample(plain)
        assert torch.equal(sample(apply(plain, given, picture(), weight=0)), untouched)
        assert torch.equal(sample(apply(plain, given, picture(weight=0.0))), untouched)
        assert torch.equal(sample(apply(plain, given, picture(), place_weights="0")), untouched)
        assert torch.equal(sample(apply(plain, given, picture(), start=0.0, end=0.0)), untouched)
        assert not torch.equal(sample(apply(plain, given, picture())), untouched)


def check_the_first_half_of_the_steps_alone_differs_from_all() -> None:
    plain, given = model("sd15"), adapter("sd15")
    everywhere = sample(apply(plain, given, picture()), steps=4)
    half = sample(apply(plain, given, picture(), end=0.5), steps=4)
    assert not torch.equal(half, everywhere)
    assert not torch.equal(half, sample(plain, steps=4))


def check_every_site_is_hit_once_per_step() -> None:
    for family, count in (("sd15", 16), ("sdxl", 70)):
        patched = apply(model(family), adapter(family), picture())
        hits: Counter[int] = Counter()
        original = AttentionPatch._added

        def added(self: Any, *given: Any, hits: Counter[int] = hits, original: Any = original) -> Any:
            hits[self.site] += 1
            return original(self, *given)

        AttentionPatch._added = added
        try:
            sample(patched, steps=2)
        finally:
            AttentionPatch._added = original
        assert hits == dict.fromkeys(range(count), 2), hits


def check_keys_and_values_are_computed_once_per_run() -> None:
    calls = []
    original = key_values.PairWeights.key_values

    def counted(self: Any, *given: Any) -> Any:
        calls.append(given[0])
        return original(self, *given)

    patched = apply(model("sd15"), adapter("sd15"), picture(), picture("other"), picture())
    key_values.PairWeights.key_values = counted
    try:
        sample(patched, steps=5)
    finally:
        key_values.PairWeights.key_values = original
    assert sorted(calls) == list(range(16)), calls


def check_applying_again_and_cloning_leaves_the_model_as_it_was() -> None:
    for family in ("sd15",):
        plain, given = model(family), adapter(family)
        upstream = apply(plain, given, picture(), weight=0.7)
        untouched, once = sample(plain), sample(upstream)
        patches = upstream.model_options["transformer_options"]["patches_replace"]["attn2"].copy()
        for number in range(10):
            sample(apply(upstream.clone(), given, picture("other"), weight=number / 10), steps=1)
        assert torch.equal(sample(upstream), once)
        assert torch.equal(sample(plain), untouched)
        assert upstream.model_options["transformer_options"]["patches_replace"]["attn2"] == patches


def check_fifty_runs_hold_no_more_memory_than_two() -> None:
    plain, given = model("sd15"), adapter("sd15")

    def held() -> int:
        gc.collect()
        tensors = {id(one): one for one in gc.get_objects() if issubclass(type(one), Tensor)}
        return sum(one.nbytes for one in tensors.values())

    sizes = []
    for number in range(50):
        sample(apply(plain, given, picture(), weight=0.5 + number / 100), steps=1, size=(8, 8))
        if number in (1, 49):
            sizes.append(held())
    assert sizes[0] == sizes[1], sizes


def check_the_order_of_two_adapters_changes_no_bit() -> None:
    for family in FAMILIES:
        plain, first, second = model(family), adapter(family), adapter(family, "second")
        one = apply(apply(plain, first, picture("first")), second, picture("second"))
        other = apply(apply(plain, second, picture("second")), first, picture("first"))
        assert torch.equal(evaluated(one, family), evaluated(other, family))


def check_equal_pictures_in_one_softmax_are_one_picture() -> None:
    plain, given = model("sd15"), adapter("sd15")
    triple = Reference(States(embeds=tiny.embeddings("first").expand(3, -1)))
    single, several = (evaluated(apply(plain, given, one), "sd15") for one in (picture(), triple))
    assert distance(single, several) <= 1e-5, distance(single, several)


def relative(one: Tensor, other: Tensor) -> float:
    """The root mean square of the difference, as a share of the other's."""
    return float((one.float() - other.float()).norm() / other.float().norm())


@contextmanager
def terms_in_float32() -> Iterator[list[float]]:
    """Has adapters compute what they add in float32 and round their sum with the text's part once.

    Collects how far what they add by themselves is from it, for every attention.
    """
    errors: list[float] = []
    original = AttentionPatch._added

    def added(self: Any, out: Tensor, q: Tensor, *rest: Any) -> Tensor:
        own = original(self, torch.zeros_like(out), q, *rest)
        exact = original(self, torch.zeros_like(out, dtype=torch.float32), q.float(), *rest)
        errors.append(distance(own.float(), exact) / float(exact.abs().max()))
        return (out.float() + exact).to(out.dtype)

    AttentionPatch._added = added
    try:
        yield errors
    finally:
        AttentionPatch._added = original


def check_half_precision_costs_no_more_than_the_rounding_of_the_unet() -> None:
    for family in FAMILIES:
        given, whole = adapter(family), model(family)
        plain, expected = sample(whole), sample(apply(whole, given, picture()))
        for dtype, limit in ((torch.float16, 2e-3), (torch.bfloat16, 1e-2)):
            low = model(family, dtype)
            patched = apply(low, given, picture())
            found = sample(patched)
            with terms_in_float32() as errors:
                least = relative(sample(patched), expected)
            error, without = relative(found, expected), relative(sample(low), plain)
            layer = f"of an attention at most {max(errors):.1e}"
            print(f"# {family} {dtype}: {error:.1e}, exact terms {least:.1e}, no adapter {without:.1e}; {layer}")
            assert bool(torch.isfinite(found).all())
            assert max(errors) <= limit, (family, dtype, max(errors))
            assert error <= 1.1 * max(least, without) + 1e-4, (family, dtype, error, least, without)


def check_fp8_models_get_whole_adapters() -> None:
    given = adapter("sd15")
    before = [pair.k.clone() for pair in given.pairs]
    weights = model("sd15", torch.float8_e4m3fn, torch.float32)
    patched = apply(weights, given, picture())
    result, plain = sample(patched), sample(weights)
    assert bool(torch.isfinite(result).all())
    assert not torch.equal(result, plain)
    patch = next(iter(patched.model_options["transformer_options"]["patches_replace"]["attn2"].values()))
    assert patch.to(torch.float8_e4m3fn) is patch
    assert all(pair.k.dtype == torch.float32 for pair in patch.applied.weights.model.pairs)
    assert all(torch.equal(one, pair.k) for one, pair in zip(before, given.pairs, strict=True))


def check_sites_are_found_in_the_order_of_the_table() -> None:
    numbered = {family: find_sites(model(family).model.diffusion_model) for family in FAMILIES}
    assert [site.key[:2] for site in numbered["sd15"]] == (
        [("input", block) for block in (1, 2, 4, 5, 7, 8)]
        + [("output", block) for block in range(3, 12)]
        + [("middle", 0)]
    )
    assert [site.place for site in numbered["sd15"]] == [*range(6), *range(7, 16), 6]
    blocks = Counter(site.key[:2] for site in numbered["sdxl"])
    assert blocks["middle", 0] == blocks["input", 7] == blocks["output", 2] == 10
    assert numbered["sdxl"][-1].key == ("middle", 0, 9)
    assert {site.place for site in numbered["sdxl"]} == set(range(11))
