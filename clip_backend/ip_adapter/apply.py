"""An adapter and its references on a model of ComfyUI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from .apply_settings import ApplySettings
from .references import Reference

if TYPE_CHECKING:
    from torch import Tensor

    from .comfy_functions import ComfyFunctions
    from .terms import PictureTokens
    from .weights import Adapter


def apply_adapter(
    model: Any,
    adapter: Adapter,
    references: Sequence[Reference],
    *,
    settings: ApplySettings,
    comfy: ComfyFunctions,
) -> Any:
    """A clone of the ModelPatcher whose attention also looks at the references; the model itself stays as it is.

    Raises InputError if there is no reference, for an adapter that cannot be used, and for a model of another family,
    naming both.
    """
    from .face_lora import add_lora
    from .install import install

    adapter.info.check_usable()
    clone = install(model, adapter, picture_tokens(adapter, references, settings), settings, comfy)
    if adapter.lora and settings.weight and settings.lora_strength:
        if comfy.lora is None:
            raise InputError(f"this ComfyUI adds no LoRA; set lora_strength to 0 to use {adapter.info.label} without")
        add_lora(clone, adapter, settings.lora_strength, comfy.lora)
    return clone


def picture_tokens(adapter: Adapter, references: Sequence[Reference], settings: ApplySettings) -> list[PictureTokens]:
    """The tokens of every reference that is not negative, with those of its unconditional side."""
    from .masks import read_mask
    from .projections import project
    from .terms import PictureTokens

    positive = [(number, one) for number, one in enumerate(references, 1) if not one.is_negative]
    if not positive:
        raise InputError(
            "there is no reference; give at least one picture"
            + (" that is not negative: negative ones only say what to move away from" if references else "")
        )
    negative = [one for one in references if one.is_negative]
    found = []
    for number, one in positive:
        tokens = project(adapter, one.states, face_structure=settings.face_structure)
        unconditional, weights = _unconditional(adapter, one, negative, settings)
        mask = None if one.mask is None else read_mask(one.mask, f"reference {number}")
        found.append(
            PictureTokens(tokens, unconditional, one.weight, one.picture_weights, weights, mask, one.per_frame)
        )
    return found


def _unconditional(
    adapter: Adapter, reference: Reference, negative: Sequence[Reference], settings: ApplySettings
) -> tuple[Tensor, tuple[float, ...]]:
    """(tokens of the unconditional side, a factor for each picture): the negative ones, else a blank picture."""
    import torch

    from .projections import States, project, unconditional_states

    if not negative:
        given = reference.states
        first = States(**{name: None if one is None else one[:1] for name, one in vars(given).items()})
        blank = None if reference.blank is None else reference.blank[:1]
        states = unconditional_states(adapter, first, blank)
        return project(adapter, states, face_structure=settings.face_structure), ()
    tokens, weights = [], []
    for one in negative:
        if one.mask is not None or one.per_frame:
            raise InputError(
                "a negative reference acts in the whole picture and in all frames; take away its mask and its frames"
            )
        own = project(adapter, one.states, face_structure=settings.face_structure)
        faces = own.shape[1] // (adapter.info.tokens or own.shape[1])
        tokens.append(own.reshape(len(own) * faces, -1, own.shape[-1]))
        weights += [one.weight * weight for weight in one.picture_weights or (1.0,) * len(own) for _ in range(faces)]
    return torch.cat(tokens), tuple(weights)
