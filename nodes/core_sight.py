"""A CLIP_VISION as the sight of an encoder of ours, which computes each picture of a session but once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..clip_backend.encoder import ClipEncoder
from ..clip_backend.image_features import Want
from ..clip_backend.placement import Placement
from ..clip_backend.preparing.preprocess import prepare
from ..clip_backend.preparing.recipe import Recipe
from ..clip_backend.running.vision_states import VisionAbility, on_cpu
from ..errors import InputError
from .core_model import CoreModel
from .core_vision import NOT_FINITE, CoreVision
from .host import Host

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
