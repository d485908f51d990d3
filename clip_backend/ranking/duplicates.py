"""Which pictures are near-duplicates of each other, by the cosines of their unit vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..features import Vectors

#: Rows that are compared at once with all others: 40 MB of cosines for 10,000 pictures.
ROWS = 1024
#: By how much rounding may lower the cosine of two equal vectors.
ROUNDING = 1e-6

Places = NDArray[np.intp]


def near_duplicates(vectors: Vectors, least: float, *, rows: int = ROWS) -> Places:
    """For each picture the first one of its group, int [N]; its own place if it is that one, or stands alone.

    vectors: unit rows, float32 [N, D]. Two pictures are of one group if their cosine is at least ``least``, and so are
    those that a chain of such pairs links. rows: how many are compared at once; it changes the memory alone.
    """
    firsts = np.arange(len(vectors), dtype=np.intp)
    for start in range(0, len(vectors), rows):
        cosines = vectors[start : start + rows] @ vectors[start:].T  # [rows, N - start]
        _join(firsts, start, cosines >= least - ROUNDING)
    return firsts


def _join(firsts: Places, start: int, near: NDArray[np.bool_]) -> None:
    """Puts into one group whatever is near each other; near: [rows, N - start], both beginning at ``start``."""
    np.fill_diagonal(near, True)
    for row in np.flatnonzero(near.sum(axis=1) > 1):
        groups = np.unique(firsts[start:][near[row]])
        if len(groups) > 1:
            firsts[np.isin(firsts, groups)] = groups[0]
