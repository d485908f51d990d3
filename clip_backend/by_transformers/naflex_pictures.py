"""Pictures for NaFlex models: they keep their shape and are cut into about as many patches each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ...errors import InputError
from ...imaging import Size, flattened, picture_of, tensor_to_array
from ..preparing.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from .transformers_towers import FlatBatch

#: Where the search for the scale begins and how fine it ends; other numbers give some pictures another grid than that
#: with which the model was trained. Source: big_vision's value_range of NaFlex, and transformers' Siglip2 processor.
LEAST_SCALE, MOST_SCALE, CLOSE = 1e-6, 100.0, 1e-5


def most_patches(recipe: Recipe, patch: int) -> int:
    """As many as a square picture of the recipe's size has."""
    return max(1, (recipe.size // patch) ** 2)


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


def prepare_flexible(picture: Image.Image | torch.Tensor, recipe: Recipe, patch: int) -> torch.Tensor:
    """uint8 [rows * patch, columns * patch, 3]: the picture resized by Pillow to a whole number of patches.

    picture: as ``preprocess.prepare`` takes it. Raises InputError for a picture without pixels.
    """
    import torch

    shown = picture if isinstance(picture, Image.Image) else picture_of(tensor_to_array(picture))
    if not (shown.width and shown.height):
        raise InputError(f"a picture of {shown.width} x {shown.height} pixels has nothing to see; leave it out")
    rows, columns = grid_for(shown.size, patch, most_patches(recipe, patch))
    resized = flattened(shown, recipe.background).resize(
        (columns * patch, rows * patch), Image.Resampling[recipe.interpolation.upper()]
    )
    return torch.from_numpy(np.array(resized))


def flat_batch(pictures: Sequence[torch.Tensor], recipe: Recipe, patch: int, device: torch.device) -> FlatBatch:
    """Prepared pictures as normalised flat patches, row by row of each picture's grid, on the device."""
    import torch

    from .transformers_towers import FlatBatch

    most = most_patches(recipe, patch)
    patches = torch.zeros(len(pictures), most, patch * patch * 3)
    mask = torch.zeros(len(pictures), most, dtype=torch.int64)
    mean, std = torch.tensor(recipe.mean), torch.tensor(recipe.std)
    grids = []
    for place, picture in enumerate(pictures):
        rows, columns = picture.shape[0] // patch, picture.shape[1] // patch
        levels = (picture.cpu().float() / 255 - mean) / std
        cells = levels.view(rows, patch, columns, patch, 3).transpose(1, 2)  # [rows, columns, patch, patch, 3]
        patches[place, : rows * columns] = cells.reshape(rows * columns, -1)
        mask[place, : rows * columns] = 1
        grids.append((rows, columns))
    return FlatBatch(patches.to(device), mask.to(device), torch.tensor(grids, device=device))
