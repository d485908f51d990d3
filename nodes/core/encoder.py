"""A CLIP_VISION as the sight of an encoder of ours, which computes each picture of a session but once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...clip_backend.encoding.devices import Placement
from ...clip_backend.encoding.encoder import ClipEncoder
from ...clip_backend.encoding.features import TextFeatures
from ...clip_backend.encoding.identity import Identified, Identity
from ...clip_backend.encoding.image_features import ImageFeatures, Want
from ...clip_backend.encoding.vision_states import VisionAbility, on_cpu
from ...clip_backend.preparing.pictures import Pictures
from ...clip_backend.preparing.preprocess import prepare
from ...clip_backend.preparing.recipe import Recipe
from ...errors import InputError, SpaceError
from ..host.host import Host
from .model import CoreModel
from .text import core_text_encoder
from .vision import NOT_FINITE, CoreVision

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor


_EMBEDDING_ALONE = "only the embedding of a picture is compared; CLIP Vision Encode gives the states of its tokens"


class CoreSight:
    """Pictures to embeddings by ComfyUI's own layers; its numbers are those of ``CoreVision``."""

    def __init__(self, clip_vision: Any, model: CoreModel, placement: Placement) -> None:
        self._clip_vision = clip_vision
        self._model = model
        self.placement = placement
        # the weight of the patches' embedding [W, 3, patch, patch]
        patches = next(weight for weight in clip_vision.model.parameters() if weight.ndim == 4)
        grid = model.recipe.size // int(patches.shape[-1])
        self.ability = VisionAbility(
            width=int(patches.shape[0]),
            tokens=grid * grid + int(model.has_class_token),
            grid=(grid, grid),
            projection=model.projection_dim,
            has_class_token=model.has_class_token,
            no_tokens=_EMBEDDING_ALONE,
        )

    def memory_bytes(self, batch: int) -> int:
        """About how much memory a batch needs beside the weights."""
        return self._model.working_bytes * batch

    def prepare(self, picture: Image.Image | Tensor, recipe: Recipe) -> Tensor:
        """uint8 [S, S, 3], which ComfyUI neither resizes nor crops any more."""
        return prepare(picture, recipe)

    def states(self, prepared: Sequence[Tensor], recipe: Recipe, wants: Sequence[Want]) -> dict[Want, Tensor]:
        """The embeddings, float32 on the processor; raises InputError where they are not finite."""
        import torch

        with torch.inference_mode():
            pixels = torch.stack([one.float() / 255 for one in prepared])  # [B, S, S, 3]
            output = self._model.without_noise(vars(self._clip_vision.encode_image(pixels)))
        embeds: Tensor = on_cpu(output["image_embeds"])
        if not embeds.isfinite().all():
            raise InputError(NOT_FINITE)
        return {"embeds": embeds}


def core_vision_encoder(clip_vision: Any, host: Host) -> ClipEncoder:
    """An encoder of pictures alone; raises InputError for a CLIP_VISION that gives no embedding."""
    vision = CoreVision(clip_vision, host)
    if not vision.dim:
        raise InputError(vision.no_embedding)
    sight = CoreSight(clip_vision, vision.model, host.place_core(clip_vision.patcher))
    return ClipEncoder(vision.identity, vision=lambda: sight, cache=host.embeddings)


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
