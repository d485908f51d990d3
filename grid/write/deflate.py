"""What is left of pixels when each byte is predicted from its neighbours: small numbers, which deflate well.

The rows live in the scratch memory that is handed in, until the same thread asks again.
Everything stays uint8, and differences wrap around at 256 as the formats ask; widening would cost 25 times as much.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..bands import Pixels, Scratch

PLAIN = 0
PAETH = 4


def plain_rows(block: Pixels, scratch: Scratch) -> Pixels:
    """PNG rows uint8 [n, 1 + row_bytes] of filter type 0 from a block [1 + n, row_bytes], less its first row."""
    rows = scratch.take("plain", (len(block) - 1, 1 + block.shape[1]))
    rows[:, 0] = PLAIN
    rows[:, 1:] = block[1:]
    return rows


def paeth_rows(block: Pixels, channels: int, scratch: Scratch) -> Pixels:
    """PNG rows uint8 [n, 1 + row_bytes] of filter type 4 from a block [1 + n, row_bytes], led by the row above.

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
    """Turn `rest`, the differences to the corner, into differences to Paeth's choice of left, up and corner.

    Paeth takes the neighbour nearest to left + up - corner. With low and high the smaller and the larger of left and
    up, and `fall` and `rise` the way from the corner down to low and up to high (0 where the corner lies beyond), that
    is low where fall >= 2 rise, high where rise >= 2 fall, and the corner otherwise, ties as the specification has it.
    """
    low, high, fall, rise = (scratch.take(name, (len(rest), rest.shape[1])) for name in ("low", "high", "fall", "rise"))
    np.minimum(left, up, out=low)
    np.maximum(left, up, out=high)
    np.maximum(corner, low, out=fall)
    np.minimum(corner, high, out=rise)
    np.subtract(fall, low, out=fall)
    np.subtract(high, rise, out=rise)
    # low and high have served; their memory takes the halves, then the choices (0 or 1)
    np.right_shift(fall, 1, out=low)
    np.right_shift(rise, 1, out=high)
    np.greater_equal(low, rise, out=low.view(np.bool_))
    np.greater_equal(high, fall, out=high.view(np.bool_))
    np.multiply(fall, low, out=fall)
    np.multiply(rise, high, out=rise)
    np.add(rest, fall, out=rest)
    np.subtract(rest, rise, out=rest)


def left_differences(block: Pixels, channels: int, scratch: Scratch) -> Pixels:
    """Each byte less the same channel of the pixel to its left, in the block's shape: TIFF's predictor 2."""
    rows = scratch.take("residuals", (len(block), block.shape[1]))
    rows[:, :channels] = block[:, :channels]
    np.subtract(block[:, channels:], block[:, :-channels], out=rows[:, channels:])
    return rows


#: Ends a stream of joined pieces: one empty block, marked as the last.
END = b"\x03\x00"
#: The two bytes before a zlib stream: 32 KiB window, no dictionary, no claim about the level.
HEADER = b"\x78\x01"
#: Share of zero residuals from which runs are worth a look, and from which a block may be flat graphics.
SOME_ZEROS, MOSTLY_ZEROS = 0.25, 0.75
#: Flat graphics are tried on this many pieces of a block, each as long as deflate can look back.
SAMPLES, SAMPLE_BYTES = 3, 32768
#: Searching for repeats must save this share of the sample: smooth pictures are flat too, and only cost time.
CLEAR_GAIN = 0.05
ADLER_BASE = 65521
Method = Callable[[Pixels], bytes]


@dataclass(frozen=True)
class Engine:
    """The functions that touch every byte of a page."""

    noise: Method
    runs: Method
    crc32: Callable[[bytes, int], int]
    adler32: Callable[[memoryview], int]


def _deflate(rows: Pixels, level: int, strategy: int) -> bytes:
    """A raw deflate piece that ends on a whole byte and leans on nothing before it."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    return packer.compress(rows.data) + packer.flush(zlib.Z_FULL_FLUSH)


_noise = partial(_deflate, level=1, strategy=zlib.Z_HUFFMAN_ONLY)
_runs = partial(_deflate, level=1, strategy=zlib.Z_RLE)
_glance = partial(_deflate, level=4, strategy=zlib.Z_DEFAULT_STRATEGY)
_repeats = partial(_deflate, level=6, strategy=zlib.Z_DEFAULT_STRATEGY)
_filtered = partial(_deflate, level=6, strategy=zlib.Z_FILTERED)


def fastest_engine() -> Engine:
    """isal where it is installed (twice as fast, files of photographs about 7 % larger), else zlib."""
    try:
        isal = importlib.import_module("isal.isal_zlib")
    except ImportError:
        return zlib_engine()

    def deflate(rows: Pixels) -> bytes:
        packer = isal.compressobj(1, isal.DEFLATED, -zlib.MAX_WBITS)
        return bytes(packer.compress(rows.data) + packer.flush(isal.Z_FULL_FLUSH))

    return Engine(noise=deflate, runs=deflate, crc32=isal.crc32, adler32=isal.adler32)


def zlib_engine() -> Engine:
    return Engine(noise=_noise, runs=_runs, crc32=zlib.crc32, adler32=zlib.adler32)


def deflate_fast(residuals: Pixels, plain: Callable[[], Pixels] | None, engine: Engine) -> tuple[Pixels, bytes]:
    """The rows that were chosen, and their deflate piece. `plain` makes the rows without prediction, where allowed."""
    zeros = _share_of_zeros(residuals)
    if zeros < SOME_ZEROS:
        return residuals, engine.noise(residuals)
    if zeros < MOSTLY_ZEROS:
        return residuals, engine.runs(residuals)
    ways = [residuals, plain()] if plain else [residuals]
    sizes = [len(_glance(_sample(rows))) for rows in ways]
    if min(sizes) < (1 - CLEAR_GAIN) * len(_runs(_sample(residuals))):
        rows = ways[sizes.index(min(sizes))]
        return rows, _repeats(rows)
    # not the engine's way: isal gains little time on flat blocks and makes them larger
    return residuals, _runs(residuals)


def deflate_small(residuals: Pixels, plain: Callable[[], Pixels] | None) -> tuple[Pixels, bytes]:
    """As `deflate_fast`, but every way that may win is tried on the whole block."""
    ways: list[tuple[Pixels, Method]] = [(residuals, _runs), (residuals, _filtered)]
    if plain and _share_of_zeros(residuals) >= MOSTLY_ZEROS:
        ways = [(residuals, _repeats), (plain(), _repeats)]
    return min(((rows, method(rows)) for rows, method in ways), key=lambda way: len(way[1]))


def joined_adler32(first: int, second: int, second_bytes: int) -> int:
    """Adler-32 of two pieces in a row from their own checksums. Source: RFC 1950, section 8."""
    low, high = first & 0xFFFF, first >> 16
    joined_low = (low + (second & 0xFFFF) - 1) % ADLER_BASE
    joined_high = (high + (second >> 16) + second_bytes * (low - 1)) % ADLER_BASE
    return joined_high << 16 | joined_low


def _share_of_zeros(rows: Pixels) -> float:
    return 1 - np.count_nonzero(rows) / rows.size


def _sample(rows: Pixels) -> Pixels:
    flat = rows.reshape(-1)
    if flat.size <= SAMPLES * SAMPLE_BYTES:
        return flat
    spread = flat[: flat.size // SAMPLES * SAMPLES].reshape(SAMPLES, -1)
    return np.ascontiguousarray(spread[:, :SAMPLE_BYTES])
