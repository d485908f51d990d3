"""The order of labels, the likeliest first, which rounding errors of a batch do not change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Numbers that differ by less count as equal; cosines of one picture in two batches differ by a tenth of it.
STEP = 1e-6

Places = NDArray[np.int64]


def likeliest(values: NDArray[np.floating], count: int) -> Places:
    """The places of the greatest values of each row, int64 [N, min(count, W)]; equal ones in their order.

    values: within -1000..1000 [N, W].
    """
    width = values.shape[1]
    keys = np.round(values.astype(np.float64) / STEP).astype(np.int64) * width - np.arange(width)  # [N, W], all differ
    count = min(count, width)
    some = np.argpartition(-keys, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(keys, some, axis=1), axis=1)
    places: Places = np.take_along_axis(some, order, axis=1).astype(np.int64)
    return places
