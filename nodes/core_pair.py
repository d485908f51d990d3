"""A CLIP_VISION and a CLIP of ComfyUI's own loaders as one encoder, if their sizes are those of one CLIP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..clip_backend.encoder import ClipEncoder
from ..clip_backend.image_features import ImageFeatures
from ..clip_backend.preparing.pictures_in import Pictures
from ..clip_backend.running.identity import Identified, Identity
from ..clip_backend.running.text_run import TextFeatures
from ..errors import InputError, SpaceError
from .core_sight import core_vision_encoder
from .core_text import core_text_encoder
from .host import Host

#: Width, size of pictures and length of embeddings of the towers whose texts' half ComfyUI can load.
MATES: Mapping[tuple[int, int, int], str] = {
    (1024, 224, 768): "OpenAI's ViT-L/14, whose texts' half is a clip_l with text_projection",
    (1280, 224, 1024): "ViT-H-14 laion2B-s32B-b79K, whose texts' half is in SD2",
    (1664, 224, 1280): "ViT-bigG-14 laion2B-39B-b160k, whose texts' half is clip_g of SDXL",
}


class CoreEncoder(Identified):
    """Pictures by the one, texts by the other; see ``Encoder`` for what its members promise."""

    def __init__(self, vision: ClipEncoder, text: ClipEncoder, note: str) -> None:
        self._vision = vision
        self._text = text
        own = vision.identity
        self.identity: Identity = replace(
            own,
            name="the CLIP_VISION and the CLIP",
            cache_key=f"{own.cache_key} {text.identity.cache_key}",
            assumed=("space", *own.assumed),
            no_texts="",
            notes=(note, *text.identity.notes),
        )

    def encode_images(self, pictures: Pictures, *, wants: Sequence[str] = ("embeds",), **options: Any) -> ImageFeatures:
        """The embeddings of the pictures."""
        return self._vision.encode_images(pictures, wants=wants, **options)

    def encode_texts(self, texts: str | Sequence[str], **options: Any) -> TextFeatures:
        """Unit vectors of the texts."""
        return self._text.encode_texts(texts, **options)


def core_encoder(clip_vision: Any, clip: Any, host: Host) -> CoreEncoder:
    """Raises InputError for halves without projection and for a DINO, SpaceError for two that cannot be of one CLIP.

    Whether they really are, neither of the two tells: that stands in ``identity.assumed`` and in its notes.
    """
    vision = core_vision_encoder(clip_vision, host)
    projection = getattr(clip_vision.model, "visual_projection", None)
    if projection is None:
        raise InputError(
            "the CLIP_VISION was trained on pictures alone and shares no space with texts; link that of a CLIP"
        )
    width = int(projection.weight.shape[1])
    size = vision.recipe.size if vision.recipe else 0
    mate = MATES.get((width, size, vision.dim))
    if mate is None:
        known = "; ".join(MATES.values())
        raise SpaceError(
            f"there is no CLIP that goes with a CLIP_VISION of width {width} for pictures of {size} px; "
            f"these go together: {known}. Others have both halves in one file: choose it in CLIP Model Loader"
        )
    text = core_text_encoder(clip, host, dim=vision.dim, space=vision.space)
    return CoreEncoder(vision, text, f"assumed that both are of {mate}")
