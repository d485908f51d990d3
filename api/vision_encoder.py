"""``CLIPVisionEncoder``: the states of single pictures, by an encoder of ``load_encoder``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..clip_backend.finding.folders import StrPath
from ..clip_backend.loading import load_encoder
from ..errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..clip_backend.encoding.encoder import Encoder
    from ..clip_backend.encoding.image_features import ImageFeatures
    from ..clip_backend.preparing.pictures import OnePicture, Pictures


#: The states that ``VisionFeatures`` holds, the patches last.
STATES = ("embeds", "cls_hidden", "patch_tokens")


@dataclass(frozen=True, eq=False)
class VisionFeatures:
    """The features of one picture; P and W are the model's own: CLIP-G has 1280 and 1664, CLIP-H 1024 and 1280."""

    #: The projected embedding [1, P], not normalised.
    global_features: Tensor
    #: The class token after the last layer [1, W]; None of a model without one.
    cls_token: Tensor | None = None
    #: The patches after the last layer [1, T, W]; None unless asked for.
    patch_features: Tensor | None = None
    #: Fingerprint of the weights that computed them.
    fingerprint: str = ""

    def to(self, device: str | torch.device, dtype: torch.dtype | None = None) -> VisionFeatures:
        """A copy on a device, and in another dtype if one is given."""

        def moved(state: Tensor | None) -> Tensor | None:
            return None if state is None else state.to(device=device, dtype=dtype)

        embeds = self.global_features.to(device=device, dtype=dtype)
        return VisionFeatures(embeds, moved(self.cls_token), moved(self.patch_features), self.fingerprint)


class CLIPVisionEncoder:
    """The vision tower of a model."""

    def __init__(self, encoder: Encoder) -> None:
        #: What computes, with everything that this class leaves out.
        self.encoder = encoder
        self._source: tuple[StrPath, str | torch.dtype] | None = None

    @classmethod
    def from_pretrained(
        cls, path: StrPath, device: str | torch.device = "auto", torch_dtype: str | torch.dtype = "auto"
    ) -> CLIPVisionEncoder:
        """From a file such as clip_vision_g.safetensors, a folder, or a name that ``clip-grid models`` lists.

        Raises what ``load_encoder`` raises.
        """
        made = cls(load_encoder(path, device=device, dtype=torch_dtype))
        made._source = path, torch_dtype
        return made

    def to(self, device: str | torch.device, torch_dtype: str | torch.dtype | None = None) -> CLIPVisionEncoder:
        """Itself, which now computes on this device, and in this number type if one is given.

        The model's file is read again. Raises InputError for an encoder that was given instead of a file, and what
        ``load_encoder`` raises.
        """
        if self._source is None:
            raise InputError("the encoder was given as it is; load one for the device with from_pretrained")
        path, known = self._source
        dtype = known if torch_dtype is None else torch_dtype
        self.encoder = load_encoder(path, device=device, dtype=dtype)
        self._source = path, dtype
        return self

    def get_embedding_dim(self) -> int:
        """The length of ``global_features``."""
        return self.encoder.dim

    def encode_image(self, image: OnePicture, return_patch_features: bool = False) -> VisionFeatures:
        """The features of one picture: PIL, numpy [H, W, C], torch [C, H, W] or a file.

        Raises InputError for several pictures and for a model without a vision tower or embedding, PictureError for a
        picture that cannot be read.
        """
        several = self.encode_images_batch(image, return_patch_features=return_patch_features)
        if len(several) != 1:
            raise InputError(f"encode_image was given {len(several)} pictures; use encode_images_batch")
        return several[0]

    def encode_images_batch(self, images: Pictures, return_patch_features: bool = False) -> list[VisionFeatures]:
        """The features of each picture, in order; raises what ``encode_image`` raises."""
        wants = STATES if return_patch_features else STATES[:2]
        return single_features(self.encoder.encode_images(images, wants=wants))


def single_features(features: ImageFeatures) -> list[VisionFeatures]:
    """The features of each picture by itself; raises InputError where there is no embedding."""
    embeds, cls_token, patches = features.require("image_embeds"), features.cls_hidden, features.patch_tokens
    return [
        VisionFeatures(
            embeds[row : row + 1],
            None if cls_token is None else cls_token[row : row + 1],
            None if patches is None else patches[row : row + 1],
            features.fingerprint,
        )
        for row in range(len(features))
    ]
