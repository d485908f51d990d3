"""Pictures of a graph to a CLIP_VISION_OUTPUT, to features, and to a report of what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ..clip_backend.image_features import ImageFeatures
from ..clip_backend.preparing.recipe import Recipe
from ..errors import InputError
from ..options import option, read_options
from .core_vision import CoreVision
from .host import Host
from .loaded_model import NodeModel
from .vision_output import output_fields

if TYPE_CHECKING:
    from ..clip_backend.checkpoint_info import Fit

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


def check_images(images: Sequence[object]) -> None:
    """Raises InputError for what is no batch of pictures; paths in particular are nothing that a workflow may name."""
    import torch

    for batch in images:
        if not isinstance(batch, torch.Tensor):
            raise InputError(f"image holds a {type(batch).__name__}; connect an IMAGE output")
        if batch.ndim != 4:
            raise InputError(
                f"image holds the shape {tuple(batch.shape)}; it must be (pictures, height, width, channels): "
                "a mask goes through Convert Mask to Image first"
            )
    if not sum(len(cast("torch.Tensor", batch)) for batch in images):
        raise InputError("image holds no picture; the node before made an empty batch")


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
