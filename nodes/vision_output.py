"""Our features as the fields that ComfyUI's own encoder gives for the same model, so that its nodes take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..clip_backend.checkpoint_info import CheckpointInfo
from ..clip_backend.image_features import ImageFeatures

if TYPE_CHECKING:
    from torch import Tensor

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

    from ..clip_backend.towers.weights import open_weights

    weights = open_weights(info)
    weight, bias = (weights.read(f"{_NORM}.{part}").to(states) for part in ("weight", "bias"))
    return layer_norm(states, (states.shape[-1],), weight, bias, info.eps)
