"""Vision models of transformers with the face of our own towers: normalised pictures to states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import linear

from ...errors import InputError
from ...imaging import Size, flattened, picture_of, tensor_to_array
from ..checkpoints.info import VisionShape
from ..preparing.preprocessing import Preprocessing
from ..towers.cpu import fast_products, has_fast_bf16

#: Numbers of each token that live at a time: its wide layer twice, queries, keys, values, norms and residual.
_LIVE_WIDTHS = 8


class HubStates(NamedTuple):
    """What a model gives for a batch; see ``VisionStates``."""

    embeds: Tensor | None
    last_hidden: Tensor | None = None
    penultimate: Tensor | None = None


class FlatBatch(NamedTuple):
    """Pictures of several shapes as rows of flat patches, filled up with zeros."""

    #: float32 [B, N, P * P * 3], normalised.
    patches: Tensor
    #: int64 [B, N]; 1 for a patch, 0 for filling.
    mask: Tensor
    #: int64 [B, 2]: rows and columns of patches.
    grids: Tensor


class HeldLinear(nn.Module):
    """A linear layer whose weights stay small; they are made float32 for the moment of the product."""

    def __init__(self, small: nn.Linear) -> None:
        super().__init__()
        self.small = small

    def forward(self, states: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs], both float32."""
        bias: Tensor | None = self.small.bias
        return linear(states, self.small.weight.float(), None if bias is None else bias.float())


def compute_in_float32(model: nn.Module) -> None:
    """Keeps the layers' large matrices as they are held and makes all the rest float32."""
    layers = [layer for part in model.modules() if isinstance(part, nn.ModuleList) for layer in part]
    matrices = {module for layer in layers for module in layer.modules() if type(module) is nn.Linear}
    parents = [
        (parent, name) for parent in model.modules() for name, child in parent.named_children() if child in matrices
    ]
    kept = [(parent, name, getattr(parent, name)) for parent, name in parents]
    for parent, name in parents:
        setattr(parent, name, nn.Identity())
    model.float()
    for parent, name, small in kept:
        setattr(parent, name, HeldLinear(small))


