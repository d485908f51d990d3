"""What IP-Adapters need of reference pictures: ``IPAdapterService`` finds CLIP-G or CLIP-H and gives their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from ..clip_backend.finding.advice import CLIP_VISION_G, CLIP_VISION_H
from ..clip_backend.finding.folders import ModelPathConfig, StrPath
from ..clip_backend.ip_adapter.apply_settings import ApplySettings
from ..clip_backend.ip_adapter.encoders import VIT_G, VIT_H, find_encoder, find_vision_encoders, needed_encoder
from ..errors import ClipGridError, InputError
from ..log import logger
from ..options import read_options
from .conditioning import conditioned, misfit, needs_pictures, read_scale, references_of, split_settings
from .reference_image import ReferenceImage
from .vision_encoder import STATES, CLIPVisionEncoder, VisionFeatures, single_features

if TYPE_CHECKING:
    import torch
    from typing_extensions import Unpack

    from ..clip_backend.encoding.encoder import Encoder
    from ..clip_backend.ip_adapter.comfy_functions import ComfyFunctions
    from ..clip_backend.ip_adapter.detection import AdapterInfo
    from ..clip_backend.ip_adapter.weights import Adapter
    from ..clip_backend.preparing.pictures import OnePicture
    from .ip_adapter_config import IPAdapterConfig
    from .options import ConditioningKeywords

#: Taken where no adapter says which one it needs, the first one first.
_USUAL = (VIT_G, VIT_H)


#: A picture, or one that keeps its features.
Reference = Union["OnePicture", ReferenceImage]


def find_clip_vision(config: ModelPathConfig | None = None) -> Path:
    """The file of a CLIP-G vision encoder, else of a CLIP-H one, recognised by its content.

    config: where to look; without it in ComfyUI's folders and the Hugging Face cache. Raises InputError if there is
    neither, naming both files and their folder.
    """
    found = find_vision_encoders(_USUAL, config)
    for encoder in _USUAL:
        if encoder.title in found:
            return found[encoder.title]
    files = " or ".join(
        f"{file.file} ({file.size}) of {file.repository} as {file.name}" for file in (CLIP_VISION_G, CLIP_VISION_H)
    )
    raise InputError(
        f"there is no vision encoder of CLIP-G or CLIP-H here; put {files} into ComfyUI's {CLIP_VISION_G.folder}, or "
        "give the path of one"
    )


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
    """Features of reference pictures by one vision encoder, and an IP-Adapter that has models follow them.

    The encoder is loaded when it is first needed.

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
        #: None before ``load_ip_adapter``.
        self.adapter: Adapter | None = None
        self._adapter_config: IPAdapterConfig | None = None
        #: That of the adapter, where the encoder of the service is another.
        self._adapter_encoder: CLIPVisionEncoder | None = None

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
        reference = _as_reference(image)
        picture = reference.only_image
        if not self._has_features(reference):
            reference.features = encoder.encode_image(picture, return_patch_features=True)
        return reference.features

    def extract_features_batch(self, images: Sequence[Reference]) -> list[VisionFeatures | None]:
        """The features of each picture, in order, computed together; None without a model.

        None, with a warning, also for a picture that cannot be read.
        """
        encoder = self._ready()
        references = [_as_reference(image) for image in images]
        if encoder is None:
            return [None] * len(references)
        new = [reference for reference in references if not self._has_features(reference)]
        if new:
            run = encoder.encoder.encode_images([one.only_image for one in new], wants=STATES, strict=False)
            for place, features in zip(run.kept, single_features(run) if len(run) else (), strict=True):
                new[place].features = features
            for failure in run.failed:
                new[failure.index].features = None
                logger.warning("%s has no features: %s", failure.name, failure.reason)
        return [reference.features for reference in references]

    def load_ip_adapter(self, config: IPAdapterConfig) -> AdapterInfo:
        """Loads an adapter for ``apply_conditioning``; what it is, and what of that was assumed.

        Raises CheckpointError for a file that is none or is damaged, InputError for a name that means no or several.
        """
        adapter = config.load(self._config)
        for sentence in adapter.info.assumed:
            logger.warning("%s: %s", adapter.info.label, sentence)
        self.adapter, self._adapter_config, self._adapter_encoder = adapter, config, None
        return adapter.info

    def apply_conditioning(
        self,
        reference: Reference | Sequence[Reference],
        model: Any,
        *,
        comfy: ComfyFunctions | None = None,
        has_guidance: bool = True,
        **options: Unpack[ConditioningKeywords],
    ) -> Any:
        """What draws with the references: a new ModelPatcher of ComfyUI; for a pipeline of diffusers its arguments.

        Into a pipeline the adapter is loaded, and it is to be called with the arguments:
        ``pipeline(prompt, **service.apply_conditioning(reference, pipeline))``. Several references act side by side,
        each with its scale. comfy: functions of ComfyUI, instead of those of the ModelPatcher's own program.
        has_guidance: whether the pipeline will use guidance. options: of ``ApplySettings``, which beat those of the
        configuration, and of ``ReferenceSettings``, which beat those of each reference.

        Raises InputError before ``load_ip_adapter``, for an option that is not allowed, for a vision encoder that was
        named and does not fit, for none that does, and for a model of another family; PictureError for a picture that
        cannot be read.
        """
        if self.adapter is None or self._adapter_config is None:
            raise InputError("no adapter is loaded; call load_ip_adapter first")
        config, info = self._adapter_config, self.adapter.info
        applied, of_references = split_settings(options)
        settings = read_options(ApplySettings, {**vars(config.settings), **applied})
        settings = replace(settings, weight=settings.weight * read_scale(config.scale))
        several: Sequence[Any] = reference if isinstance(reference, list | tuple) else [reference]
        encoder = self._encoder_of(info) if needs_pictures(info) else None
        found = [references_of(info, encoder, _as_reference(one), of_references) for one in several]
        references = [one for part in found for one in part]
        return conditioned(model, self.adapter, references, settings, comfy=comfy, has_guidance=has_guidance)

    def _encoder_of(self, info: AdapterInfo) -> Encoder:
        """The encoder of the service if it fits the adapter, else the one that is found; one that was named stays."""
        if self._adapter_encoder is None:
            named = self._path is not None
            loaded = self._ready() if named or needed_encoder(info) is None else self.encoder
            problem = "no vision encoder is loaded" if loaded is None else misfit(loaded.encoder, info)
            if loaded is not None and not problem:
                return loaded.encoder
            if named:
                raise InputError(problem)
            found = find_encoder(info, self._config)
            self._adapter_encoder = load_clip_vision(found, device=self._device, torch_dtype=self._torch_dtype)
        return self._adapter_encoder.encoder

    def to(self, device: str | torch.device, torch_dtype: str | torch.dtype | None = None) -> IPAdapterService:
        """Itself, which now computes on this device, and in this number type if one is given."""
        self._device = device
        self._torch_dtype = self._torch_dtype if torch_dtype is None else torch_dtype
        if self.encoder:
            self.encoder.to(device, torch_dtype)
        # found again when it is needed
        self._adapter_encoder = None
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


def _as_reference(image: Reference) -> ReferenceImage:
    return image if isinstance(image, ReferenceImage) else ReferenceImage(image)
