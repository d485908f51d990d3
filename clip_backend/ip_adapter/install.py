"""Patches of an adapter on a clone of a ModelPatcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from .apply_settings import ApplySettings
from .roles import CALC_COND_BATCH, KEY, OUTER_SAMPLE, note_roles
from .sampling import RunWrapper, Target
from .sites import check_pairs, find_sites
from .weights_per_site import SiteWeight, site_weights

if TYPE_CHECKING:
    from .attention import Applied
    from .comfy_functions import ComfyFunctions
    from .terms import PictureTokens


def name_of_model(model: Any) -> str:
    """As ComfyUI calls the kind of diffusion model."""
    return type(model.model).__name__


def install_on_unet(
    model: Any,
    weights: Any,
    pictures: Sequence[PictureTokens],
    settings: ApplySettings,
    comfy: ComfyFunctions,
    adapter: str,
) -> Any:
    """A clone whose cross-attentions look at the pictures too.

    weights: ModelPatcher around ``PairWeights``. adapter: its name, for messages. Raises InputError for a model of another
    family or with other attentions.
    """
    from .attention import AttentionPatch

    unet = model.model.diffusion_model
    if not hasattr(unet, "input_blocks"):
        raise InputError(f"{adapter} is for UNets such as SD1.5 and SDXL, and {name_of_model(model)} is none")
    sites = find_sites(unet)
    shapes = [tuple(pair.k.shape) for pair in weights.model.pairs]
    check_pairs(sites, shapes, adapter, name_of_model(model))
    factors = site_weights(sites, settings.weight_type, settings.place_weights)
    clone = model.clone()
    if not (applied := make_applied(model, weights, pictures, factors, settings, comfy)):
        return clone
    patches: dict[Target, AttentionPatch] = {}
    replaced = clone.model_options.get("transformer_options", {}).get("patches_replace", {}).get("attn2", {})
    for number, (site, factor) in enumerate(zip(sites, factors, strict=True)):
        if factor.factor:
            own, of_block = replaced.get(site.key), replaced.get(site.key[:2])
            base = of_block if own is None else own
            patch = AttentionPatch(applied, number, base, is_base_of_block=own is None)
            clone.set_model_attn2_replace(patch, *site.key)
            patches["attn2", site.key] = patch
    add_wrappers(clone, patches)
    return clone


def make_applied(
    model: Any,
    weights: Any,
    pictures: Sequence[PictureTokens],
    factors: Sequence[SiteWeight],
    settings: ApplySettings,
    comfy: ComfyFunctions,
    *,
    has_head_norm: bool = False,
) -> Applied | None:
    """What all patches of an adapter share; None if its settings let it change nothing."""
    from .attention import Applied
    from .terms import gather_terms

    tokens, terms = gather_terms(pictures)
    if settings.start > settings.end:
        raise InputError(f"start is {settings.start:g} and end is {settings.end:g}; start must not be above end")
    if not settings.weight or not any(term.weight for term in terms) or not any(f.factor for f in factors):
        return None
    sampling = model.get_model_object("model_sampling")
    sigmas = None
    if settings.start > 0 or settings.end < 1:
        first, last = (float(sampling.percent_to_sigma(share)) for share in (settings.start, settings.end))
        sigmas = (first, last)
    return Applied(weights, tokens, terms, tuple(factors), settings.weight, sigmas, comfy.attention, has_head_norm)


def add_wrappers(clone: Any, patches: Mapping[Target, Any]) -> None:
    """Has the clone's runs open their state and keep the patches, beside those of adapters applied earlier."""
    earlier: dict[Target, Any] = {}
    for wrapper in clone.get_wrappers(OUTER_SAMPLE, KEY):
        earlier |= wrapper.patches
    clone.remove_wrappers_with_key(OUTER_SAMPLE, KEY)
    clone.add_wrapper_with_key(OUTER_SAMPLE, KEY, RunWrapper({**earlier, **patches}))
    if not clone.get_wrappers(CALC_COND_BATCH, KEY):
        clone.add_wrapper_with_key(CALC_COND_BATCH, KEY, note_roles)
