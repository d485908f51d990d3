"""From what a vision encoder or a face model gives of pictures to the tokens that the attention reads.

Formulas: the reference implementation of Tencent (linear, MLP, FaceID, FaceID Plus), and its Resampler, a perceiver
of 4 layers. Everything is computed in float32; results differ from those of diffusers by 1e-6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

from ...errors import InputError
from .detection import AdapterInfo
from .encoders import encoder_cure, encoder_of
from .projection_shapes import HEAD_WIDTH, PERCEIVER, ProjectionSizes
from .variants import FACE_WIDTH
from .weights import Adapter

#: Weights that are turned into float32 at once: 64 MB, of the 2.4 GB that the largest product has.
_NUMBERS_AT_ONCE = 16_000_000
_WHAT = {
    "embeds": "the embedding of a picture", "hidden": "the states of a picture before the last layer",
    "face": "the vector of a face",
}  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class States:
    """What is known of N pictures; an adapter reads one or two of these."""

    #: [N, P]: the projected embedding, not normalised; of SigLIP the output of its pooling.
    embeds: Tensor | None = None
    #: [N, T, W]: of all tokens before the last layer, without the last norm.
    hidden: Tensor | None = None
    #: [N, 512], or [N, F, 512] of F faces: from a face recognition model.
    face: Tensor | None = None

    def __len__(self) -> int:
        return next((len(one) for one in (self.embeds, self.hidden, self.face) if one is not None), 0)


def project(adapter: Adapter, states: States, *, face_structure: float = 1.0) -> Tensor:
    """The tokens of each picture [N, T, width of a token] in float32, on the device of the states.

    Several faces of a picture give their tokens one after the other; those of "portrait unnorm" go in together.
    face_structure: of FaceID Plus v2, how much the states of the picture add to the face; 1 is the reference.
    Raises InputError for states that are missing, of another width than the adapter reads, or not finite.
    """
    info = adapter.info
    info.check_usable()
    checked = checked_states(info, states)
    weights = _Weights(adapter.image_proj, info.sizes)
    match info.projection:
        case "linear":
            return weights.linear_tokens(checked["embeds"])
        case "pooled-mlp":
            return weights.mlp_tokens(checked["embeds"])
        case "token-mlp":
            return weights.norm("proj.3", weights.two_products(checked["hidden"]))
        case "face-mlp":
            return weights.mlp_tokens(checked["face"])
        case "resampler":
            picture = checked["face"] if info.picture_input == "face" else checked["hidden"]
            latents = weights.float("latents", picture.device).expand(len(picture), -1, -1)
            return weights.resampled("", latents, picture)
        case _:
            face = weights.mlp_tokens(checked["face"])
            resampled = weights.resampled(PERCEIVER, face, checked["hidden"])
            return face + face_structure * resampled if info.variant.name == "faceid-plus-v2" else resampled


def unconditional_states(adapter: Adapter, states: States, blank: Tensor | None = None) -> States:
    """What the unconditional side of guidance reads beside these states: zeros, and for hidden states ``blank``.

    blank: [1 or N, T, W] of a blank picture. The reference takes zeros after preprocessing, which are a picture in the
    mean color; ComfyUI_IPAdapter_plus a black picture before preprocessing. Raises InputError where it is needed and
    missing (``needs_hidden``).
    """
    if needs_hidden(adapter.info) and blank is None:
        raise InputError(
            f"{adapter.info.label} needs the states of a blank picture for the unconditional side, which come with the "
            "references of pictures, but not with tensors of another pack; encode the pictures anew"
        )
    count = len(states)
    return States(
        embeds=None if states.embeds is None else torch.zeros_like(states.embeds),
        hidden=None if blank is None else blank.expand(count, -1, -1),
        face=None if states.face is None else torch.zeros_like(states.face),
    )


def needs_hidden(info: AdapterInfo) -> bool:
    """Whether it reads the states of a picture before the last layer of the vision encoder."""
    return "penultimate" in info.picture_input


class _Weights:
    """The tensors of a projection, and the products and norms that it is made of."""

    def __init__(self, tensors: Mapping[str, Tensor], sizes: ProjectionSizes) -> None:
        self._tensors, self._sizes = tensors, sizes

    def float(self, name: str, device: torch.device) -> Tensor:
        return self._tensors[name].to(device=device, dtype=torch.float32)

    def product(self, name: str, x: Tensor) -> Tensor:
        """A linear layer, whose largest weights are turned into float32 in parts."""
        weight, bias = self._tensors[f"{name}.weight"], self._tensors.get(f"{name}.bias")
        step = max(1, _NUMBERS_AT_ONCE // weight.shape[1])
        starts = range(0, weight.shape[0], step)
        parts = [linear(x, weight[at : at + step].to(device=x.device, dtype=torch.float32)) for at in starts]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        return whole if bias is None else whole + bias.to(device=x.device, dtype=torch.float32)

    def norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = (self.float(f"{name}.{part}", x.device) for part in ("weight", "bias"))
        return layer_norm(x, x.shape[-1:], weight, bias)

    def linear_tokens(self, x: Tensor) -> Tensor:
        """[N, P] to [N, T, width]."""
        return self.norm("norm", self.product("proj", x).reshape(len(x), -1, self._sizes.token_width))

    def two_products(self, x: Tensor) -> Tensor:
        return self.product("proj.2", gelu(self.product("proj.0", x)))

    def mlp_tokens(self, x: Tensor) -> Tensor:
        """[N, P] to [N, T, width]; [N, F, P] of F faces to [N, F * T, width]."""
        return self.norm("norm", self.two_products(x).reshape(len(x), -1, self._sizes.token_width))

    def resampled(self, root: str, latents: Tensor, picture: Tensor) -> Tensor:
        """The latents [N, T, W] after each layer has read the states of the picture [N, S, input width]."""
        picture = self.product(f"{root}proj_in", picture)
        for layer in range(self._sizes.depth):
            here = f"{root}layers.{layer}."
            latents = latents + self._attention(f"{here}0.", latents, picture)
            hidden = gelu(self.product(f"{here}1.1", self.norm(f"{here}1.0", latents)))
            latents = latents + self.product(f"{here}1.3", hidden)
        return self.norm(f"{root}norm_out", self.product(f"{root}proj_out", latents))

    def _attention(self, here: str, latents: Tensor, picture: Tensor) -> Tensor:
        latents = self.norm(f"{here}norm2", latents)
        states = torch.cat([self.norm(f"{here}norm1", picture), latents], dim=1)
        key, value = self.product(f"{here}to_kv", states).chunk(2, dim=-1)
        query, key, value = (
            one.reshape(*one.shape[:2], -1, HEAD_WIDTH).transpose(1, 2)
            for one in (self.product(f"{here}to_q", latents), key, value)
        )
        read = scaled_dot_product_attention(query, key, value)
        return self.product(f"{here}to_out", read.transpose(1, 2).flatten(2))


def checked_states(info: AdapterInfo, states: States) -> dict[str, Tensor]:
    """The states that an adapter reads by name, in float32, of faces [N, F, width]; raises as ``project``."""
    sizes = info.sizes
    wanted: dict[str, int] = {}
    if info.picture_input in ("embeds", "pooled"):
        wanted["embeds"] = sizes.input_width
    if needs_hidden(info):
        wanted["hidden"] = sizes.input_width
    if "face" in info.picture_input:
        wanted["face"] = sizes.face_width or sizes.input_width
    return {name: _state(info, name, getattr(states, name), width) for name, width in wanted.items()}


def _state(info: AdapterInfo, name: str, given: Tensor | None, width: int) -> Tensor:
    what, adapter = _WHAT[name], f"{info.label} ({info.variant.title})"
    if given is None:
        raise InputError(f"{adapter} reads {what}, which is missing; {_cure(info, name)}")
    if name == "face" and given.ndim == 2:
        given = given[:, None]
    dimensions = 2 if name == "embeds" else 3
    if given.ndim != dimensions or 0 in given.shape:
        shape = f"has the shape {list(given.shape)}; it must have {dimensions} dimensions, none of them 0"
        raise InputError(f"{adapter} reads {what}, which {shape}")
    if given.shape[-1] != width:
        raise InputError(
            f"{adapter} reads {what} of {width} dimensions, but was given {given.shape[-1]}"
            f"{_source(name, given.shape[-1])}; {_cure(info, name)}"
        )
    if name == "face" and given.shape[1] > 1 and needs_hidden(info):
        raise InputError(f"{adapter} reads one face of a picture, but was given {given.shape[1]}; give the faces apart")
    if not bool(torch.isfinite(given).all()):
        reason = "holds numbers that are not finite; encode it again in float32 or bfloat16"
        raise InputError(f"{adapter} reads {what}, which {reason}")
    return given.to(torch.float32)


def _source(name: str, width: int) -> str:
    """Which vision encoder gives so many numbers, in brackets; empty if none is known."""
    encoder = None if name == "face" else encoder_of("embeds" if name == "embeds" else "penultimate", width)
    return f" (as {encoder.title} gives them)" if encoder else ""


def _cure(info: AdapterInfo, name: str) -> str:
    if name == "face":
        return f"give vectors of {FACE_WIDTH} dimensions from a face recognition model such as InsightFace's"
    return encoder_cure(info)
