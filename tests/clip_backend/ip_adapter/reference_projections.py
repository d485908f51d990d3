"""The projections of IP-Adapters in numpy and float64, written down from the published modules, one line per layer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = Mapping[str, Array]
_erf = np.vectorize(math.erf)


def gelu(x: Array) -> Array:
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def linear(w: Weights, name: str, x: Array) -> Array:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)


def layer_norm(w: Weights, name: str, x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def base(w: Weights, embeds: Array, tokens: int) -> Array:
    return layer_norm(w, "norm", linear(w, "proj", embeds).reshape(len(embeds), tokens, -1))


def full_face(w: Weights, hidden: Array) -> Array:
    return layer_norm(w, "proj.3", linear(w, "proj.2", gelu(linear(w, "proj.0", hidden))))


def mlp(w: Weights, vector: Array, tokens: int) -> Array:
    """Of FaceID, of portraits and of InstantX."""
    rows = linear(w, "proj.2", gelu(linear(w, "proj.0", vector)))
    return layer_norm(w, "norm", rows.reshape(len(vector), tokens, -1))


def perceiver(w: Weights, root: str, latents: Array, picture: Array, depth: int) -> Array:
    """Attention of the latents to picture and latents, head by head, then a feed-forward, ``depth`` times."""
    x = linear(w, f"{root}proj_in", picture)
    for layer in range(depth):
        here = f"{root}layers.{layer}."
        states, queries = layer_norm(w, f"{here}0.norm1", x), layer_norm(w, f"{here}0.norm2", latents)
        q = linear(w, f"{here}0.to_q", queries)
        keys_values = linear(w, f"{here}0.to_kv", np.concatenate([states, queries], 1))
        inner = q.shape[-1]
        k, v = keys_values[..., :inner], keys_values[..., inner:]
        heads = []
        for at in range(0, inner, 64):
            part = slice(at, at + 64)
            attention = softmax(q[..., part] @ k[..., part].swapaxes(1, 2) / math.sqrt(64))
            heads.append(attention @ v[..., part])
        latents = latents + linear(w, f"{here}0.to_out", np.concatenate(heads, -1))
        hidden = gelu(linear(w, f"{here}1.1", layer_norm(w, f"{here}1.0", latents)))
        latents = latents + linear(w, f"{here}1.3", hidden)
    return layer_norm(w, f"{root}norm_out", linear(w, f"{root}proj_out", latents))


def plus(w: Weights, hidden: Array, depth: int = 4) -> Array:
    latents = np.repeat(w["latents"], len(hidden), 0)
    return perceiver(w, "", latents, hidden, depth)


def face_plus(w: Weights, face: Array, hidden: Array, tokens: int = 4) -> Array:
    """Version 1."""
    return perceiver(w, "perceiver_resampler.", mlp(w, face, tokens), hidden, 4)


def face_plus_v2(w: Weights, face: Array, hidden: Array, structure: float = 1.0, tokens: int = 4) -> Array:
    return mlp(w, face, tokens) + structure * face_plus(w, face, hidden, tokens)
