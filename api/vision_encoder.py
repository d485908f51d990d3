"""``CLIPVisionEncoder``: a thin face over ``load_encoder`` for those who want the states of single pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..clip_backend.encoding.image_features import ImageFeatures
from ..clip_backend.finding.folders import StrPath
from ..clip_backend.loading import load_encoder
from ..errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..clip_backend.encoding.encoder import Encoder
    from ..clip_backend.preparing.pictures import OnePicture, Pictures


@dataclass(frozen=True, eq=False)
class VisionFeatures:
    """One picture, with the shapes that the model really has: of CLIP-G 1280 and 1664, of CLIP-H 1024 and 1280."""

    #: The projected embedding [1, P], not normalised.
    global_features: Tensor
    #: The class token after the last layer [1, W].
    cls_token: Tensor | None = None
    #: The patches after the last layer [1, T, W]; None unless they were asked for.
    patch_features: Tensor | None = None


class CLIPVisionEncoder:
    """The pictures' tower of a model."""

    def __init__(self, encoder: Encoder) -> None:
        #: What it stands on, for all that this face does not show.
        self.encoder = encoder

    @classmethod
    def from_pretrained(
        cls, path: StrPath, device: str | torch.device = "auto", torch_dtype: str | torch.dtype = "auto"
    ) -> CLIPVisionEncoder:
        """From a file such as clip_vision_g.safetensors, a folder, or a name that ``clip-grid models`` lists."""
        return cls(load_encoder(path, device=device, dtype=torch_dtype))

    def get_embedding_dim(self) -> int:
        """The length of ``global_features``."""
        return self.encoder.dim

    def encode_image(self, image: OnePicture, return_patch_features: bool = False) -> VisionFeatures:
        """The features of one picture: PIL, numpy [H, W, C], torch [C, H, W] or a file."""
        several = self.encode_images_batch(image, return_patch_features=return_patch_features)
        if len(several) != 1:
            raise InputError(f"encode_image was given {len(several)} pictures; use encode_images_batch")
        return several[0]

    def encode_images_batch(self, images: Pictures, return_patch_features: bool = False) -> list[VisionFeatures]:
        """The features of each picture, in order."""
        wants = ("embeds", "cls_hidden", "patch_tokens") if return_patch_features else ("embeds", "cls_hidden")
        features = self.encoder.encode_images(images, wants=wants)
        return [_of_one(features, row) for row in range(len(features))]


def _of_one(features: ImageFeatures, row: int) -> VisionFeatures:
    def one(states: Tensor | None) -> Tensor | None:
        return None if states is None else states[row : row + 1]

    embeds = features.require("image_embeds")[row : row + 1]
    return VisionFeatures(embeds, one(features.cls_hidden), one(features.patch_tokens))
