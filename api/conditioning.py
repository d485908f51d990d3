"""Reference pictures on models that draw: what an adapter reads of them, and a model or pipeline that sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from ..clip_backend.ip_adapter.apply_settings import ApplySettings
from ..clip_backend.ip_adapter.detection import AdapterInfo
from ..clip_backend.ip_adapter.encoders import blank_states, encoder_cure, needed_encoder
from ..clip_backend.ip_adapter.reference_settings import ReferenceSettings
from ..clip_backend.ip_adapter.references import Reference
from ..clip_backend.preparing.pictures import NamedPicture, named_pictures
from ..errors import InputError
from ..log import logger
from ..options import options_of, read_options, unknown_option

if TYPE_CHECKING:
    from torch import Tensor

    from ..clip_backend.encoding.encoder import Encoder
    from ..clip_backend.encoding.image_features import ImageFeatures, StateName
    from ..clip_backend.ip_adapter.comfy_functions import ComfyFunctions
    from ..clip_backend.ip_adapter.weights import Adapter
    from ..clip_backend.preparing.pictures import OnePicture
    from ..clip_backend.preparing.preprocessing import Preprocessing
    from .reference_image import ReferenceImage

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
        f"{info.label} ({info.variant.title}) needs {needed.title}, whose embedding has {needed.embedding} dimensions, "
        f"of pictures of {needed.image_size} pixels; {encoder.identity.name} gives {encoder.dim} of "
        f"{preprocessing.size}; {encoder_cure(info)}"
    )


@dataclass(frozen=True)
class _Source:
    """The vision encoder of a service, for what one adapter reads."""

    encoder: Encoder
    want: StateName
    crops: ClassVar[bool] = True

    @property
    def preprocessing(self) -> Preprocessing:
        found = self.encoder.preprocessing
        if found is None:
            raise InputError(f"{self.encoder.identity.name} takes no pictures; choose a model with a vision encoder")
        return found

    def encode(self, pictures: Sequence[Tensor], preprocessing: Preprocessing) -> ImageFeatures:
        found = self.encoder.encode_images(pictures, wants=(self.want,), preprocessing=preprocessing)
        found.require("image_embeds" if self.want == "embeds" else "penultimate_hidden")
        return found

    def blank(self, blank: str) -> Tensor | None:
        return blank_states(self.encoder, "black" if blank == "black" else "mean color")


def references_of(
    info: AdapterInfo, encoder: Encoder | None, given: ReferenceImage, options: Mapping[str, object]
) -> tuple[Reference, ...]:
    """What an adapter reads of the pictures, faces and mask of one reference; encoder: None for faces alone.

    options: of ``ReferenceSettings``, which beat those of the reference.
    Raises InputError where the picture or the face is missing, and for settings, weights, faces and masks that cannot
    be used; PictureError for a picture that cannot be read.
    """
    from ..clip_backend.ip_adapter.faces import face_vectors
    from ..clip_backend.ip_adapter.from_pictures import make_references
    from ..clip_backend.ip_adapter.projections import needs_hidden

    settings = read_options(ReferenceSettings, {**vars(given.settings), **options})
    scale = read_scale(given.scale)
    pictures, source = [], None
    if encoder is not None and needs_pictures(info):
        if given.image is None:
            raise InputError(f"{info.label} ({info.variant.title}) reads a picture, and the reference has none")
        pictures = [_pixels(one) for one in named_pictures(given.image)]
        source = _Source(encoder, "penultimate_hidden" if needs_hidden(info) else "embeds")
    faces = face_vectors([given.face], len(pictures), together=settings.combine == "concat")
    mask = None if given.mask is None else _mask(given.mask)
    settings = replace(settings, weight=settings.weight * scale)
    return make_references(pictures, settings, source, faces=faces, mask=mask)[0]


def read_scale(scale: object) -> float:
    """The strength of a reference or an adapter; raises InputError for what is none."""
    return float(replace(options_of(ReferenceSettings)["weight"], name="scale").parse(scale))


def _pixels(picture: NamedPicture) -> Tensor:
    """uint8 or floats [H, W, C]; raises PictureError for a picture that cannot be read."""
    import torch

    found = picture.load()
    return torch.from_numpy(np.array(found)) if isinstance(found, Image.Image) else found


def _mask(mask: OnePicture) -> Tensor:
    """[H, W] or [frames, H, W] in 0..1: numbers as they are, of 8 bits in 0..255, and the brightness of pictures."""
    import torch

    if isinstance(mask, np.ndarray | torch.Tensor):
        numbers = torch.as_tensor(mask)
        return numbers.float() / 255 if numbers.dtype == torch.uint8 else numbers.float()
    (picture,) = named_pictures(mask)
    found = picture.load()
    if not isinstance(found, Image.Image):
        raise InputError("mask is no picture; give a file, a PIL picture, or numbers [H, W]")
    return torch.from_numpy(np.array(found.convert("L"))).float() / 255


def split_settings(options: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """(those of ``ApplySettings``, those of ``ReferenceSettings``) among keywords; raises InputError for others."""
    own, of_reference = options_of(ApplySettings), options_of(ReferenceSettings)
    for name in options:
        if name not in own and name not in of_reference:
            raise unknown_option(name, (*own, *of_reference))
    applied = {name: value for name, value in options.items() if name in own}
    return applied, {name: value for name, value in options.items() if name not in own}


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
    from ..clip_backend.ip_adapter.faces import with_lengths

    references, notes = with_lengths(adapter.info, references)
    for note in notes:
        logger.warning("%s", note)
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
