"""What is left of pixels when each byte is predicted from its neighbours: small numbers, which deflate well.

The rows live in the scratch memory that is handed in, until the same thread asks again.
Everything stays uint8, and differences wrap around at 256 as the formats ask; widening would cost 25 times as much.
"""

from __future__ import annotations

import numpy as np

from .bands import Pixels, Scratch

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
