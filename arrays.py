"""Numbers become pictures of 8 bits: arrays, tensors, and pictures of 16 bits or floats."""

from __future__ import annotations

from typing import Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .errors import InputError

#: Floats up to this are a picture of 0..1 with highlights above white; a picture of 0..255 is not as dark as this.
BRIGHTEST_HIGHLIGHT = 8
#: Numbers that are converted at a time.
_BAND_NUMBERS = 1 << 20
#: Types that numpy has and that pictures may keep; bfloat16 and the 8 bit floats go through float32.
_KEPT = ("float64", "float32", "float16", "uint8")

Pixels = NDArray[np.uint8]


@runtime_checkable
class Tensor(Protocol):
    """What is used of a torch tensor; torch itself is not imported, a tensor is known by what it can do."""

    @property
    def dtype(self) -> object:
        """Its type of number."""

    def detach(self) -> Tensor:
        """Without gradients."""

    def float(self) -> Tensor:
        """The values as float32."""

    def cpu(self) -> Tensor:
        """In main memory."""

    def numpy(self) -> NDArray[np.generic]:
        """A view as an array."""


def to_8_bit(values: NDArray[np.generic]) -> Pixels:
    """The numbers of a picture of 16 bits or floats as uint8 of the same shape, halves rounded up.

    White is 65535, but for floats 1 where none is above 8, and 255 where none is above 255. NaN is black.
    """
    # by bands of rows: a picture of 100 megapixels takes 400 MB as floats
    rows = max(1, _BAND_NUMBERS // max(1, values[:1].size))
    bands = [slice(top, top + rows) for top in range(0, len(values), rows)]
    white = 65535.0
    if values.dtype.kind == "f":
        most = max((_largest(values[band]) for band in bands), default=0.0)
        white = 1.0 if most <= BRIGHTEST_HIGHLIGHT else 255.0 if most <= 255 else 65535.0
    rounded = np.empty(values.shape, np.uint8)
    for band in bands:
        numbers = np.nan_to_num(values[band].astype(np.float32), copy=False, nan=0.0, posinf=np.inf, neginf=0.0)
        numbers *= np.float32(255 / white)
        numbers += np.float32(0.5)
        rounded[band] = np.clip(numbers, 0, 255, out=numbers)
    return rounded


def _largest(values: NDArray[np.generic]) -> float:
    """The largest number that is finite; 0 if there is none above it."""
    numbers = values.astype(np.float32)
    return float(numbers.max(initial=0.0, where=np.isfinite(numbers)))


def array_to_pixels(values: NDArray[np.generic]) -> Pixels:
    """uint8 [H, W, 3 or 4] from [H, W], or [H, W, C] with C = 1, 3 or 4.

    Floats are 0..1: outside is clipped, NaN is black, and halves round up. uint8 passes through.
    Raises InputError for other shapes and kinds of number.
    """
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or 0 in values.shape:
        raise InputError(f"a picture has the shape {values.shape}; it must be (height, width, 1, 3 or 4)")
    if values.dtype == np.uint8:
        pixels = cast(Pixels, values)
    elif values.dtype.kind == "f":
        # what overflows is infinite, and clipped like everything above 1
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.multiply(values, np.float32(255), dtype=np.float32)
        scaled += np.float32(0.5)
        # fmax, unlike maximum, answers NaN with the other operand
        np.fmax(scaled, np.float32(0), out=scaled)
        np.minimum(scaled, np.float32(255), out=scaled)
        pixels = scaled.astype(np.uint8)
    else:
        raise InputError(f"a picture holds numbers of type {values.dtype}; it must be float 0..1 or uint8")
    grey = pixels.shape[2] == 1
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)) if grey else pixels


def tensor_to_array(tensor: Tensor) -> NDArray[np.generic]:
    """The tensor's numbers; what lies in main memory, in a type that numpy has, is not copied."""
    plain = tensor.detach()
    kept = str(plain.dtype).rpartition(".")[2] in _KEPT
    return (plain if kept else plain.float()).cpu().numpy()


def picture_of(values: NDArray[np.generic]) -> Image.Image:
    """An RGB or RGBA picture from an array, as ``array_to_pixels`` reads it."""
    return Image.fromarray(np.ascontiguousarray(array_to_pixels(values)))
