"""An adapter and its references on a pipeline of diffusers, by its own loader, which is fed by our reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ...errors import InputError
from .projections import States, checked_states, needs_hidden, unconditional_states
from .variants import FAMILY_TITLES

if TYPE_CHECKING:
    from .references import Reference
    from .weights import Adapter

#: The adapter that each pipeline holds; loading it again would only take time.
_LOADED: WeakKeyDictionary[Any, Adapter] = WeakKeyDictionary()
#: The name that diffusers gives to the LoRA of a FaceID adapter; it keeps it for the next adapter.
_FACE_LORA = "faceid_0"


def is_pipeline(model: Any) -> bool:
    """Whether it is a pipeline of diffusers that takes IP-Adapters."""
    return hasattr(model, "load_ip_adapter") and hasattr(model, "set_ip_adapter_scale")


def apply_to_pipeline(
    pipeline: Any,
    adapter: Adapter,
    references: Sequence[Reference],
    *,
    weight: float = 1.0,
    lora_strength: float = 1.0,
    has_guidance: bool = True,
) -> dict[str, object]:
    """Loads an adapter into a pipeline; the keyword arguments with which it is to be called.

    Several references are separate terms of the attention, each with its weight. has_guidance: whether the call uses
    guidance, which wants the unconditional side, too. Raises InputError without references, for an adapter that
    diffusers has no loader for, for a pipeline of another family, and for what pipelines cannot do.
    """
    _check(pipeline, adapter, references)
    if _LOADED.get(pipeline) is not adapter:
        _load(pipeline, adapter)
        _LOADED[pipeline] = adapter
    if adapter.lora:
        pipeline.set_adapters([_FACE_LORA], adapter_weights=[lora_strength])
    pictures = [_pictures(adapter, one, pipeline) for one in references]
    counts = [len(_read(adapter, given)) for given, _ in pictures]
    scales = [weight * one.weight for one, count in zip(references, counts, strict=True) for _ in range(count)]
    arguments: dict[str, object] = {}
    if len(references) == 1:
        pipeline.set_ip_adapter_scale(scales[0])
    else:
        # with masks diffusers computes one term for each picture, with a scale of its own
        pipeline.set_ip_adapter_scale([scales])
        arguments["cross_attention_kwargs"] = {"ip_adapter_masks": [_full_masks(sum(counts), pipeline)]}
    given, free = (_joined([sides[side] for sides in pictures]) for side in (0, 1))
    if needs_hidden(adapter.info) and given.face is not None and given.hidden is not None and free.hidden is not None:
        layer = pipeline.unet.encoder_hid_proj.image_projection_layers[0]
        layer.clip_embeds = _sides(free.hidden, given.hidden, has_guidance)
        layer.shortcut = adapter.info.variant.name == "faceid-plus-v2"
    embeds = [_sides(_read(adapter, free), _read(adapter, given), has_guidance and not _is_flux(pipeline))]
    if _is_flux(pipeline) and has_guidance:
        arguments["negative_ip_adapter_image_embeds"] = [_read(adapter, free)[None]]
    return {**arguments, "ip_adapter_image_embeds": embeds}


def _is_flux(pipeline: Any) -> bool:
    return not hasattr(pipeline, "unet")


def _check(pipeline: Any, adapter: Adapter, references: Sequence[Reference]) -> None:
    info = adapter.info
    info.check_usable()
    if not references:
        raise InputError("there is no reference; give at least one picture")
    numbering = info.variant.numbering
    if numbering == "blocks":
        raise InputError(f"diffusers has no loader for {info.variant.title}; use it in ComfyUI, or an XLabs adapter")
    title = FAMILY_TITLES[info.family] if info.family else f"text states of {info.context} dimensions"
    if (numbering == "xlabs") is not _is_flux(pipeline):
        raise InputError(f"{info.label} is for {title}, but the pipeline is a {type(pipeline).__name__}")
    if not _is_flux(pipeline) and pipeline.unet.config.cross_attention_dim != info.context:
        width = pipeline.unet.config.cross_attention_dim
        reason = f"but the UNet of the pipeline reads text states of {width} dimensions"
        raise InputError(f"{info.label} is for {title}, {reason}; load an adapter for this kind of model")
    for one in references:
        if one.mask is not None or one.is_negative or one.per_frame or set(one.picture_weights) - {1.0}:
            raise InputError(
                "masks, negative references, weights of single pictures and references for frames are not applied to "
                "pipelines of diffusers; give them to the pipeline itself, or use ComfyUI"
            )
    if len(references) > 1 and any(len(one.states) > 1 for one in references):
        raise InputError("several references of several pictures are not applied to pipelines of diffusers; give one")
    if _is_flux(pipeline) and len({one.weight for one in references}) > 1:
        raise InputError("pipelines for FLUX.1 give all references one weight; make their weights equal")


def _load(pipeline: Any, adapter: Adapter) -> None:
    """Has the pipeline load the tensors under the names that diffusers reads."""
    if _FACE_LORA in getattr(getattr(pipeline, "unet", None), "peft_config", {}):
        # of an earlier adapter, which diffusers would keep
        pipeline.delete_adapters(_FACE_LORA)
    step, first = (1, 0) if adapter.info.variant.numbering == "xlabs" else (2, 1)
    attention: dict[str, Tensor] = {}
    for place, pair in enumerate(adapter.pairs):
        number = first + step * place
        attention |= {f"{number}.to_k_ip.weight": pair.k, f"{number}.to_v_ip.weight": pair.v}
        if pair.k_bias is not None and pair.v_bias is not None:
            attention |= {f"{number}.to_k_ip.bias": pair.k_bias, f"{number}.to_v_ip.bias": pair.v_bias}
    for (number, letter, part), tensor in adapter.lora.items():
        attention[f"{number}.to_{letter}_lora.{part}.weight"] = tensor
    tensors = {"image_proj": dict(adapter.image_proj), "ip_adapter": attention}
    if _is_flux(pipeline):
        pipeline.load_ip_adapter(tensors, weight_name="", image_encoder_pretrained_model_name_or_path=None)
    else:
        pipeline.load_ip_adapter(tensors, subfolder="", weight_name="", image_encoder_folder=None)


def _pictures(adapter: Adapter, reference: Reference, pipeline: Any) -> tuple[States, States]:
    """The states of the pictures and of the unconditional side, where the pipeline computes."""
    given = States(**checked_states(adapter.info, reference.states))
    free = unconditional_states(adapter, given, reference.blank)

    def placed(states: States) -> States:
        known = {name: one for name, one in vars(states).items() if one is not None}
        return States(**{name: one.to(pipeline.device, pipeline.dtype) for name, one in known.items()})

    return placed(given), placed(free)


def _read(adapter: Adapter, states: States) -> Tensor:
    """What goes in as embeddings: those, else the vectors of faces, else the hidden states."""
    found = next(one for one in (states.embeds, states.face, states.hidden) if one is not None)
    # of the vectors of a face only a resampler reads several of a picture at once
    return found.flatten(0, 1) if states.face is not None and adapter.info.projection != "resampler" else found


def _joined(several: Sequence[States]) -> States:
    """The pictures of all references one after the other."""
    found: dict[str, Tensor | None] = {}
    for name in vars(several[0]):
        parts = [part for one in several if (part := getattr(one, name)) is not None]
        found[name] = torch.cat(parts) if parts else None
    return States(**found)


def _sides(free: Tensor, given: Tensor, has_guidance: bool) -> Tensor:
    """[2, N, …], the unconditional side first, or [1, N, …] without guidance."""
    return torch.stack([free, given]) if has_guidance else given[None]


def _full_masks(count: int, pipeline: Any) -> Tensor:
    return torch.ones(1, count, 8, 8, device=pipeline.device, dtype=pipeline.dtype)
