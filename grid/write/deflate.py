"""Compressing rows of pixels for PNG and TIFF: prediction filters, and raw deflate pieces that can be joined.

The filters write into scratch memory that is valid until the same thread filters again. Everything stays uint8, with
differences modulo 256 as the formats define them; wider integers took 25 times as long.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...arrays import Pixels
from ..bands import Scratch

#: Filter types of PNG.
PLAIN, PAETH = 0, 4
#: Begin and end of a zlib stream: 32 KiB window and no dictionary; an empty last block. A checksum follows.
HEADER, END = b"\x78\x01", b"\x03\x00"
#: Shares of zero bytes after filtering, from which run lengths are encoded, and a block may be flat graphics.
SOME_ZEROS, MOSTLY_ZEROS = 0.25, 0.75
#: Flat graphics are tested on this many samples of a block, each as long as deflate's window.
SAMPLES, SAMPLE_BYTES = 3, 32768
#: The share that a search for repeats must save; it takes long, and smooth pictures gain nothing.
CLEAR_GAIN = 0.05
ADLER_BASE = 65521


def plain_rows(block: Pixels, scratch: Scratch) -> Pixels:
    """PNG rows uint8 [n, 1 + row_bytes] of filter type 0 (none) from a block [1 + n, row_bytes] as for paeth_rows."""
    rows = scratch.take("plain", (len(block) - 1, 1 + block.shape[1]))
    rows[:, 0] = PLAIN
    rows[:, 1:] = block[1:]
    return rows


def paeth_rows(block: Pixels, channels: int, scratch: Scratch) -> Pixels:
    """PNG rows uint8 [n, 1 + row_bytes] of filter type 4 from a block [1 + n, row_bytes] from the row above on.

    Source: PNG specification (third edition), 9.4.
    """
    rows = scratch.take("residuals", (len(block) - 1, 1 + block.shape[1]))
    rows[:, 0] = PAETH
    # without a left neighbour the prediction is the byte above
    np.subtract(block[1:, :channels], block[:-1, :channels], out=rows[:, 1 : 1 + channels])
    rest = rows[:, 1 + channels :]
    np.subtract(block[1:, channels:], block[:-1, :-channels], out=rest)
    _add_paeth_step(rest, block[1:, :-channels], block[:-1, channels:], block[:-1, :-channels], scratch)
    return rows


def _add_paeth_step(rest: Pixels, left: Pixels, up: Pixels, corner: Pixels, scratch: Scratch) -> None:
    """Turn `rest`, the differences to the corner (up left), into differences to Paeth's choice of left, up and corner.

    Paeth takes the neighbour nearest to left + up - corner. With low and high the smaller and the larger of left and
    up, and `fall` and `rise` the distances from the corner down to low and up to high (0 where the corner lies beyond),
    that is low where fall >= 2 rise, high where rise >= 2 fall, else the corner; ties are as in the specification.
    """
    low, high, fall, rise = (scratch.take(name, (len(rest), rest.shape[1])) for name in ("low", "high", "fall", "rise"))
    np.minimum(left, up, out=low)
    np.maximum(left, up, out=high)
    np.maximum(corner, low, out=fall)
    np.minimum(corner, high, out=rise)
    np.subtract(fall, low, out=fall)
    np.subtract(high, rise, out=rise)
    # the memory of low and high is reused for the halves, then for the choices (0 or 1)
    np.right_shift(fall, 1, out=low)
    np.right_shift(rise, 1, out=high)
    np.greater_equal(low, rise, out=low.view(np.bool_))
    np.greater_equal(high, fall, out=high.view(np.bool_))
    np.multiply(fall, low, out=fall)
    np.multiply(rise, high, out=rise)
    np.add(rest, fall, out=rest)
    np.subtract(rest, rise, out=rest)


def left_differences(block: Pixels, channels: int, scratch: Scratch) -> Pixels:
    """Each byte minus the same channel of the pixel to its left, in the block's shape (TIFF's predictor 2)."""
    rows = scratch.take("residuals", (len(block), block.shape[1]))
    rows[:, :channels] = block[:, :channels]
    np.subtract(block[:, channels:], block[:, :-channels], out=rows[:, channels:])
    return rows


@dataclass(frozen=True)
class Engine:
    """The functions of a deflate library that process every byte of a page."""

    noise: Callable[[Pixels], bytes]
    runs: Callable[[Pixels], bytes]
    crc32: Callable[[bytes, int], int]
    adler32: Callable[[memoryview], int]


def _deflate(rows: Pixels, level: int, strategy: int) -> bytes:
    """A raw deflate piece that ends on a whole byte and does not refer to earlier pieces."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    return packer.compress(rows.data) + packer.flush(zlib.Z_FULL_FLUSH)


_noise = partial(_deflate, level=1, strategy=zlib.Z_HUFFMAN_ONLY)
_runs = partial(_deflate, level=1, strategy=zlib.Z_RLE)
_repeats_fast = partial(_deflate, level=4, strategy=zlib.Z_DEFAULT_STRATEGY)
_repeats = partial(_deflate, level=6, strategy=zlib.Z_DEFAULT_STRATEGY)


def fastest_engine() -> Engine:
    """isal where it is installed, else zlib.

    isal is twice as fast; its files were 1 % smaller to 12 % larger in the benchmarks (about 6 % for photographs).
    """
    try:
        isal = importlib.import_module("isal.isal_zlib")
    except ImportError:
        return Engine(noise=_noise, runs=_runs, crc32=zlib.crc32, adler32=zlib.adler32)

    def deflate(rows: Pixels) -> bytes:
        packer = isal.compressobj(1, isal.DEFLATED, -zlib.MAX_WBITS)
        return bytes(packer.compress(rows.data) + packer.flush(isal.Z_FULL_FLUSH))

    return Engine(noise=deflate, runs=deflate, crc32=isal.crc32, adler32=isal.adler32)


def deflate_rows(filtered: Pixels, plain: Callable[[], Pixels] | None, engine: Engine) -> tuple[Pixels, bytes]:
    """The chosen rows and their deflate piece; plain makes unfiltered rows, where the format allows them per row."""
    zeros = 1 - np.count_nonzero(filtered) / filtered.size
    if zeros < SOME_ZEROS:
        return filtered, engine.noise(filtered)
    if zeros < MOSTLY_ZEROS:
        return filtered, engine.runs(filtered)
    candidates = [filtered, plain()] if plain else [filtered]
    sizes = [len(_repeats_fast(_sample(rows))) for rows in candidates]
    if min(sizes) < (1 - CLEAR_GAIN) * len(_runs(_sample(filtered))):
        rows = candidates[sizes.index(min(sizes))]
        return rows, _repeats(rows)
    # isal would save little time here and make flat blocks larger
    return filtered, _runs(filtered)


def _sample(rows: Pixels) -> Pixels:
    flat = rows.reshape(-1)
    if flat.size <= SAMPLES * SAMPLE_BYTES:
        return flat
    spread = flat[: flat.size // SAMPLES * SAMPLES].reshape(SAMPLES, -1)
    return np.ascontiguousarray(spread[:, :SAMPLE_BYTES])


def joined_adler32(first: int, second: int, second_bytes: int) -> int:
    """Adler-32 of two pieces in a row from their own checksums. Source: RFC 1950, section 8."""
    low, high = first & 0xFFFF, first >> 16
    joined_low = (low + (second & 0xFFFF) - 1) % ADLER_BASE
    joined_high = (high + (second >> 16) + second_bytes * (low - 1)) % ADLER_BASE
    return joined_high << 16 | joined_low
