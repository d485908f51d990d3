"""Resizing by torch: the same LANCZOS filter as Pillow's, about ten times as fast, for who has torch anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..errors import MissingPackage
from ..imaging import Size

if TYPE_CHECKING:
    from collections.abc import Callable

Crop = tuple[float, float, float, float]


def torch_resizer() -> Callable[[Image.Image, Size, Crop], Image.Image]:
    """(picture, size, part that is shown) -> picture of that size, at most one level of 255 beside Pillow's LANCZOS.

    Transparent pictures, parts that do not begin and end on whole pixels, and enlarging are left to Pillow.
    Raises MissingPackage without a torch that knows LANCZOS.
    """
    try:
        import torch
        from torch.nn.functional import interpolate
    except ImportError as error:
        raise MissingPackage("resample is torch, but torch is not installed; choose fast, or install torch") from error
    _check_lanczos(torch.__version__, lambda: interpolate(torch.zeros(1, 1, 4, 4), 2, mode="lanczos", antialias=True))

    def resize(image: Image.Image, size: Size, crop: Crop) -> Image.Image:
        whole = all(edge == int(edge) for edge in crop)
        smaller = size[0] <= crop[2] - crop[0] and size[1] <= crop[3] - crop[1]
        if image.mode != "RGB" or not (whole and smaller):
            return image.resize(size, Image.Resampling.LANCZOS, box=crop)
        part = image.crop((int(crop[0]), int(crop[1]), int(crop[2]), int(crop[3])))
        if part.size == size:
            return part
        pixels = torch.from_numpy(np.array(part)).permute(2, 0, 1)[None]  # [1, 3, H, W], channels last in memory
        resized = interpolate(pixels, size=size[::-1], mode="lanczos", antialias=True)
        return Image.fromarray(resized[0].permute(1, 2, 0).contiguous().numpy())  # [h, w, 3]

    return resize


def _check_lanczos(version: str, try_it: Callable[[], object]) -> None:
    try:
        try_it()
    except (ValueError, NotImplementedError) as error:
        raise MissingPackage(
            f"resample is torch, but torch {version} does not know LANCZOS; choose fast, or install torch 2.13 or newer"
        ) from error
