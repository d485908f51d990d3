"""Pillow's resizing, computed as products of matrices: only the part that is wanted, on any device of torch.

Pillow filters across, rounds to 8 bits, then filters down and rounds again; since 13.0 the other way round where the
height shrinks much more than the width. Its weights are whole numbers of 22 bits,
so float64 gives its results exactly, and float32 all but one in some thousand, which are one level beside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from ...errors import MissingPackage
from ...imaging import Pixels, Size
from ..checkpoints.info import Interpolation

if TYPE_CHECKING:
    import torch


#: Of Pillow's weights for pictures of 8 bits.
WEIGHT_BITS = 22
#: Rows of the result per product: few enough that hardly a zero is multiplied, and that one thread computes it.
BLOCK = 4
#: Rows of the picture per step, so that what is between stays in the processor's cache.
STRIP = 128
#: Rounds up at a half, as Pillow does.
HALF = 0.5
#: Of ratios with fewer different rows of weights, float32 decides too many exact halves wrongly, as of 3 to 2.
LEAST_PHASES = 7
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Span:
    """What part of one side of a resized picture is wanted."""

    #: Pixels of the picture, of the resized picture, and where in the latter the part begins and ends.
    source: int
    resized: int
    start: int
    stop: int


@dataclass(frozen=True)
class Block:
    """Some rows of the result, as a product of weights and rows of the source."""

    start: int
    stop: int
    #: Rows of the source, counted from the first that any block needs.
    first: int
    last: int
    weights: Floats


@dataclass(frozen=True)
class Filter:
    """All blocks of one side, and the rows of the source that they need."""

    first: int
    last: int
    blocks: tuple[Block, ...]


def part_resize(
    image: Image.Image, across: Span, down: Span, interpolation: Interpolation, *, exact: bool = False
) -> Pixels:
    """uint8 [h, w, 3] of an RGB picture, on one thread of the processor.

    exact: equal to Pillow's; else at least 99.9 % of the pixels are, and the others are one level beside.
    """
    if is_down_first(across, down):
        turned = image.transpose(Image.Transpose.TRANSPOSE)
        return np.ascontiguousarray(_resize(turned, down, across, interpolation, exact=exact).swapaxes(0, 1))
    return _resize(image, across, down, interpolation, exact=exact)


def is_down_first(across: Span, down: Span) -> bool:
    """Whether the installed Pillow filters down before it filters across.

    Source: Pillow's pull request 9549, and trials with 13.0.
    """
    if int(PIL.__version__.split(".")[0]) < 13:
        return False
    shrunk = down.source - down.resized
    return shrunk > 0 and shrunk > 2 * (across.source - across.resized)


def _resize(image: Image.Image, across: Span, down: Span, interpolation: Interpolation, *, exact: bool) -> Pixels:
    spans = across, down
    columns, rows = (_filter(span, interpolation, exact or not _is_safe(span, interpolation)) for span in spans)
    width, number = across.stop - across.start, rows.blocks[0].weights.dtype
    between = np.empty((rows.last - rows.first, width, 3), number)
    for top in range(rows.first, rows.last, STRIP):
        bottom = min(top + STRIP, rows.last)
        part = image.crop((columns.first, top, columns.last, bottom)).transpose(Image.Transpose.TRANSPOSE)
        strip = np.array(part, dtype=columns.blocks[0].weights.dtype).reshape(
            columns.last - columns.first, -1
        )  # [columns, rows * 3]
        levels = _apply(columns, strip).reshape(width, bottom - top, 3)
        between[top - rows.first : bottom - rows.first] = levels.swapaxes(0, 1)
    return _apply(rows, between.reshape(len(between), -1)).reshape(-1, width, 3)


def device_resize(pixels: torch.Tensor, across: Span, down: Span, interpolation: Interpolation) -> torch.Tensor:
    """uint8 [h, w, 3] from uint8 [H, W, 3], where the picture lies; exactly Pillow's where there is float64."""
    import torch

    number = torch.float32 if pixels.device.type == "mps" else torch.float64  # Apple's GPUs have no float64
    columns, left, right = _dense(across, interpolation, pixels.device, number)
    rows, top, bottom = _dense(down, interpolation, pixels.device, number)
    part = pixels[top:bottom, left:right].permute(2, 0, 1).to(number)  # [3, H, W]
    is_turned = is_down_first(across, down)
    between = (rows @ part if is_turned else part @ columns.T).add_(HALF).clamp_(0, 255).floor_()
    levels = (between @ columns.T if is_turned else rows @ between).add_(HALF).clamp_(0, 255)  # [3, h, w]
    return levels.to(torch.uint8).permute(1, 2, 0).contiguous()


