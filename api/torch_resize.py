"""LANCZOS by torch for the pictures of a sheet, where the template asks for ``resample`` torch."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from PIL import Image

from ..errors import MissingPackage
from ..grid.paint.resize import Crop, Resizer
from ..imaging import Size


def resizer_for(resample: str, *, uses_torch: bool) -> Resizer | None:
    """Torch's for ``torch``, and for ``fast`` in programs that use torch anyway, if theirs knows LANCZOS; else None.

    Raises MissingPackage for ``torch`` without a torch that knows LANCZOS.
    """
    if resample == "torch":
        return torch_resizer()
    if resample == "fast" and uses_torch:
        with suppress(MissingPackage):
            return torch_resizer()
    return None


def torch_resizer() -> Resizer:
    """(picture, size, box to show) -> picture of that size, each level at most 1 of 255 from Pillow's LANCZOS.

    Transparent pictures, boxes that do not begin and end on whole pixels, and enlarging are left to Pillow.
    Raises MissingPackage without a torch that knows LANCZOS.
    """
    try:
        import torch
        from torch.nn.functional import interpolate
    except ImportError as error:
        raise MissingPackage("resample is torch, but torch is not installed; choose fast, or install torch") from error
    try:
        interpolate(torch.zeros(1, 1, 4, 4), 2, mode="lanczos", antialias=True)
    except (ValueError, NotImplementedError) as error:
        raise MissingPackage(
            f"resample is torch, but torch {torch.__version__} does not know LANCZOS; choose fast, or install torch "
            "2.13 or newer"
        ) from error

    def resize(image: Image.Image, size: Size, box: Crop) -> Image.Image:
        is_whole = all(edge == int(edge) for edge in box)
        is_smaller = size[0] <= box[2] - box[0] and size[1] <= box[3] - box[1]
        if image.mode != "RGB" or not (is_whole and is_smaller):
            return image.resize(size, Image.Resampling.LANCZOS, box=box)
        corners = (int(box[0]), int(box[1]), int(box[2]), int(box[3]))
        part = image if corners == (0, 0, *image.size) else image.crop(corners)
        if part.size == size:
            return part
        pixels = torch.from_numpy(np.array(part)[None]).permute(0, 3, 1, 2)  # [1, 3, H, W], channels last in memory
        planes = interpolate(pixels, size=size[::-1], mode="lanczos", antialias=True)[0].numpy()  # [3, h, w]
        # not stacked by torch, whose threads would wait for each other beside those that paint
        return Image.merge("RGB", [Image.fromarray(plane) for plane in planes])

    return resize