class HubTower(nn.Module):
    """What towers of transformers share."""

    #: The states of so many layers are held until the end.
    kept_states = 0

    def __init__(self, model: nn.Module, vision: VisionShape, tokens: int) -> None:
        super().__init__()
        self.model = model
        self._vision = vision
        #: Of one picture, with those that stand for no patch.
        self.tokens = tokens

    def memory_bytes(self, batch: int) -> int:
        """About how much memory a batch needs beside the weights."""
        numbers = 2 * self._vision.mlp + (_LIVE_WIDTHS + self.kept_states) * self._vision.width
        pixels = 3 * self._vision.patch**2
        return 4 * batch * self.tokens * (numbers + pixels)

    @property
    def place(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def settle(self) -> None:
        """On a processor that is slow or rough at the type of the weights, computes in float32 from now on."""
        held = next(self.model.parameters()).dtype
        is_slow = held == torch.float16 or (held == torch.bfloat16 and not has_fast_bf16())
        if self.place.type == "cpu" and is_slow:
            compute_in_float32(self.model)


class DinoTower(HubTower):
    """DINOv2, with registers or without, and DINOv3, for pictures of ``side`` patches."""

    def __init__(self, model: nn.Module, vision: VisionShape, side: int, registers: int) -> None:
        super().__init__(model, vision, 1 + registers + side * side)
        # transformers gives all of them if it is asked for any
        self.kept_states = vision.layers + 1
        self._side = side

    def forward(self, pixels: Tensor, *, states: bool = False) -> HubStates:
        """The class token after the final norm, of pictures float32 [B, 3, S, S], and the states of all tokens.

        Raises InputError for pictures of another size.
        """
        size = pixels.shape[-1]
        if size // self._vision.patch != self._side:
            wanted = self._side * self._vision.patch
            raise InputError(f"pictures of {size} px came to a model for {wanted} px; load it with image_size={size}")
        self.settle()
        with fast_products(self.place):
            output = self.model(pixel_values=pixels, output_hidden_states=states)
        if not states:
            return HubStates(output.pooler_output)
        return HubStates(output.pooler_output, output.hidden_states[-1], output.hidden_states[-2])

    def project(self, tokens: Tensor) -> Tensor:
        """Every token after the final norm, which is all that stands between it and an embedding."""
        model: Any = self.model
        norm: nn.Module = model.layernorm if hasattr(model, "layernorm") else model.norm
        projected: Tensor = norm(tokens)
        return projected


class NaflexTower(HubTower):
    """SigLIP 2 for pictures of any shape."""

    def forward(self, batch: FlatBatch) -> Tensor:
        """The embeddings [B, P], pooled by attention over the patches that are there."""
        self.settle()
        with fast_products(self.place):
            output = self.model(pixel_values=batch.patches, pixel_attention_mask=batch.mask, spatial_shapes=batch.grids)
        pooled: Tensor = output.pooler_output
        return pooled


#: Where the search for the scale begins and how fine it ends; other numbers give some pictures another grid than that
#: with which the model was trained. Source: big_vision's value_range of NaFlex, and transformers' Siglip2 processor.
LEAST_SCALE, MOST_SCALE, CLOSE = 1e-6, 100.0, 1e-5


def most_patches(preprocessing: Preprocessing, patch: int) -> int:
    """As many as a square picture of the preprocessing's size has."""
    return max(1, (preprocessing.size // patch) ** 2)


@lru_cache(maxsize=256)
def grid_for(size: Size, patch: int, most: int) -> tuple[int, int]:
    """Rows and columns of patches of a picture of this width and height.

    Those of the largest scale at which both sides, rounded up to whole patches, make at most ``most`` of them.
    """
    width, height = size
    low, high = LEAST_SCALE, MOST_SCALE
    while high - low >= CLOSE:
        middle = (low + high) / 2
        rows, columns = _cells(height, middle, patch), _cells(width, middle, patch)
        low, high = (middle, high) if rows * columns <= most else (low, middle)
    return _cells(height, low, patch), _cells(width, low, patch)


def _cells(side: int, scale: float, patch: int) -> int:
    return max(1, math.ceil(side * scale / patch))


def prepare_flexible(picture: Image.Image | torch.Tensor, preprocessing: Preprocessing, patch: int) -> torch.Tensor:
    """uint8 [rows * patch, columns * patch, 3]: the picture resized by Pillow to a whole number of patches.

    picture: as ``preprocessing.prepare`` takes it. Raises InputError for a picture without pixels.
    """
    import torch

    shown = picture if isinstance(picture, Image.Image) else picture_of(tensor_to_array(picture))
    if not (shown.width and shown.height):
        raise InputError(f"a picture of {shown.width} x {shown.height} pixels has nothing to see; leave it out")
    rows, columns = grid_for(shown.size, patch, most_patches(preprocessing, patch))
    resized = flattened(shown, preprocessing.background).resize(
        (columns * patch, rows * patch), Image.Resampling[preprocessing.interpolation.upper()]
    )
    return torch.from_numpy(np.array(resized))


def flat_batch(
    pictures: Sequence[torch.Tensor], preprocessing: Preprocessing, patch: int, device: torch.device
) -> FlatBatch:
    """Prepared pictures as normalised flat patches, row by row of each picture's grid, on the device."""
    import torch

    most = most_patches(preprocessing, patch)
    patches = torch.zeros(len(pictures), most, patch * patch * 3)
    mask = torch.zeros(len(pictures), most, dtype=torch.int64)
    mean, std = torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)
    grids = []
    for place, picture in enumerate(pictures):
        rows, columns = picture.shape[0] // patch, picture.shape[1] // patch
        levels = (picture.cpu().float() / 255 - mean) / std
        cells = levels.view(rows, patch, columns, patch, 3).transpose(1, 2)  # [rows, columns, patch, patch, 3]
        patches[place, : rows * columns] = cells.reshape(rows * columns, -1)
        mask[place, : rows * columns] = 1
        grids.append((rows, columns))
    return FlatBatch(patches.to(device), mask.to(device), torch.tensor(grids, device=device))
