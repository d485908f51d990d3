"""Pictures that show nothing, told by their pixels: blank ones, such as those of a failed decode, and noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    import torch

#: "" for a picture that shows something.
Emptiness = Literal["", "blank", "noise"]
#: Why a picture that shows nothing has no label and no verdict.
EMPTY_REASONS: Mapping[Emptiness, str] = {"blank": "the picture is blank", "noise": "the picture shows noise only"}
#: Pixels of the short side of the copy that is looked at, at least; below twice as many.
SIDE = 64
#: Red, green and blue in grey (ITU-R BT.601), as Pillow weighs them.
LUMA = (0.299, 0.587, 0.114)
#: Levels of 255. Of 221 photographs and drawings the flattest has 9.1; flat grey, shades and faint noise have 3.4.
BLANK_CONTRAST = 5.0
#: The noisiest of 221 photographs and drawings, of bricks, has 0.06; noise has at most 0.01.
NOISE_CORRELATION = 0.04
#: Stripes have none across and much along them; noise has none in either direction.
STRIPES_CORRELATION = 0.2
_Floats = NDArray[np.float64]


def pixel_statistics(picture: Image.Image | torch.Tensor) -> NDArray[np.float32]:
    """Contrast and correlation of a picture, float32 [2]; see ``emptiness``.

    Contrast is the standard deviation of grey around its best-fitting plane, in levels of 255. Correlation, -1..1, is
    the smaller of those between neighbours across and down, or the larger one from 0.2 on, for stripes. Both are taken
    on a copy that averages square blocks of pixels, so that neighbours in the copy share none. Where grey is flat, the
    colour that varies most stands for it: red on a green of the same brightness is no blank picture.
    picture: PIL, or a tensor [H, W, C] with C = 1, 3 or 4, floats of 0..1 or uint8.
    """
    colours = _block_means(picture)  # [C, h, w]
    plane = np.average(colours, axis=0, weights=LUMA if len(colours) == len(LUMA) else None)
    contrast = _contrast(plane)
    if contrast < BLANK_CONTRAST:
        contrasts = [_contrast(colour) for colour in colours]
        contrast, plane = max(contrasts), colours[int(np.argmax(contrasts))]
    return np.array([contrast, _correlation(plane)], np.float32)


def emptiness(statistics: NDArray[np.float32]) -> Emptiness:
    """Whether a picture of these ``pixel_statistics`` [2] is blank or noise."""
    contrast, correlation = statistics.tolist()
    if contrast < BLANK_CONTRAST:
        return "blank"
    return "noise" if correlation < NOISE_CORRELATION else ""


def emptiness_of_each(statistics: NDArray[np.float32] | None, count: int) -> tuple[Emptiness, ...]:
    """The emptiness of each of ``count`` pictures; nothing is known of pictures without ``statistics`` [N, 2]."""
    each: list[Emptiness] = [""] * count if statistics is None else [emptiness(row) for row in statistics]
    return tuple(each)


def _block_means(picture: Image.Image | torch.Tensor) -> _Floats:
    """Means of whole blocks [C, h, w] in levels of 255, of red, green and blue or of one grey."""
    if isinstance(picture, Image.Image):
        block = max(1, min(picture.size) // SIDE)
        width, height = (side - side % block for side in picture.size)
        colour = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
        means = np.asarray(colour.reduce(block, (0, 0, width, height)), np.float64)
        return means[None] if means.ndim == 2 else means.transpose(2, 0, 1)
    block = max(1, min(picture.shape[:2]) // SIDE)
    height, width = (int(side) // block for side in picture.shape[:2])
    scale = 1.0 if str(picture.dtype) == "torch.uint8" else 255.0
    blocks = picture[: height * block, : width * block, :3].float().reshape(height, block, width, block, -1)
    tensor: _Floats = blocks.mean(dim=(1, 3)).permute(2, 0, 1).cpu().numpy().astype(np.float64) * scale
    return tensor


def _contrast(plane: _Floats) -> float:
    """The standard deviation around the plane of least squares."""
    y, x = (axis - axis.mean() for axis in np.mgrid[: plane.shape[0], : plane.shape[1]].astype(np.float64))
    rest = plane - plane.mean()
    # the axes are orthogonal, so that each slope stands alone
    for axis in (y, x):
        if axis.any():
            rest = rest - axis * (axis * rest).sum() / (axis * axis).sum()
    return float(rest.std())


def _correlation(plane: _Floats) -> float:
    """The correlation of neighbours; 1 where there are none, or all are equal."""
    smaller, larger = sorted((_neighbours(plane[:, 1:], plane[:, :-1]), _neighbours(plane[1:], plane[:-1])))
    return larger if larger >= STRIPES_CORRELATION else smaller


def _neighbours(one: _Floats, other: _Floats) -> float:
    if one.size < 2 or not (one.std() and other.std()):
        return 1.0
    return float(((one - one.mean()) * (other - other.mean())).mean() / (one.std() * other.std()))
