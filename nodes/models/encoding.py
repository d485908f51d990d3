"""Our features as the fields that ComfyUI's own encoder gives for the same model, so that its nodes take them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ...clip_backend.checkpoints.info import CheckpointInfo
from ...clip_backend.encoding.image_features import ImageFeatures
from ...clip_backend.preparing.recipe import Recipe
from ...errors import InputError
from ...options import option, read_options
from ..core.vision import CoreVision
from ..host.host import Host
from ..sockets.tensors import check_images
from .loaded import NodeModel

if TYPE_CHECKING:
    from torch import Tensor

    from ...clip_backend.checkpoints.info import Fit


_NORM = "vision_model.post_layernorm"


def output_fields(features: ImageFeatures, info: CheckpointInfo) -> dict[str, object]:
    """The fields of a CLIP_VISION_OUTPUT; None where the model gives no such states, which the report explains.

    ``last_hidden_state`` is before the final norm of CLIP, and after it of the others; ``image_embeds`` is the
    embedding of CLIP, the class token of DINO and all tokens of SigLIP, as ComfyUI has it. A NaFlex, whose pictures
    have token states of different shapes, gives its embedding alone.
    """
    side = features.recipe.size
    last, embeds = _last_and_embeds(features, info)
    return {
        "last_hidden_state": last,
        "image_embeds": embeds,
        "penultimate_hidden_states": features.penultimate_hidden,
        "mm_projected": None,
        "image_sizes": [(3, side, side)] * len(features),
    }


def _last_and_embeds(features: ImageFeatures, info: CheckpointInfo) -> tuple[Tensor | None, Tensor | None]:
    last, embeds = features.last_hidden, features.image_embeds
    if last is None:
        return None, embeds
    if info.family in ("dinov2", "dinov3"):
        # nothing but the final norm stands between its last states and these
        return features.require("projected_patches"), embeds
    if info.family in ("siglip", "siglip2"):
        normed = _normed(last, info)
        return normed, normed
    return last, _normed(last[:, 0], info) if embeds is None else embeds


def _normed(states: Tensor, info: CheckpointInfo) -> Tensor:
    """The states through the model's final norm [..., W]."""
    from torch.nn.functional import layer_norm

    from ...clip_backend.checkpoints.weights import open_weights

    weights = open_weights(info)
    weight, bias = (weights.read(f"{_NORM}.{part}").to(states) for part in ("weight", "bias"))
    return layer_norm(states, (states.shape[-1],), weight, bias, info.eps)


AUTO = "auto"
#: What a model of ours is asked for; the other states are parts of these. ComfyUI's last states of DINO are normed,
#: which is what "projected" means for it.
WANTS = ("embeds", "penultimate_hidden", "last_hidden")
DINO_WANTS = (*WANTS, "projected_patches")
#: ComfyUI's names for its two ways, which older workflows may hand over.
_CORE_NAMES = {"center": "crop", "none": "squash"}


@dataclass(frozen=True)
class EncodeOptions:
    """The widgets of the encoding node."""

    fit: str = option(
        AUTO,
        "How a picture becomes square: auto as the model was trained, crop its middle (ComfyUI's center), squash all "
        "of it (ComfyUI's none), pad with black",
        choices=(AUTO, "crop", "squash", "pad"),
    )
    batch_size: int = option(
        0, "Pictures computed at once; 0 takes as many as memory allows. Results do not depend on it", low=0, high=1024
    )

    @classmethod
    def of(cls, given: Mapping[str, object]) -> EncodeOptions:
        """Checked; raises InputError for a value that cannot be used."""
        known = {name: value for name, value in given.items() if value is not None}
        fit = known.get("fit")
        if isinstance(fit, str):
            known["fit"] = _CORE_NAMES.get(fit, fit)
        return read_options(cls, known)


@dataclass(frozen=True)
class EncodedPictures:
    """What the encoding node hands on."""

    #: The fields of a CLIP_VISION_OUTPUT.
    output: Mapping[str, object]
    features: ImageFeatures
    report: Mapping[str, object]

    def summary(self) -> str:
        """One line for the node."""
        told = self.features
        embedding = f"embeddings of {told.projection_dim}" if told.projection_dim else "no embedding"
        pictures = "1 picture" if len(told) == 1 else f"{len(told)} pictures"
        return f"{pictures}, {embedding}, {told.num_tokens} tokens of {told.hidden_size}"

    def report_json(self) -> str:
        """The report for other programs."""
        return json.dumps(self.report, indent=2)


def encode(
    images: Sequence[object], source: CoreVision | NodeModel, options: EncodeOptions, host: Host
) -> EncodedPictures:
    """All pictures in their order.

    images: tensors [B, H, W, C] of any sizes. Raises InputError for anything else, and for a model that sees nothing.
    """
    check_images(images)
    if isinstance(source, CoreVision):
        recipe = _fitted(source.recipe, options.fit)
        core = source.encode(images, batch_size=options.batch_size or None, progress=host.progress(), recipe=recipe)
        output, features = core.output, core.features
        return EncodedPictures(output, features, _report(features, "the CLIP_VISION", source.identity.assumed))
    features = _by_model(images, source, options, host)
    output = output_fields(features, source.info)
    return EncodedPictures(output, features, _report(features, source.name, source.encoder.identity.assumed))


def chosen_source(clip_vision: Sequence[object], model: Sequence[object], host: Host) -> CoreVision | NodeModel:
    """The one model that is connected; raises InputError for none and for several."""
    given = [one for one in (*clip_vision, *model) if one is not None]
    if not given:
        raise InputError(
            "there is nothing to encode with; connect clip_vision (from Load CLIP Vision) or model (from CLIP Model "
            "Loader)"
        )
    if len(given) > 1:
        raise InputError(f"{len(given)} models are connected to clip_vision and model; leave one of them")
    one = given[0]
    return one if isinstance(one, NodeModel) else CoreVision(one, host)


def _by_model(images: Sequence[object], model: NodeModel, options: EncodeOptions, host: Host) -> ImageFeatures:
    recipe = model.encoder.recipe
    if recipe is None:
        raise InputError(f"{model.name} reads texts alone and sees no pictures; choose a model with a vision tower")
    features = model.encoder.encode_images(
        images,
        wants=DINO_WANTS if model.info.family in ("dinov2", "dinov3") else WANTS,
        batch_size=options.batch_size or None,
        progress=host.progress(),
        recipe=_fitted(recipe, options.fit),
    )
    return with_parts(features)


def with_parts(features: ImageFeatures) -> ImageFeatures:
    """The features with the parts of the last states under their own names; they share its memory."""
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


def _fitted(recipe: Recipe, fit: str) -> Recipe:
    return recipe if fit == AUTO else replace(recipe, fit=cast("Fit", fit))


def _report(features: ImageFeatures, model: str, assumed: Sequence[str]) -> dict[str, object]:
    """Plain values alone."""
    return {
        "pictures": len(features),
        "model": model,
        "embedding": features.projection_dim,
        "hidden_size": features.hidden_size,
        "tokens": features.num_tokens,
        "grid": list(features.grid),
        "fit": features.recipe.fit,
        "size": features.recipe.size,
        "dtype": features.dtype,
        "space": features.space,
        "fingerprint": features.fingerprint,
        "assumed": list(assumed),
        "absent": dict(features.absent),
        "notes": list(features.notes),
    }
