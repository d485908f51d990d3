"""Reference pictures on models that draw: what an adapter reads of them, and a model or pipeline that sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from ..clip_backend.ip_adapter.apply_settings import ApplySettings
from ..clip_backend.ip_adapter.detection import AdapterInfo
from ..clip_backend.ip_adapter.encoders import blank_states, encoder_cure, needed_encoder
from ..clip_backend.ip_adapter.references import Reference
from ..errors import InputError

if TYPE_CHECKING:
    from ..clip_backend.encoding.encoder import Encoder
    from ..clip_backend.ip_adapter.comfy_functions import ComfyFunctions
    from ..clip_backend.ip_adapter.weights import Adapter
    from ..clip_backend.preparing.pictures import OnePicture

#: The settings that pipelines of diffusers have, too.
_OF_PIPELINES = ("weight", "lora_strength")


def needs_pictures(info: AdapterInfo) -> bool:
    """Whether an adapter reads pictures, and not faces alone."""
    return info.picture_input != "face"


def misfit(encoder: Encoder, info: AdapterInfo) -> str:
    """Why a vision encoder is not the one that an adapter needs, with the cure; empty if it may be."""
    needed, preprocessing = needed_encoder(info), encoder.preprocessing
    if needed is None or preprocessing is None:
        return ""
    if (encoder.dim, preprocessing.size) == (needed.embedding, needed.image_size):
        return ""
    return (
        f"{info.label} ({info.variant.title}) needs {needed.title}, whose embedding has {needed.embedding} numbers, of "
        f"pictures of {needed.image_size} pixels; {encoder.identity.name} gives {encoder.dim} of {preprocessing.size}; "
        f"{encoder_cure(info)}"
    )


def reference_of(
    info: AdapterInfo, encoder: Encoder | None, image: OnePicture | None, face: object | None, scale: float
) -> Reference:
    """What an adapter reads of one picture and its face; encoder: None for an adapter of faces alone.

    Raises InputError where the picture or the face is missing, PictureError for a picture that cannot be read.
    """
    from ..clip_backend.ip_adapter.projections import States, needs_hidden

    states = States() if face is None else States(face=_face_vectors(face))
    if encoder is None or not needs_pictures(info):
        return Reference(states=states, weight=scale)
    if image is None:
        raise InputError(f"{info.label} ({info.variant.title}) reads a picture, and the reference has none")
    want = "penultimate_hidden" if needs_hidden(info) else "embeds"
    features = encoder.encode_images([image], wants=(want,))
    if not needs_hidden(info):
        states = replace(states, embeds=features.require("image_embeds"))
        return Reference(states=states, weight=scale, fingerprint=features.fingerprint)
    states = replace(states, hidden=features.require(want))
    return Reference(states=states, blank=blank_states(encoder), weight=scale, fingerprint=features.fingerprint)


def _face_vectors(face: object) -> Any:
    """[1, F, 512] of one vector, or of one per face."""
    import torch

    try:
        vectors = torch.as_tensor(face, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"the face is no vector of numbers ({error}); give one of 512 numbers, or several") from error
    if vectors.ndim not in (1, 2):
        raise InputError(f"the face has the shape {list(vectors.shape)}; give one vector [512] or several [faces, 512]")
    return vectors.reshape(1, -1, vectors.shape[-1])


def conditioned(
    model: Any,
    adapter: Adapter,
    references: Sequence[Reference],
    settings: ApplySettings,
    *,
    comfy: ComfyFunctions | None,
    has_guidance: bool,
) -> Any:
    """A ModelPatcher of ComfyUI that sees the references, or the keyword arguments with which to call a pipeline.

    Raises InputError for another model, and what applying the adapter raises.
    """
    from ..clip_backend.ip_adapter.apply import apply_adapter
    from ..clip_backend.ip_adapter.comfy_functions import functions_beside
    from ..clip_backend.ip_adapter.diffusers_pipeline import apply_to_pipeline, is_pipeline

    if is_pipeline(model):
        usual = ApplySettings()
        for one in fields(ApplySettings):
            value = getattr(settings, one.name)
            if one.name not in _OF_PIPELINES and value != getattr(usual, one.name):
                raise InputError(
                    f"{one.name} is {value!r}, which pipelines of diffusers do not have; use it in ComfyUI"
                )
        weight, lora = settings.weight, settings.lora_strength
        return apply_to_pipeline(
            model, adapter, references, weight=weight, lora_strength=lora, has_guidance=has_guidance
        )
    if hasattr(model, "add_patches"):
        return apply_adapter(
            model, adapter, references, settings=settings, comfy=functions_beside(model) if comfy is None else comfy
        )
    raise InputError(
        f"a {type(model).__name__} takes no IP-Adapter; give a ModelPatcher of ComfyUI or a pipeline of diffusers"
    )
