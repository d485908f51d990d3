"""Pictures of any shape as the squares that vision encoders see."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from ...errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

#: Squares that cover one picture at most: of a strip that is longer, parts are left out.
MAX_TILES = 8


def squares(picture: Tensor, fit: str, position: float = 0.5) -> list[Tensor]:
    """The squares [S, S, C] of a picture [H, W, C]; with "squash" the picture itself, which is to be stretched.

    position: where "crop" takes its square, from 0 (left, top) to 1. Of "pad" the rest has the picture's mean color.
    Raises InputError for a picture without pixels.
    """
    height, width = int(picture.shape[0]), int(picture.shape[1])
    short, long = min(height, width), max(height, width)
    if not short:
        raise InputError(f"a picture of {width} x {height} pixels has nothing to see; leave it out")
    if fit == "squash" or short == long:
        return [picture]
    if fit == "pad":
        return [_padded(picture, long)]
    if fit == "tiles":
        count = min(MAX_TILES, ceil(long / short))
        starts = [round(at * (long - short) / (count - 1)) for at in range(count)]
    else:
        starts = [round((long - short) * position)]
    if height >= width:
        return [picture[start : start + short] for start in starts]
    return [picture[:, start : start + short] for start in starts]


def _padded(picture: Tensor, side: int) -> Tensor:
    height, width, channels = picture.shape
    mean = picture.float().mean(dim=(0, 1)).to(picture.dtype)
    canvas = mean.expand(side, side, channels).clone()
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = picture
    return canvas
