"""Images through a CLIP_VISION of ComfyUI's loaders, with ComfyUI's own numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...clip_backend.encoding.batching import (
    THREADS,
    BatchSize,
    batch_for,
    batched,
    costing_one_picture,
    float32_on_cpu,
    prefetch,
    run_shrinking,
)
from ...clip_backend.encoding.encoder import ClipEncoder
from ...clip_backend.encoding.features import Identity
from ...clip_backend.encoding.image_features import ImageFeatures, StateName, VisionCapabilities
from ...clip_backend.preparing.pictures import NamedPicture, Pictures, named_pictures
from ...clip_backend.preparing.preprocessing import Preprocessing, prepare, stacked, unit_floats
from ...errors import InputError
from ...imaging import Progress
from ..host.host import Host
from .vision_model import CoreVisionModel

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

#: Working memory of a batch in bytes, on the CPU and on a device, and the largest number of images in a batch.
CPU_BUDGET, DEVICE_BUDGET, MAX_BATCH = 512 << 20, 2 << 30, 64
#: The states of every layer, which ComfyUI returns for SigLIP, are kept up to this many bytes.
MAX_LAYER_BYTES = 1 << 30
_LAYERS = "all_hidden_states"
NOT_FINITE = (
    "the CLIP_VISION gives numbers that are not finite; its file probably lacks weights, of which ComfyUI only logs "
    '"missing clip vision": fetch the file again, or choose it in CLIP Model Loader, which looks into it'
)


@dataclass(frozen=True)
class CoreEncoding:
    """The result of ``CoreVision.encode``."""

    #: The fields of a CLIP_VISION_OUTPUT for all images.
    output: Mapping[str, object]
    features: ImageFeatures


class CoreVision:
    """Encodes images to every field of a CLIP_VISION_OUTPUT; raises CheckpointError if weights are uninitialised."""

    def __init__(self, clip_vision: Any, host: Host, *, max_layer_bytes: int = MAX_LAYER_BYTES) -> None:
        self._clip_vision = clip_vision
        self._max_layer_bytes = max_layer_bytes
        self.model = model = CoreVisionModel.of(clip_vision)
        self.placement = host.place_patcher(clip_vision.patcher, self._moved)
        self.identity = Identity(
            name="the CLIP_VISION",
            space=model.space,
            dim=model.projection_dim or 0,
            fingerprint=model.fingerprint,
            cache_key=f"{model.fingerprint} comfyui",
            dtype="fp32",
            preprocessing=model.preprocessing,
            # ComfyUI does not keep it
            assumed=("logit_scale",),
            no_texts="a CLIP_VISION has no text encoder",
        )

    def encode(
        self,
        pictures: Pictures,
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> CoreEncoding:
        """The output of ComfyUI's own encoder, in the order of the images; preprocessing: used in place of its own.

        Raises InputError without images, for numbers that are not finite, and for states of different shapes;
        PictureError for an image that cannot be read.
        """
        preprocessing = preprocessing or self.model.preprocessing
        source = named_pictures(pictures, value_range=preprocessing.value_range)
        size = self._batch_size(batch_size)
        names: list[str] = []
        outputs: list[Mapping[str, Any]] = []
        layer_bytes = 0
        prepared = prefetch(source, lambda one: self._prepare(one, preprocessing), threads=THREADS, ahead=2 * size.size)
        with closing(prepared) as ready:
            for batch in batched(ready, lambda: 1 if self.model.keeps_shapes else size.size):
                for part, output in run_shrinking(batch, self._forward, size, self.placement):
                    layer_bytes += output[_LAYERS].nbytes if _LAYERS in output else 0
                    outputs.append(output if layer_bytes <= self._max_layer_bytes else _without_layers(output))
                    names += [name for name, _ in part]
                    if progress:
                        progress(len(names), source.total or len(names))
        if not names:
            raise InputError("image holds no picture; the node before made an empty batch")
        merged = merged_fields(outputs)
        features = replace(self.model.features(merged, names, preprocessing), notes=tuple(size.notes))
        return CoreEncoding(merged, features)

    def blank_states(self, blank: str) -> Tensor | None:
        """The states [1, T, W] before the last layer of a blank picture; None from a model that gives none.

        blank: "mean color", which preprocessing turns into zeros, or "black".
        """
        import torch

        clip_vision, side = self._clip_vision, self.model.preprocessing.size
        if blank == "mean color":
            # black less a mean of 0 is exactly 0, which no picture of 8 bits becomes with the mean of the model
            clip_vision = copy(clip_vision)
            clip_vision.image_mean = [0.0, 0.0, 0.0]
        self.placement.ready(self.model.working_bytes)
        with torch.inference_mode():
            output = clip_vision.encode_image(torch.zeros(1, side, side, 3, device=self.placement.device))
        states: Tensor | None = output["penultimate_hidden_states"]
        return None if states is None else float32_on_cpu(states)

    def _moved(self, patcher: Any) -> None:
        """Uses ComfyUI's encoder on the device of another patcher; the user's CLIP_VISION stays as it is."""
        self._clip_vision = copy(self._clip_vision)
        self._clip_vision.patcher, self._clip_vision.load_device = patcher, patcher.load_device

    def _batch_size(self, wanted: int | None) -> BatchSize:
        on_cpu = self.placement.device.type == "cpu"
        fitting = batch_for(self.model.working_bytes, CPU_BUDGET if on_cpu else DEVICE_BUDGET, MAX_BATCH)
        return BatchSize(1 if self.model.keeps_shapes else wanted or fitting, on_cpu=on_cpu)

    def _prepare(self, picture: NamedPicture, preprocessing: Preprocessing) -> tuple[str, Tensor]:
        """The name, and the pixels that ComfyUI takes: uint8 [S, S, 3], or floats of 0..1 for models of any shape."""
        with costing_one_picture(picture.name):
            pixels = picture.load()
            # ComfyUI neither resizes nor crops this size, and its own rounding to 8 bits changes nothing
            return picture.name, (unit_floats if self.model.keeps_shapes else prepare)(pixels, preprocessing)

    def _forward(self, batch: Sequence[tuple[str, Tensor]]) -> Mapping[str, Any]:
        self.placement.ready(self.model.working_bytes * len(batch))
        return self.output([pixels for _, pixels in batch])

    def output(self, pictures: Sequence[Tensor]) -> Mapping[str, Any]:
        """The fields of a CLIP_VISION_OUTPUT for pictures [H, W, C], uint8 or floats of 0..1, of one shape.

        Raises InputError if they are not finite.
        """
        import torch

        batch = stacked(pictures, self.placement.device)
        pixels = batch.float() / 255 if batch.dtype == torch.uint8 else batch.float()
        with torch.inference_mode():
            fields: Mapping[str, Any] = vars(self._clip_vision.encode_image(pixels))
            output = self.model.without_noise(fields)
        if not all(bool(output[name].isfinite().all()) for name in ("image_embeds", "last_hidden_state")):
            raise InputError(NOT_FINITE)
        return output


def _without_layers(output: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in output.items() if name != _LAYERS}


def merged_fields(outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields that all outputs have, tensors and lists joined; raises InputError for states of different shapes."""
    import torch

    merged: dict[str, Any] = {}
    for name, first in outputs[0].items():
        values: list[Any] = [output.get(name) for output in outputs]
        if any(value is None for value in values):
            merged |= {name: None} if first is None else {}
        elif not isinstance(first, torch.Tensor):
            merged[name] = [item for value in values for item in value]
        elif len({tuple(value.shape[1:]) for value in values}) == 1:
            merged[name] = torch.cat(values)
        else:
            raise InputError(
                "this CLIP_VISION keeps the shape of its pictures, so pictures of different shapes do not go into one "
                "output; scale them to one size before"
            )
    return merged


