"""A CLIP_VISION of ComfyUI's own loaders as an encoder of pictures, used as it is: its numbers are ComfyUI's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from ...clip_backend.encoding.batching import BatchSize, batch_for, filled, prefetch, run_shrinking
from ...clip_backend.encoding.identity import Identified, Identity
from ...clip_backend.encoding.image_features import ImageFeatures, check_wants
from ...clip_backend.encoding.images import THREADS
from ...clip_backend.preparing.pictures import NamedPicture, Pictures, named_pictures
from ...clip_backend.preparing.preprocess import prepare
from ...clip_backend.preparing.recipe import Recipe
from ...errors import InputError
from ...imaging import Progress
from ..host.host import Host
from .model import CoreModel

if TYPE_CHECKING:
    from torch import Tensor

    from ...clip_backend.encoding.devices import Placement


#: Bytes that a batch may need beside the weights on the processor and on a device, and the most in a batch.
CPU_BUDGET, DEVICE_BUDGET, MOST = 512 << 20, 2 << 30, 64
#: The states of every layer, which one kind of model hands out, are kept up to this many bytes.
MOST_LAYER_STATES = 1 << 30
_LAYERS = "all_hidden_states"
#: Why a run is stopped.
NOT_FINITE = (
    "the CLIP_VISION gives numbers that are not finite; its file probably lacks weights, of which ComfyUI only logs "
    '"missing clip vision": fetch the file again, or choose it in CLIP Model Loader, which looks into it'
)


@dataclass(frozen=True)
class CoreEncoding:
    """Pictures as ComfyUI encodes them."""

    #: The fields of a CLIP_VISION_OUTPUT, of all pictures.
    output: Mapping[str, object]
    features: ImageFeatures


class CoreVision(Identified):
    """An encoder of pictures with the weights that ComfyUI holds already."""

    def __init__(self, clip_vision: Any, host: Host, *, most_layer_bytes: int = MOST_LAYER_STATES) -> None:
        self._most_layer_bytes = most_layer_bytes
        self._clip_vision = clip_vision
        #: What it is.
        self.model = model = CoreModel.of(clip_vision)
        self._placement = host.place_core(clip_vision.patcher)
        # the scale of cosines is that of every CLIP of these sizes, for ComfyUI does not keep it
        self.identity = Identity(
            name="the CLIP_VISION",
            space=model.space,
            dim=model.projection_dim or 0,
            fingerprint=model.fingerprint,
            cache_key=f"{model.fingerprint} comfyui",
            dtype="fp32",
            recipe=model.recipe,
            assumed=("logit_scale",),
            no_texts="a CLIP_VISION holds no texts' half",
        )

    @property
    def recipe(self) -> Recipe:
        """How ComfyUI prepares pictures, but of SigLIP how the model wants them."""
        return self.model.recipe

    @property
    def no_embedding(self) -> str:
        """Why there is no embedding; empty if there is one."""
        return self.model.no_embedding

    def encode_images(
        self,
        pictures: Pictures,
        *,
        wants: Sequence[str] = ("embeds",),
        batch_size: int | None = None,
        strict: bool = True,
        progress: Progress | None = None,
        recipe: Recipe | None = None,
    ) -> ImageFeatures:
        """The states of the pictures; more than are wanted, for ComfyUI computes them anyway.

        Raises InputError if it can give none of the wanted, and PictureError for the first picture that is broken:
        ``strict`` changes nothing.
        """
        asked = check_wants(wants)
        features = self.encode(pictures, batch_size=batch_size, progress=progress, recipe=recipe).features
        for want in asked:
            features.require(want)
        return features

    def encode_texts(self, texts: object, **options: object) -> NoReturn:
        """Raises InputError: a CLIP_VISION reads no texts."""
        raise InputError("a CLIP_VISION reads no texts; link a CLIP for them, or a model of CLIP Model Loader")

    def encode(
        self,
        pictures: Pictures,
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
        recipe: Recipe | None = None,
    ) -> CoreEncoding:
        """What ComfyUI's own encoder says of the pictures, in their order.

        Raises InputError without pictures, and where the numbers are not finite.
        """
        run = _Run(self._clip_vision, self.model, self._placement, recipe or self.recipe, self._most_layer_bytes)
        output, names = run.work(pictures, batch_size, progress)
        return CoreEncoding(output, self.model.features(output, names, run.recipe))


@dataclass
class _Run:
    """One run over pictures, batch by batch."""

    clip_vision: Any
    model: CoreModel
    placement: Placement
    recipe: Recipe
    most_layer_bytes: int
    _parts: list[Mapping[str, Any]] = field(default_factory=list)
    _layer_bytes: int = 0

    def work(
        self, pictures: Pictures, batch_size: int | None, progress: Progress | None
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The fields of all pictures, and their names."""
        source = named_pictures(pictures)
        size = self._size(batch_size)
        names: list[str] = []
        prepared = prefetch(source, self._prepared, threads=THREADS, ahead=2 * size.size)
        with closing(prepared) as ready:
            for batch in filled(ready, lambda: size.size):
                for part, output in run_shrinking(batch, self._forward, size, self.placement):
                    self._keep(output)
                    names += [name for name, _ in part]
                    if progress:
                        progress(len(names), source.total or len(names))
        if not names:
            raise InputError("image holds no picture; the node before made an empty batch")
        return merged_fields(self._parts), tuple(names)

    def _size(self, batch_size: int | None) -> BatchSize:
        budget = CPU_BUDGET if self.placement.device.type == "cpu" else DEVICE_BUDGET
        fitting = batch_for(self.model.working_bytes, budget, MOST)
        # ComfyUI's model stays where ComfyUI wants it
        return BatchSize(1 if self.model.keeps_shapes else batch_size or fitting, on_cpu=True)

    def _prepared(self, picture: NamedPicture) -> tuple[str, Tensor]:
        """The name, and the pixels as ComfyUI takes them: float32 [S, S, 3] of 0..1."""
        loaded = picture.load()
        if self.model.keeps_shapes:
            return picture.name, plain_levels(loaded)
        # of this size ComfyUI neither resizes nor crops, and its own rounding changes nothing any more
        return picture.name, prepare(loaded, self.recipe).float() / 255

    def _forward(self, batch: Sequence[tuple[str, Tensor]]) -> Mapping[str, Any]:
        import torch

        self.placement.ready(self.model.working_bytes * len(batch))
        with torch.inference_mode():
            fields: Mapping[str, Any] = vars(self.clip_vision.encode_image(torch.stack([one for _, one in batch])))
            return self.model.without_noise(fields)

    def _keep(self, output: Mapping[str, Any]) -> None:
        if not all(bool(output[name].isfinite().all()) for name in ("image_embeds", "last_hidden_state")):
            raise InputError(NOT_FINITE)
        if _LAYERS in output:
            self._layer_bytes += output[_LAYERS].nbytes
            if self._layer_bytes > self.most_layer_bytes:
                output = {name: value for name, value in output.items() if name != _LAYERS}
        self._parts.append(output)


def merged_fields(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields that all parts have, those of tensors and lists put together.

    Raises InputError for states that differ in shape.
    """
    import torch

    merged: dict[str, Any] = {}
    for name, first in parts[0].items():
        values: list[Any] = [part.get(name) for part in parts]
        if any(value is None for value in values):
            merged |= {name: None} if first is None else {}
        elif isinstance(first, torch.Tensor):
            _check_shapes(values)
            merged[name] = torch.cat(values)
        else:
            merged[name] = [entry for value in values for entry in value]
    return merged


def _check_shapes(values: Sequence[Tensor]) -> None:
    shapes = {tuple(value.shape[1:]) for value in values}
    if len(shapes) > 1:
        raise InputError(
            "this CLIP_VISION keeps the shape of its pictures, so pictures of different shapes do not go into one "
            "output; scale them to one size before"
        )


def plain_levels(picture: Any) -> Tensor:
    """float32 [H, W, C] of 0..1 of a loaded picture."""
    import numpy as np
    import torch

    values = picture if isinstance(picture, torch.Tensor) else torch.from_numpy(np.array(picture))
    return values.float() / 255 if values.dtype == torch.uint8 else values.float()
