"""Small adapters of every kind with random weights, and random states of pictures for them."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

from ..checkpoints.tensor_names import Shapes
from . import adapter_shapes as made

#: Of the text states, of the embedding and the states of the vision encoder, of the face; rows of its states.
CONTEXT, EMBEDS, STATES, FACE, ROWS = 64, 40, 56, 24, 9
WIDTHS = (32, 64, 64)
PAIRS = made.pairs(WIDTHS, CONTEXT)
#: The projection of each kind; all have sizes that no published adapter has, and their number of tokens.
PROJECTIONS: Mapping[str, Shapes] = {
    "base": made.linear_projection(EMBEDS, CONTEXT),
    "plus": made.resampler(STATES, 96, 3, CONTEXT, tokens=6),
    "full-face": made.full_face_projection(STATES, CONTEXT),
    "faceid": made.mlp_projection(FACE, 2 * FACE, 4, CONTEXT),
    "faceid-plus": made.face_plus(CONTEXT, into=STATES, face=FACE),
    "faceid-plus-v2": made.face_plus(CONTEXT, into=STATES, face=FACE),
    "faceid-portrait": made.mlp_projection(FACE, 2 * FACE, 16, CONTEXT),
}


def random_tensors(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Numbers from -0.5 to 0.5 on a grid of 1/512, which every float type holds; the same on every machine."""
    found: dict[str, Tensor] = {}
    for place, (name, shape) in enumerate(shapes.items()):
        steps = torch.arange(prod(shape), dtype=torch.int64)
        mixed = (steps * 2_654_435_761 + (seed + 1) * 40_503 + place * 9_176_263) % 1_000_003
        found[name] = ((mixed * 48_271 % 511 - 255).to(torch.float32) / 512).reshape(shape)
    return found


def tensors_of(kind: str, rest: Shapes = PAIRS) -> dict[str, Tensor]:
    """The tensors of a small adapter of this kind."""
    return random_tensors(PROJECTIONS[kind] | rest)


def states(name: str, count: int = 3, faces: int = 1) -> Tensor:
    """Random states of pictures: "embeds", "hidden" or "face"."""
    shape = {"embeds": (count, EMBEDS), "hidden": (count, ROWS, STATES), "face": (count, faces, FACE)}[name]
    return 4 * random_tensors({name: shape}, seed=7)[name]
