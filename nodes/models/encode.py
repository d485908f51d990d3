"""What CLIP Vision Encode does: images to features, and to the CLIP_VISION_OUTPUT that ComfyUI makes for the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ...clip_backend.checkpoints.info import CheckpointInfo
from ...clip_backend.encoding.image_features import ImageFeatures
from ...clip_backend.preparing.preprocessing import BACKGROUNDS, REFERENCE, Preprocessing
from ...errors import InputError
from ...options import option
from ...plurals import counted
from ..core.vision import CoreVision
from ..host.host import Host
from ..sockets.inputs import Inputs, Values, read_widgets
from ..sockets.tensors import checked_batches
from .loaded import LoadedModel

if TYPE_CHECKING:
    from torch import Tensor

    from ...clip_backend.checkpoints.info import Fit

AUTO = "auto"
#: ComfyUI's names for two of the choices.
_COMFYUI_FITS = {"center": "crop", "none": "squash"}
_NORM = "vision_model.post_layernorm"
_DINO = ("dinov2", "dinov3")


@dataclass(frozen=True)
class EncodeOptions:
    """The widgets of the node."""

    fit: str = option(
        AUTO,
        "How a picture becomes square: auto as the model was trained, crop its middle (ComfyUI's center), squash all "
        "of it (ComfyUI's none), pad with black",
        choices=(AUTO, "crop", "squash", "pad"),
    )
    batch_size: int = option(
        0, "Pictures computed at once; 0 takes as many as memory allows. Results do not depend on it", low=0, high=1024
    )
    background: str = option(
        REFERENCE,
        "What lies below transparent pixels of pictures with an alpha channel: reference drops transparency, as "
        "ComfyUI does, and shows the colors stored below it",
        choices=tuple(BACKGROUNDS),
        advanced=True,
    )

    @classmethod
    def of(cls, inputs: Inputs) -> EncodeOptions:
        """The options from the node's inputs; raises InputError for a value that is not allowed."""
        known = {name: values for name, values in inputs.items() if values[0] is not None}
        if "fit" in known:
            known["fit"] = [_COMFYUI_FITS.get(str(known["fit"][0]), known["fit"][0])]
        return read_widgets(cls, known)

    def changed(self, preprocessing: Preprocessing) -> Preprocessing:
        """The preprocessing of a model with what the widgets change of it."""
        fit = preprocessing.fit if self.fit == AUTO else cast("Fit", self.fit)
        return replace(preprocessing, fit=fit, background=BACKGROUNDS[self.background])


def choose_source(clip_vision: Values, model: Values, host: Host) -> CoreVision | LoadedModel:
    """The one connected model; raises InputError for none and for several."""
    connected = [value for value in (*clip_vision, *model) if value is not None]
    if not connected:
        raise InputError(
            "there is nothing to encode with; connect clip_vision (from Load CLIP Vision) or model (from CLIP Model "
            "Loader)"
        )
    if len(connected) > 1:
        raise InputError(f"{len(connected)} models are connected to clip_vision and model; leave one of them")
    return connected[0] if isinstance(connected[0], LoadedModel) else CoreVision(connected[0], host)


def encode_images(
    images: Sequence[object], source: CoreVision | LoadedModel, options: EncodeOptions, host: Host
) -> tuple[Mapping[str, object], ImageFeatures, str]:
    """The fields of a CLIP_VISION_OUTPUT, the features, and a report as JSON, for all images in order.

    images: tensors [B, H, W, C] of any sizes. Raises InputError for anything else, and for a model without a vision
    encoder.
    """
    batches = checked_batches(images)
    batch_size = options.batch_size or None
    if isinstance(source, CoreVision):
        preprocessing = options.changed(source.model.preprocessing)
        core = source.encode(batches, batch_size=batch_size, progress=host.progress(), preprocessing=preprocessing)
        return core.output, core.features, _report(core.features, "the CLIP_VISION", source.identity.assumed)
    if source.encoder.preprocessing is None:
        raise InputError(f"{source.name} reads texts alone and sees no pictures; choose a model with a vision tower")
    # the other states are parts of these; "projected_patches" of DINO are its last states after the final norm
    wants = ["embeds", "penultimate_hidden", "last_hidden"]
    wants += ["projected_patches"] if source.info.family in _DINO else []
    preprocessing = options.changed(source.encoder.preprocessing)
    features = source.encoder.encode_images(
        batches, wants=wants, batch_size=batch_size, progress=host.progress(), preprocessing=preprocessing
    )
    features = _with_parts(features)
    report = _report(features, source.name, source.encoder.identity.assumed)
    return _output_fields(features, source.info), features, report


def summary(features: ImageFeatures) -> str:
    """One line for the node."""
    embedding = f"embeddings of {features.projection_dim}" if features.projection_dim else "no embedding"
    return f"{counted(len(features), 'picture')}, {embedding}, {features.num_tokens} tokens of {features.hidden_size}"


def _with_parts(features: ImageFeatures) -> ImageFeatures:
    """The features with class token and patch tokens as views of the last states."""
    last = features.last_hidden
    if last is None:
        return features
    has_class = features.has_class_token
    no_class = {} if has_class else {"cls_hidden": "the model has no class token; use image_embeds or patch_tokens"}
    return replace(
        features,
        cls_hidden=last[:, 0] if has_class else None,
        patch_tokens=last[:, int(has_class) + features.registers :],
        absent={**features.absent, **no_class},
    )


def _output_fields(features: ImageFeatures, info: CheckpointInfo) -> dict[str, object]:
    """The fields of ComfyUI's own CLIP_VISION_OUTPUT for such a model; None for states that the model does not give.

    ``last_hidden_state`` is before the final norm for CLIP and after it for other models; ``image_embeds`` is the
    embedding for CLIP, the class token for DINO and all tokens for SigLIP. A NaFlex has an embedding alone, as the
    token states of its images differ in shape.
    """
    last, embeds = features.last_hidden, features.image_embeds
    if last is not None and info.family in _DINO:
        last = features.require("projected_patches")
    elif last is not None and info.family in ("siglip", "siglip2"):
        last = embeds = _normed(last, info)
    elif last is not None and embeds is None:
        embeds = _normed(last[:, 0], info)
    side = features.preprocessing.size
    return {
        "last_hidden_state": last,
        "image_embeds": embeds,
        "penultimate_hidden_states": features.penultimate_hidden,
        "mm_projected": None,
        "image_sizes": [(3, side, side)] * len(features),
    }


def _normed(states: Tensor, info: CheckpointInfo) -> Tensor:
    """The states through the model's final norm [..., W]."""
    from torch.nn.functional import layer_norm

    from ...clip_backend.checkpoints.weights import open_weights

    weights = open_weights(info)
    weight, bias = (weights.read(f"{_NORM}.{part}").to(states) for part in ("weight", "bias"))
    return layer_norm(states, (states.shape[-1],), weight, bias, info.eps)


def _report(features: ImageFeatures, model: str, assumed: Sequence[str]) -> str:
    report = {
        "pictures": len(features),
        "model": model,
        "embedding": features.projection_dim,
        "hidden_size": features.hidden_size,
        "tokens": features.num_tokens,
        "grid": list(features.grid),
        "fit": features.preprocessing.fit,
        "size": features.preprocessing.size,
        "dtype": features.dtype,
        "space": features.space,
        "fingerprint": features.fingerprint,
        "assumed": list(assumed),
        "absent": dict(features.absent),
        "notes": list(features.notes),
    }
    return json.dumps(report, indent=2)
