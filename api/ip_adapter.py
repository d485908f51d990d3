"""What IP-Adapters need of reference pictures: ``IPAdapterService`` finds CLIP-G or CLIP-H and gives their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Union

from ..clip_backend.checkpoints.info import CheckpointInfo
from ..clip_backend.finding.advice import CLIP_VISION_G, CLIP_VISION_H, ModelFile
from ..clip_backend.finding.catalog import find_models
from ..clip_backend.finding.folders import ModelPathConfig, StrPath, find_model_folders
from ..errors import ClipGridError, InputError
from ..log import logger
from .vision_encoder import STATES, CLIPVisionEncoder, VisionFeatures, single_features

if TYPE_CHECKING:
    import torch

    from ..clip_backend.preparing.pictures import OnePicture

#: (width, layers, tokens, length of the embedding) of ViT-bigG/14 and of ViT-H/14, which is taken where no bigG is.
_SIZES = {(1664, 48, 257, 1280): CLIP_VISION_G, (1280, 32, 257, 1024): CLIP_VISION_H}


@dataclass(eq=False)
class ReferenceImage:
    """A picture whose style or content an IP-Adapter takes, with its strength."""

    #: PIL, numpy [H, W, C], torch [C, H, W] or a file.
    image: OnePicture
    #: Of its influence; 1 is the adapter's own.
    scale: float = 1.0
    #: Kept by ``IPAdapterService`` once they are extracted; computed anew for another model.
    features: VisionFeatures | None = None


#: A picture, or one that keeps its features.
Reference = Union["OnePicture", ReferenceImage]


def find_clip_vision(config: ModelPathConfig | None = None) -> Path:
    """The file of a CLIP-G vision encoder, else of a CLIP-H one, recognised by its content.

    config: where to look; without it in ComfyUI's folders and the Hugging Face cache. Raises InputError if there is
    neither, naming both files and their folder.
    """
    known = find_model_folders() if config is None else config
    searched = ModelPathConfig(
        clip_vision_paths=known.get_paths("clip_vision"),
        hub_paths=known.get_paths("hub"),
        other_paths=known.get_paths("other"),
    )
    by_file: dict[ModelFile, Path] = {}
    for model in find_models(searched):
        if model.info and not model.problem and (file := _known_file(model.info)):
            by_file.setdefault(file, model.path)
    for file in _SIZES.values():
        if file in by_file:
            return by_file[file]
    files = " or ".join(
        f"{file.file} ({file.size}) of {file.repository} as {file.name}" for file in (CLIP_VISION_G, CLIP_VISION_H)
    )
    raise InputError(
        f"there is no vision encoder of CLIP-G or CLIP-H here; put {files} into ComfyUI's {CLIP_VISION_G.folder}, or "
        "give the path of one"
    )


def _known_file(info: CheckpointInfo) -> ModelFile | None:
    """Which of the two encoders it is; others of the same size have another activation."""
    vision = info.vision
    if vision is None or not info.has_vision_projection or info.activation != "gelu":
        return None
    return _SIZES.get((vision.width, vision.layers, vision.tokens, info.projection or 0))


def load_clip_vision(
    path: StrPath | None = None,
    *,
    config: ModelPathConfig | None = None,
    device: str | torch.device = "auto",
    torch_dtype: str | torch.dtype = "auto",
) -> CLIPVisionEncoder:
    """The vision encoder of this file, else of the CLIP-G or CLIP-H that is found.

    Raises InputError if there is none, and what ``CLIPVisionEncoder.from_pretrained`` raises.
    """
    found = find_clip_vision(config) if path is None else path
    return CLIPVisionEncoder.from_pretrained(found, device=device, torch_dtype=torch_dtype)


class IPAdapterService:
    """Features of reference pictures by one vision encoder, which is loaded when it is first needed.

    clip_vision_path: its file, instead of the CLIP-G or CLIP-H that is found. config: where to look for those.
    """

    def __init__(
        self,
        clip_vision_path: StrPath | None = None,
        *,
        config: ModelPathConfig | None = None,
        device: str | torch.device = "auto",
        torch_dtype: str | torch.dtype = "auto",
    ) -> None:
        #: None before ``load_clip_vision``, and where there is no model.
        self.encoder: CLIPVisionEncoder | None = None
        #: Why there is no encoder, and the cure; empty if there is one, and before it was looked for.
        self.problem = ""
        self._path = clip_vision_path
        self._config = config
        self._device = device
        self._torch_dtype = torch_dtype

    def load_clip_vision(self, path: StrPath | None = None) -> bool:
        """Whether there is a vision encoder now; where none is found a warning says which file to get.

        path: a file, instead of that of the service. Raises what ``CLIPVisionEncoder.from_pretrained`` raises for a
        file that was named.
        """
        named = self._path if path is None else path
        try:
            found = find_clip_vision(self._config) if named is None else named
            self.encoder = load_clip_vision(found, device=self._device, torch_dtype=self._torch_dtype)
        except ClipGridError as error:
            if named is not None:
                raise
            self.problem = str(error)
            logger.warning("reference pictures have no features: %s", error)
            return False
        self.problem = ""
        return True

    def get_embedding_dim(self) -> int | None:
        """The length of ``global_features``: 1280 of CLIP-G, 1024 of CLIP-H; None without a model."""
        encoder = self._ready()
        return encoder.get_embedding_dim() if encoder else None

    def extract_features(self, image: Reference) -> VisionFeatures | None:
        """The features of one picture, patches included; None without a model.

        Those of a ``ReferenceImage`` are kept in it and not computed again.
        Raises InputError for several pictures, PictureError for one that cannot be read.
        """
        encoder = self._ready()
        if encoder is None:
            return None
        reference = image if isinstance(image, ReferenceImage) else ReferenceImage(image)
        if not self._has_features(reference):
            reference.features = encoder.encode_image(reference.image, return_patch_features=True)
        return reference.features

    def extract_features_batch(self, images: Sequence[Reference]) -> list[VisionFeatures | None]:
        """The features of each picture, in order, computed together; None without a model.

        None, with a warning, also for a picture that cannot be read.
        """
        encoder = self._ready()
        references = [image if isinstance(image, ReferenceImage) else ReferenceImage(image) for image in images]
        if encoder is None:
            return [None] * len(references)
        new = [reference for reference in references if not self._has_features(reference)]
        if new:
            run = encoder.encoder.encode_images([one.image for one in new], wants=STATES, strict=False)
            for place, features in zip(run.kept, single_features(run) if len(run) else (), strict=True):
                new[place].features = features
            for failure in run.failed:
                new[failure.index].features = None
                logger.warning("%s has no features: %s", failure.name, failure.reason)
        return [reference.features for reference in references]

    def to(self, device: str | torch.device, torch_dtype: str | torch.dtype | None = None) -> IPAdapterService:
        """Itself, which now computes on this device, and in this number type if one is given."""
        self._device = device
        self._torch_dtype = self._torch_dtype if torch_dtype is None else torch_dtype
        if self.encoder:
            self.encoder.to(device, torch_dtype)
        return self

    def _ready(self) -> CLIPVisionEncoder | None:
        """The encoder; looked for once."""
        if self.encoder is None and not self.problem:
            self.load_clip_vision()
        return self.encoder

    def _has_features(self, reference: ReferenceImage) -> bool:
        """Whether it keeps features of the encoder that is loaded."""
        known, encoder = reference.features, self.encoder
        return known is not None and encoder is not None and known.fingerprint == encoder.encoder.identity.fingerprint
