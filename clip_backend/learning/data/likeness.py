"""What tells pictures that are the same, nearly the same, or parts of each other, from their pixels alone."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....imaging import content_hash

Bytes = NDArray[np.uint8]
#: Pixels of the side of the grey copy whose spectrum is taken, and of the square of low frequencies that count.
_GREY, _LOW = 32, 8
#: Pixels of the side of the coloured copy.
SMALL = 8
#: A hidden structure of flat pictures would be rounding: those below this standard deviation, in levels, have none.
_LEAST_CONTRAST = 2.0
#: Side of the blocks that parts of a picture are known by, the most that are kept, and one of how many is looked at.
_BLOCK, MOST_BLOCKS, _ONE_OF = 8, 128, 97
#: Shades that a block must have: edges between flat colours are alike in drawings that have nothing else in common.
_LEAST_SHADES = 16
#: A pattern that repeats itself has more, and no part of it tells where it was.
_MOST_PLACES = 500_000
#: Pictures are looked for parts in at most so many pixels, from the top.
_MOST_PIXELS = 16_000_000
BLOCK = np.dtype([("hash", "<u4"), ("x", "<u2"), ("y", "<u2")])


@dataclass(frozen=True, eq=False)
class Signature:
    """What one picture is recognised by."""

    #: Hash of the file's bytes, after the algorithm's name; of the pixels where the file is too large to hold.
    hash: str
    #: Hash of the upright pixels and the size.
    pixels: str
    #: Width to height.
    aspect: float
    #: 63 bits as 0 and 1 [63]: which low frequencies of grey are above their median; None for a flat picture.
    bits: Bytes | None
    #: A copy in colour, uint8 [8, 8, 3].
    small: Bytes
    #: Blocks of 8 x 8 pixels with much in them, chosen by their content: ``BLOCK`` [up to 128].
    blocks: NDArray[Any]

    @classmethod
    def of(cls, picture: Image.Image, hash: str) -> Signature:
        """The signature of a decoded picture, RGB or RGBA. hash: of its file's bytes, if they were read."""
        shown = picture.convert("RGB")
        grey = shown.convert("L")
        size = f"{picture.mode} {picture.width} {picture.height} "
        pixels = content_hash(size.encode() + picture.tobytes())
        return cls(
            hash or pixels,
            pixels,
            picture.width / picture.height,
            _bits(grey),
            np.asarray(shown.resize((SMALL, SMALL), Image.Resampling.BOX, reducing_gap=None)),
            _blocks(np.asarray(grey)),
        )

    def to_dict(self) -> dict[str, Any]:
        """For a file of splits."""
        return {
            "hash": self.hash, "pixels": self.pixels, "aspect": round(self.aspect, 6),
            "bits": None if self.bits is None else _text(np.packbits(self.bits)),
            "small": _text(self.small), "blocks": _text(self.blocks),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Signature:
        """What ``to_dict`` wrote; raises KeyError, TypeError or ValueError for anything else."""
        bits, small = values["bits"], _array(values["small"], np.dtype(np.uint8))
        return cls(
            str(values["hash"]),
            str(values["pixels"]),
            float(values["aspect"]),
            None if bits is None else np.unpackbits(_array(bits, np.dtype(np.uint8)), count=_LOW * _LOW - 1),
            small.reshape(SMALL, SMALL, 3),
            _array(values["blocks"], BLOCK),
        )


def _text(array: NDArray[Any]) -> str:
    return b64encode(array.tobytes()).decode("ascii")


def _array(text: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.frombuffer(b64decode(text, validate=True), dtype)


def _bits(grey: Image.Image) -> Bytes | None:
    """The perceptual hash: signs of the low frequencies around their median (pHash; Zauner 2010)."""
    values = np.asarray(grey.resize((_GREY, _GREY), Image.Resampling.BOX), np.float64)
    if values.std() < _LEAST_CONTRAST:
        return None
    cosines = _cosines()
    # without the mean, which every brightening changes
    low = (cosines @ values @ cosines.T).ravel()[1:]
    bits: Bytes = (low > np.median(low)).astype(np.uint8)
    return bits


def mirrored(bits: Bytes) -> Bytes:
    """The bits of the same picture with left and right exchanged, up to frequencies near the median.

    Odd horizontal frequencies change their sign.
    """
    odd = (np.arange(1, _LOW * _LOW) % _LOW) % 2 == 1
    turned: Bytes = np.where(odd, 1 - bits, bits).astype(np.uint8)
    return turned


@cache
def _cosines() -> NDArray[np.float64]:
    """The first rows of the discrete cosine transform of type II [8, 32]."""
    places = np.arange(_GREY) + 0.5
    waves: NDArray[np.float64] = np.cos(np.pi / _GREY * np.arange(_LOW)[:, None] * places[None])
    return waves


def _blocks(grey: Bytes) -> NDArray[Any]:
    """Blocks chosen by the pixels at their upper left corner, so that a crop chooses the same ones.

    Of all that have enough shades, those with the smallest hashes: a sample of the picture, and a crop has its share
    of it (bottom-k sketch; Broder 1997).
    """
    grey = grey[: max(_BLOCK, _MOST_PIXELS // max(1, grey.shape[1]))]
    height, width = grey.shape
    none = np.zeros(0, BLOCK)
    if min(height, width) < _BLOCK or max(height, width) > 65535:
        return none
    corner = grey[: height - _BLOCK + 1, : width - _BLOCK + 1].astype(np.uint32)
    # four pixels along the diagonal stand for the block until few are left
    for step in (1, 3, 6):
        part = grey[step : height - _BLOCK + 1 + step, step : width - _BLOCK + 1 + step]
        corner *= np.uint32(2654435761)
        corner += part
    corner *= np.uint32(2246822519)
    # where all is flat, either every place would be chosen or none
    is_flat = grey[3 : height - _BLOCK + 4, 3 : width - _BLOCK + 4] == grey[: height - _BLOCK + 1, : width - _BLOCK + 1]
    y, x = np.nonzero((corner < np.uint32(2**32 // _ONE_OF)) & ~is_flat)
    if not 0 < len(y) <= _MOST_PLACES:
        return none
    steps = np.arange(_BLOCK)
    found = grey[(y[:, None, None] + steps[:, None]), (x[:, None, None] + steps)].reshape(len(y), -1)
    ordered = np.sort(found, axis=1)
    has_shades = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1) >= _LEAST_SHADES
    hashes = found[has_shades].astype(np.uint64) @ _odd_numbers()
    hashes ^= hashes >> np.uint64(31)
    hashes *= np.uint64(0x9E3779B97F4A7C15)
    _, firsts = np.unique((hashes >> np.uint64(32)).astype(np.uint32), return_index=True)
    firsts = firsts[:MOST_BLOCKS]
    blocks = np.zeros(len(firsts), BLOCK)
    blocks["hash"], blocks["x"], blocks["y"] = (
        hashes[firsts] >> np.uint64(32),
        x[has_shades][firsts],
        y[has_shades][firsts],
    )
    return blocks


@cache
def _odd_numbers() -> NDArray[np.uint64]:
    """A fixed odd number for each pixel of a block [64]."""
    numbers = np.random.Generator(np.random.PCG64(8)).integers(0, 2**63, _BLOCK * _BLOCK, np.uint64)
    odd: NDArray[np.uint64] = numbers * np.uint64(2) + np.uint64(1)
    return odd
