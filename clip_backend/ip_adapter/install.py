"""Patches of an adapter on a clone of a ModelPatcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ...errors import InputError
from .apply_settings import ApplySettings
from .roles import CALC_COND_BATCH, KEY, OUTER_SAMPLE, note_roles
from .sampling import RunWrapper, Target
from .sites import Site, check_pairs, find_sites
from .variants import FAMILY_TITLES
from .weights_per_site import site_weights

if TYPE_CHECKING:
    from .applied import Applied
    from .comfy_functions import ComfyFunctions
    from .terms import PictureTokens
    from .weights import Adapter

#: Adapter -> ComfyUI's ModelPatcher of its pairs, for as long as the adapter lives.
_MANAGED: WeakKeyDictionary[Adapter, Any] = WeakKeyDictionary()


def install(
    model: Any,
    adapter: Adapter,
    pictures: Sequence[PictureTokens],
    settings: ApplySettings,
    comfy: ComfyFunctions,
) -> Any:
    """A clone of the ModelPatcher whose attentions look at the pictures, too.

    Raises InputError for a model of another family or with other attentions than the adapter's, naming both.
    """
    network, numbering = model.model.diffusion_model, adapter.info.variant.numbering
    if numbering == "unet":
        if not hasattr(network, "input_blocks"):
            raise _other_family(adapter, model)
        return _on_unet(model, adapter, find_sites(network), pictures, settings, comfy)
    if not hasattr(network, "double_blocks"):
        raise _other_family(adapter, model)
    return _on_flux(model, adapter, pictures, settings, comfy)


def _other_family(adapter: Adapter, model: Any) -> InputError:
    family = adapter.info.family
    title = FAMILY_TITLES[family] if family else "UNets"
    return InputError(
        f"{adapter.info.label} is an adapter for {title}, and the model is {_name(model)}; take a model for "
        f"{title}, or an adapter for this one"
    )


def _name(model: Any) -> str:
    """ComfyUI's name for the kind of diffusion model."""
    return type(model.model).__name__


def _on_unet(
    model: Any,
    adapter: Adapter,
    sites: Sequence[Site],
    pictures: Sequence[PictureTokens],
    settings: ApplySettings,
    comfy: ComfyFunctions,
) -> Any:
    from .attention import AttentionPatch

    applied = _applied(model, adapter, sites, pictures, settings, comfy)
    clone = model.clone()
    if applied is None:
        return clone
    patches: dict[Target, AttentionPatch] = {}
    replaced = _replaced(clone, "attn2")
    for number, site in enumerate(sites):
        if applied.site_weights[number].factor:
            own, of_block = replaced.get(site.key), replaced.get(site.key[:2])
            base = of_block if own is None else own
            patch = AttentionPatch(applied, number)
            if isinstance(base, AttentionPatch):
                patch = base.with_another(patch)
            else:
                patch = patch.around(base, is_base_of_block=own is None)
            clone.set_model_attn2_replace(patch, *site.key)
            patches["attn2", site.key] = patch
    _add_wrappers(clone, patches)
    return clone


def _on_flux(
    model: Any, adapter: Adapter, pictures: Sequence[PictureTokens], settings: ApplySettings, comfy: ComfyFunctions
) -> Any:
    from .flux import FluxBlockPatch, FluxOutputPatch, FluxQueryPatch, check_hooks, flux_sites, sort_last

    transformer, is_xlabs = model.model.diffusion_model, adapter.info.variant.numbering == "xlabs"
    check_hooks(transformer, adapter.info.label, comfy.version)
    doubles = len(transformer.double_blocks)
    sites = flux_sites(transformer)[: doubles if is_xlabs else None]
    applied = _applied(model, adapter, sites, pictures, settings, comfy)
    clone = model.clone()
    if applied is None:
        return clone
    patches: dict[Target, FluxBlockPatch] = {}
    clone.set_model_attn1_patch(FluxQueryPatch(applied, doubles, with_singles=not is_xlabs))
    if is_xlabs:
        replaced = _replaced(clone, "dit")
        for number in range(doubles):
            patch, base = FluxBlockPatch(applied, number), replaced.get(("double_block", number))
            patch = base.with_another(patch) if isinstance(base, FluxBlockPatch) else patch.around(base)
            clone.set_model_patch_replace(patch, "dit", "double_block", number)
            patches["dit", ("double_block", number)] = patch
    else:
        clone.set_model_attn1_output_patch(FluxOutputPatch(applied))
        sort_last(clone.model_options["transformer_options"]["patches"]["attn1_output_patch"])
    _add_wrappers(clone, patches)
    return clone


def _replaced(clone: Any, kind: str) -> Mapping[tuple[Any, ...], Any]:
    found: Mapping[tuple[Any, ...], Any] = (
        clone.model_options.get("transformer_options", {}).get("patches_replace", {}).get(kind, {})
    )
    return found


def _applied(
    model: Any,
    adapter: Adapter,
    sites: Sequence[Site],
    pictures: Sequence[PictureTokens],
    settings: ApplySettings,
    comfy: ComfyFunctions,
) -> Applied | None:
    """What all patches of an adapter share; None if its settings let it change nothing."""
    from .applied import Applied, order_of
    from .terms import gather_terms

    shapes = [(int(pair.k.shape[0]), int(pair.k.shape[1])) for pair in adapter.pairs]
    check_pairs(sites, shapes, adapter.info.label, _name(model))
    if settings.start > settings.end:
        raise InputError(f"start is {settings.start:g} and end is {settings.end:g}; start must not be above end")
    tokens, terms = gather_terms(pictures)
    factors = site_weights(sites, settings.weight_type, settings.place_weights)
    strengths = (settings.weight, any(term.weight for term in terms), any(one.factor for one in factors))
    # models of flow matching begin at the noise level of the share 0, which would be one step
    if not all(strengths) or settings.end <= 0:
        return None
    return Applied(
        weights=_managed(adapter, comfy),
        tokens=tokens,
        terms=terms,
        site_weights=factors,
        weight=settings.weight,
        shares=(settings.start, settings.end) if settings.start > 0 or settings.end < 1 else None,
        sigma_at=model.get_model_object("model_sampling").percent_to_sigma,
        attention=comfy.attention,
        has_head_norm=adapter.info.variant.name == "instantx-flux",
        scaling=settings.scaling,
        order=order_of(tokens, terms, adapter.pairs[0].k, settings),
        note=comfy.note,
    )


def _managed(adapter: Adapter, comfy: ComfyFunctions) -> Any:
    """The adapter's pairs in ComfyUI's memory management, once per adapter, however often it is applied."""
    from .key_values import PairWeights

    if adapter not in _MANAGED:
        _MANAGED[adapter] = comfy.manage(PairWeights(adapter.pairs))
    return _MANAGED[adapter]


def _add_wrappers(clone: Any, patches: Mapping[Target, Any]) -> None:
    """Has the clone's runs open their state and keep the patches, beside those of adapters applied earlier."""
    earlier: dict[Target, Any] = {}
    for wrapper in clone.get_wrappers(OUTER_SAMPLE, KEY):
        earlier |= wrapper.patches
    clone.remove_wrappers_with_key(OUTER_SAMPLE, KEY)
    clone.add_wrapper_with_key(OUTER_SAMPLE, KEY, RunWrapper({**earlier, **patches}))
    if not clone.get_wrappers(CALC_COND_BATCH, KEY):
        clone.add_wrapper_with_key(CALC_COND_BATCH, KEY, note_roles)