def float_resize(levels: torch.Tensor, across: Span, down: Span, interpolation: Interpolation) -> torch.Tensor:
    """float32 [h, w, 3] from float32 [H, W, 3], without rounding between the directions."""
    columns, left, right = _dense(across, interpolation, levels.device, levels.dtype)
    rows, top, bottom = _dense(down, interpolation, levels.device, levels.dtype)
    part = levels[top:bottom, left:right].permute(2, 0, 1)  # [3, H, W]
    return (rows @ (part @ columns.T)).permute(1, 2, 0)


def _dense(
    span: Span, interpolation: Interpolation, device: torch.device, number: torch.dtype
) -> tuple[torch.Tensor, int, int]:
    """All weights of a side [part of the result, part of the source], and where the latter begins and ends."""
    import torch

    whole, first, last = _wanted_weights(span, interpolation)
    return torch.from_numpy(whole / 2**WEIGHT_BITS).to(number).to(device), first, last


def _apply(side: Filter, values: Floats) -> Pixels:
    """uint8 [rows of the result, N] from the needed rows of the source [rows, N]."""
    product = np.empty((side.blocks[-1].stop, values.shape[1]), values.dtype)
    for block in side.blocks:
        np.matmul(block.weights, values[block.first : block.last], out=product[block.start : block.stop])
    product += product.dtype.type(HALF)
    np.clip(product, 0, 255, out=product)
    return product.astype(np.uint8)


def _is_safe(span: Span, interpolation: Interpolation) -> bool:
    """Whether exact halves, which the rounding of Pillow's weights decides, are rare enough for float32."""
    return interpolation == "bicubic" and span.resized // gcd(span.source, span.resized) >= LEAST_PHASES


@lru_cache(maxsize=256)
def _filter(span: Span, interpolation: Interpolation, exact: bool) -> Filter:
    whole, first, last = _wanted_weights(span, interpolation)
    weights = (whole / 2**WEIGHT_BITS).astype(np.float64 if exact else np.float32)
    blocks = []
    for start in range(0, len(weights), BLOCK):
        part = weights[start : start + BLOCK]
        used = np.flatnonzero(part.any(axis=0))
        low, high = int(used[0]), int(used[-1]) + 1
        blocks.append(Block(start, start + len(part), low, high, np.ascontiguousarray(part[:, low:high])))
    return Filter(first, last, tuple(blocks))


def _wanted_weights(span: Span, interpolation: Interpolation) -> tuple[NDArray[np.float64], int, int]:
    """Whole numbers [rows of the result, rows of the source from first to last], first and last.

    Source: Pillow's Resample.c, precompute_coeffs and normalize_coeffs_8bpc.
    """
    kernel, reach = _KERNELS[interpolation]
    scale = span.source / span.resized
    stretch = max(scale, 1.0)
    centers = (np.arange(span.start, span.stop) + 0.5) * scale
    lows = np.maximum((centers - reach * stretch + 0.5).astype(np.int64), 0)
    highs = np.minimum((centers + reach * stretch + 0.5).astype(np.int64), span.source)
    first, last = int(lows[0]), int(highs[-1])
    columns = np.arange(int((highs - lows).max()))
    places = lows[:, None] + columns  # [rows, taps]
    inside = places < highs[:, None]
    taps = kernel((places - centers[:, None] + 0.5) * (1.0 / stretch)) * inside
    taps *= 1.0 / _sums(taps)[:, None]
    whole = np.trunc(taps * 2**WEIGHT_BITS + np.where(taps < 0, -0.5, 0.5))
    dense = np.zeros((len(centers), last - first))
    row, tap = np.nonzero(inside)
    dense[row, places[row, tap] - first] = whole[row, tap]
    return dense, first, last


def _sums(taps: NDArray[np.float64]) -> NDArray[np.float64]:
    # one after the other, as Pillow does: numpy's sum pairs them, which may differ in the last bit
    sums: NDArray[np.float64] = np.add.accumulate(taps, axis=1)[:, -1]
    return sums


def _bicubic(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    a, x = -0.5, np.abs(offset)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _bilinear(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1.0 - np.abs(offset), 0.0)


_Kernel = Callable[[NDArray[np.float64]], NDArray[np.float64]]
#: The filter, and how many pixels of the result it reaches to each side.
_KERNELS: dict[Interpolation, tuple[_Kernel, float]] = {"bicubic": (_bicubic, 2.0), "bilinear": (_bilinear, 1.0)}
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
