"""Resizing where Pillow's own cannot be used: its filter as matrix products on any device.

Pillow filters across, rounds to 8 bits, then filters down and rounds again; since 13.0 in the other order where the
height shrinks much more than the width. Its weights are whole numbers of 22 bits, so that float64 gives its results
exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL
from numpy.typing import NDArray

from ..checkpoints.info import Interpolation

if TYPE_CHECKING:
    import torch

#: Precision of Pillow's fixed-point weights for pictures of 8 bits.
WEIGHT_BITS = 22
Floats = NDArray[np.float64]
#: Left, upper, right and lower edge, as Pillow's resize takes them.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Span:
    """The part of one side of a resized picture that is wanted, from ``start`` to before ``stop``."""

    #: Length of the side before and after resizing, in pixels.
    source: int
    resized: int
    start: int
    stop: int


def product_resize(pixels: torch.Tensor, across: Span, down: Span, interpolation: Interpolation) -> torch.Tensor:
    """uint8 [h, w, C] from uint8 [H, W, C], on its device; exactly Pillow's where there is float64."""
    part, rows, columns = _factors(pixels, across, down, interpolation)
    height_first = _is_height_first(across, down)
    between = _rounded(rows @ part if height_first else part @ columns.T)
    return _rounded(between @ columns.T if height_first else rows @ between).byte().permute(1, 2, 0).contiguous()


def float_resize(levels: torch.Tensor, across: Span, down: Span, interpolation: Interpolation) -> torch.Tensor:
    """float32 [h, w, 3] from float32 [H, W, 3], without rounding between the directions."""
    part, rows, columns = _factors(levels, across, down, interpolation)
    return (rows @ (part @ columns.T)).permute(1, 2, 0).float()


def _factors(
    pixels: torch.Tensor, across: Span, down: Span, interpolation: Interpolation
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The pixels that matter [C, H, W], and the weights of the rows [h, H] and of the columns [w, W].

    They are float64, whatever the model computes in: torch may round products of float32 to 10 bits and less.
    """
    import torch

    # Apple's GPUs have no float64
    number = torch.float32 if pixels.device.type == "mps" else torch.float64
    columns, left, right = _weights_on(pixels.device, number, across, interpolation)
    rows, top, bottom = _weights_on(pixels.device, number, down, interpolation)
    return pixels[top:bottom, left:right].permute(2, 0, 1).to(number), rows, columns


def premultiplied(levels: torch.Tensor) -> torch.Tensor:
    """uint8 [H, W, 4]: colors times opacity, from RGBA of the same type. Source: Pillow's Convert.c, rgbA2rgba."""
    import torch

    alpha = levels[:, :, 3:]
    product = levels[:, :, :3].int() * alpha + 128
    return torch.cat([((product >> 8) + product >> 8).byte(), alpha], dim=2)


def unpremultiplied(levels: torch.Tensor) -> torch.Tensor:
    """uint8 [H, W, 3]: the colors of premultiplied RGBA, uint8 [H, W, 4]; what is fully transparent stays as it is.

    Source: Pillow's Convert.c, rgba2rgbA.
    """
    import torch

    colors, alpha = levels[:, :, :3].int(), levels[:, :, 3:].int()
    scaled = (255 * colors).div(alpha.clamp(min=1), rounding_mode="floor").clamp(max=255)
    return torch.where(alpha == 0, colors, scaled).byte()


def _rounded(levels: torch.Tensor) -> torch.Tensor:
    """Whole levels of 0..255, halves rounded up as Pillow does."""
    return levels.add_(0.5).clamp_(0, 255).floor_()


def _is_height_first(across: Span, down: Span) -> bool:
    """Whether the installed Pillow filters down before it filters across.

    Source: Pillow's pull request 9549, and trials with 13.0.
    """
    if int(PIL.__version__.split(".")[0]) < 13:
        return False
    shrunk = down.source - down.resized
    return shrunk > 0 and shrunk > 2 * (across.source - across.resized)


def _weights_on(
    device: torch.device, number: torch.dtype, span: Span, interpolation: Interpolation
) -> tuple[torch.Tensor, int, int]:
    """``pillow_weights`` as a tensor."""
    import torch

    weights, first, last = pillow_weights(span, interpolation)
    return torch.from_numpy(weights).to(number).to(device), first, last


def pillow_weights(span: Span, interpolation: Interpolation) -> tuple[Floats, int, int]:
    """Weights [pixels of the part, pixels of the source from first to before last], first and last.

    Source: Pillow's Resample.c, precompute_coeffs and normalize_coeffs_8bpc.
    """
    scale = span.source / span.resized
    if interpolation == "nearest":
        return _nearest(span, scale)
    kernel, reach = _KERNELS[interpolation]
    stretch = max(scale, 1.0)
    centers = (np.arange(span.start, span.stop) + 0.5) * scale
    lows = np.maximum((centers - reach * stretch + 0.5).astype(np.int64), 0)
    highs = np.minimum((centers + reach * stretch + 0.5).astype(np.int64), span.source)
    first, last = int(lows[0]), int(highs[-1])
    positions = lows[:, None] + np.arange(int((highs - lows).max()))  # [pixels of the part, taps]
    is_inside = positions < highs[:, None]
    taps = kernel((positions - centers[:, None] + 0.5) * (1.0 / stretch)) * is_inside
    # summed one after the other, as Pillow does: numpy's sum adds in pairs, which may differ in the last bit
    taps *= 1.0 / np.add.accumulate(taps, axis=1)[:, -1:]
    whole = np.trunc(taps * 2**WEIGHT_BITS + np.where(taps < 0, -0.5, 0.5))
    weights = np.zeros((len(centers), last - first))
    pixel, tap = np.nonzero(is_inside)
    weights[pixel, positions[pixel, tap] - first] = whole[pixel, tap] / 2**WEIGHT_BITS
    return weights, first, last


def _nearest(span: Span, scale: float) -> tuple[Floats, int, int]:
    """One pixel for each; Source: Pillow's Geometry.c, ImagingScaleAffine, which adds up the scale."""
    steps = np.full(span.stop, scale)
    steps[0] = scale * 0.5
    pixels = np.add.accumulate(steps)[span.start :].astype(np.int64)
    first, last = int(pixels[0]), int(pixels[-1]) + 1
    weights = np.zeros((len(pixels), last - first))
    weights[np.arange(len(pixels)), pixels - first] = 1.0
    return weights, first, last


def _lanczos(offset: Floats) -> Floats:
    return np.where(np.abs(offset) < 3.0, np.sinc(offset) * np.sinc(offset / 3.0), 0.0)


def _box(offset: Floats) -> Floats:
    return np.where((offset > -0.5) & (offset <= 0.5), 1.0, 0.0)


def _hamming(offset: Floats) -> Floats:
    window = 0.54 + 0.46 * np.cos(np.pi * offset)
    return np.where(np.abs(offset) < 1.0, np.sinc(offset) * window, 0.0)


def _bicubic(offset: Floats) -> Floats:
    a, x = -0.5, np.abs(offset)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _bilinear(offset: Floats) -> Floats:
    return np.maximum(1.0 - np.abs(offset), 0.0)


#: The filter, and how many pixels of the result it reaches to each side.
_KERNELS: dict[Interpolation, tuple[Callable[[Floats], Floats], float]] = {
    "bicubic": (_bicubic, 2.0),
    "bilinear": (_bilinear, 1.0),
    "lanczos": (_lanczos, 3.0),
    "box": (_box, 0.5),
    "hamming": (_hamming, 1.0),
}