def core_vision_encoder(clip_vision: Any, host: Host) -> ClipEncoder:
    """An encoder of images whose embeddings are cached; raises InputError for a CLIP_VISION without embedding."""
    vision = CoreVision(clip_vision, host)
    if vision.model.no_embedding:
        raise InputError(vision.model.no_embedding)
    # the weight of the patch embedding [W, 3, patch, patch]
    patches = next(weight for weight in clip_vision.model.parameters() if weight.ndim == 4)
    encoder = CoreVisionEncoder(vision, width=int(patches.shape[0]), patch=int(patches.shape[-1]))
    return ClipEncoder(vision.identity, vision=lambda: encoder, cache=host.embeddings)


class CoreVisionEncoder:
    """The vision encoder of ``core_vision_encoder``: images to embeddings alone."""

    #: ComfyUI computes in float32 anyway.
    in_fp32 = None

    def __init__(self, vision: CoreVision, *, width: int, patch: int) -> None:
        self._vision = vision
        self.placement = vision.placement
        model = vision.model
        grid = model.preprocessing.size // patch
        self.capabilities = VisionCapabilities(
            width=width,
            tokens=grid * grid + int(model.has_class_token),
            grid=(grid, grid),
            projection=model.projection_dim,
            has_class_token=model.has_class_token,
            no_tokens="only the embedding of a picture is compared; CLIP Vision Encode gives the states of its tokens",
        )

    def memory_bytes(self, batch: int) -> int:
        """About the working memory for a batch."""
        return self._vision.model.working_bytes * batch

    def prepare(self, picture: Image.Image | Tensor, preprocessing: Preprocessing) -> Tensor:
        """uint8 [S, S, 3], which ComfyUI neither resizes nor crops."""
        return prepare(picture, preprocessing)

    def states(
        self, prepared: Sequence[Tensor], preprocessing: Preprocessing, wants: Sequence[StateName]
    ) -> dict[StateName, Tensor]:
        """The embeddings, float32 on the CPU."""
        output = self._vision.output(prepared)
        return {"embeds": float32_on_cpu(output["image_embeds"])}
