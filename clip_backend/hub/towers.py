"""Vision models of transformers as vision towers, and the flexible batches of NaFlex."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import linear

from ...arrays import picture_of, tensor_to_array
from ...errors import InputError
from ...imaging import Size, flattened
from ..checkpoints.info import VisionShape
from ..preparing.preprocessing import Preprocessing, on_device
from ..towers.cpu import computes_on_cpu, fast_products
from ..towers.towers import VisionOutput

#: Widths of numbers that each token has in memory at a time, beside the MLP: queries, keys, values, norms, residual.
_LIVE_WIDTHS = 8


class CastingLinear(nn.Module):
    """A linear layer with 16-bit weights that are cast to float32 for each product."""

    def __init__(self, small: nn.Linear) -> None:
        super().__init__()
        self.small = small

    def forward(self, states: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs], both float32."""
        bias: Tensor | None = self.small.bias
        return linear(states, self.small.weight.float(), None if bias is None else bias.float())


class HubTower(nn.Module):
    """A vision model of transformers as a tower: what both kinds share."""

    #: How many layers' states are held until the end.
    kept_states = 0

    def __init__(self, model: nn.Module, vision: VisionShape, tokens: int) -> None:
        super().__init__()
        self.model = model
        self._vision, self.patch = vision, vision.patch
        #: Tokens of one picture, class token and registers included.
        self.tokens = tokens

    def memory_bytes(self, batch: int, device: torch.device) -> int:
        """About how much memory a batch needs on the device beside the weights."""
        numbers = 2 * self._vision.mlp + (_LIVE_WIDTHS + self.kept_states) * self._vision.width
        pixels = 3 * self.patch**2
        dtype = next(self.model.parameters()).dtype
        is_cast = device.type == "cpu" and not computes_on_cpu(dtype)
        size = 4 if is_cast else dtype.itemsize
        return batch * self.tokens * (size * numbers + 4 * pixels)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def use_float32_if_slow(self) -> None:
        """On a CPU that is slow in the dtype of the weights, computes in float32 from now on.

        The large matrices of the layers keep their dtype.
        """
        if self.device.type != "cpu" or computes_on_cpu(next(self.model.parameters()).dtype):
            return
        stacks = [module for module in self.model.modules() if isinstance(module, nn.ModuleList)]
        matrices = [
            (parent, name, child)
            for layers in stacks
            for parent in layers.modules()
            for name, child in parent.named_children()
            if type(child) is nn.Linear
        ]
        for parent, name, _ in matrices:
            setattr(parent, name, nn.Identity())
        self.model.float()
        for parent, name, small in matrices:
            setattr(parent, name, CastingLinear(small))


class DinoTower(HubTower):
    """DINOv2, with registers or without, and DINOv3, for pictures of ``side`` patches."""

    def __init__(self, model: nn.Module, vision: VisionShape, side: int, registers: int) -> None:
        super().__init__(model, vision, 1 + registers + side * side)
        # transformers returns all of them or none
        self.kept_states = vision.layers + 1
        self._side = side

    def forward(self, pixels: Tensor, *, states: bool = False) -> VisionOutput:
        """The class token after the final norm, of pictures float32 [B, 3, S, S], and the states of all tokens.

        Raises InputError for pictures of another size.
        """
        size = pixels.shape[-1]
        if size // self.patch != self._side:
            wanted = self._side * self.patch
            raise InputError(f"pictures of {size} px came to a model for {wanted} px; load it with image_size={size}")
        self.use_float32_if_slow()
        with fast_products(self.device):
            output = self.model(pixel_values=pixels, output_hidden_states=states)
        if not states:
            return VisionOutput(output.pooler_output)
        return VisionOutput(output.pooler_output, output.hidden_states[-1], output.hidden_states[-2])

    def project(self, tokens: Tensor) -> Tensor:
        """Every token after the final norm, which is the whole projection of these models."""
        model: Any = self.model
        norm: nn.Module = model.layernorm if hasattr(model, "layernorm") else model.norm
        return cast(Tensor, norm(tokens))


class NaflexTower(HubTower):
    """SigLIP 2 for pictures of any shape."""

    def forward(self, patches: Tensor, mask: Tensor, grids: Tensor) -> Tensor:
        """The embeddings [B, P] of a ``flat_batch``, pooled by attention over the patches that are there."""
        self.use_float32_if_slow()
        with fast_products(self.device):
            output = self.model(pixel_values=patches, pixel_attention_mask=mask, spatial_shapes=grids)
        return cast(Tensor, output.pooler_output)


#: Bounds and precision of the search for the scale; other numbers would give some pictures another grid than in
#: training. Source: big_vision's value_range of NaFlex, and transformers' Siglip2 processor.
LEAST_SCALE, MOST_SCALE, CLOSE = 1e-6, 100.0, 1e-5


def most_patches(preprocessing: Preprocessing, patch: int) -> int:
    """The number of patches of a square picture of the preprocessing's size."""
    return max(1, (preprocessing.size // patch) ** 2)


@lru_cache(maxsize=256)
def grid_for(size: Size, patch: int, most: int) -> tuple[int, int]:
    """Rows and columns of patches for a picture of this width and height.

    They come from the largest scale at which both sides, rounded up to whole patches, have at most ``most`` patches.
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


def prepare_flexible(picture: Image.Image | Tensor, preprocessing: Preprocessing, patch: int) -> Tensor:
    """uint8 [rows * patch, columns * patch, 3]: the picture resized by Pillow to a whole number of patches.

    picture: as ``preprocessing.prepare`` takes it. Raises InputError for a picture without pixels.
    """
    shown = picture if isinstance(picture, Image.Image) else picture_of(tensor_to_array(picture))
    if not (shown.width and shown.height):
        raise InputError(f"a picture of {shown.width} x {shown.height} pixels has nothing to see; leave it out")
    rows, columns = grid_for(shown.size, patch, most_patches(preprocessing, patch))
    resized = flattened(shown, preprocessing.background).resize(
        (columns * patch, rows * patch), Image.Resampling[preprocessing.interpolation.upper()]
    )
    return torch.from_numpy(np.array(resized))


def flat_batch(
    pictures: Sequence[Tensor], preprocessing: Preprocessing, patch: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """(patches, mask, grids) of prepared pictures of several shapes, on the device.

    patches: float32 [B, N, P * P * 3], normalised, row by row of each picture's grid, padded with zeros. mask: int64
    [B, N], 1 for a patch, 0 for padding. grids: int64 [B, 2], rows and columns of patches.
    """
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
    return on_device(patches, device), on_device(mask, device), torch.tensor(grids, device=device)
