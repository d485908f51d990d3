"""A scan whose first pass is in int8: the rows that may be among the best by it are scored anew, as without it.

A row is mean + scale * int8 + e, and the vector of the query t * int8 + r. By the inequality of Cauchy and Schwarz the
product of the int8 rows lies within |e| * |query| + |scale * int8| * |r| of the true one. What that bound does not rule
out is scored in float32, and the best of it in float64: rows and scores are those of a scan in float32. Means and
deviations come from the moments of the index: they differ from those of float32 by less than 0.00001 of the deviation.
Two things are taken from int8 itself: the strength of a picture, which is wrong by less than 0.5 %, and the percentile
of a hit that much of the index is better than, which is wrong by less than 1.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .index import IndexState, Mask
from .quantized import Quantized
from .scan import Float64s, Rows, Scan, lower, near_best, scan
from .vectors import Vectors

Int8s = NDArray[np.int8]
#: Rows that no picture has are taken out of the moments one by one: not of more than this share of an index.
_MOST_HOLES = 0.125
#: With more candidates than this share of the rows, all of them are scored in float32.
_MOST_CANDIDATES = 0.25
#: For the percentiles, whose errors without it are small, fewer rows are scored.
_MOST_COUNTED = 0.0625
#: Blocks that are worth a thread, and threads at most: the memory is what limits them.
_BLOCKS_OF_THREAD, _THREADS = 32, 4


def scan_of(state: IndexState, parts: Vectors, weights: Float64s) -> Scan:
    """The scores of all rows of an index, by the fastest way that is there."""
    quantized = state.quantized
    if quantized is None:
        return scan(state.vectors, state.is_used, parts, weights)
    holes = np.flatnonzero(~state.is_used[: quantized.count])
    if len(holes) > _MOST_HOLES * quantized.count:
        return scan(state.vectors, state.is_used, parts, weights)
    means, deviations = _statistics(state, quantized, holes, parts.astype(np.float64))
    return FirstPass(state.vectors, state.is_used, parts, weights, means, deviations, quantized)


def products(queries: Int8s, rows: Int8s) -> Float64s:
    """The products of each query [Q, dim] with each row [N, dim]: whole numbers, [Q, N]."""
    import numkong

    out = np.empty((len(queries), len(rows)))
    numkong.cdist(queries, rows, "dot", out=out)
    return out


@dataclass(frozen=True, eq=False)
class FirstPass(Scan):
    """A scan that reads float32 of few rows."""

    quantized: Quantized

    @cached_property
    def _near(self) -> tuple[Vectors, Vectors]:
        """Sums of all rows [rows], and by how much they may be wrong; what is computed in float32 takes their place."""
        return _near_sums(self, _Direction.of(self.direction, self.quantized))

    def cosines(self, part: int, rows: Rows) -> Vectors:
        """The cosines of these rows, ascending, with a part [N]: those in int8 are wrong by some 0.0003."""
        if len(self.parts) == 1 and self.factors[0]:
            own: Vectors = (self._near[0][rows] + np.float32(self.constant)) / np.float32(self.factors[0])
            return own
        query = _Direction.of(self.parts[part].astype(np.float64), self.quantized)
        size, found = self.quantized.block_rows, np.empty(len(rows), np.float32)
        last = int(np.searchsorted(rows, self.quantized.count))
        ends = np.searchsorted(rows[:last], size * np.arange(len(self.quantized.blocks) + 1)).tolist()
        for number, (start, stop) in enumerate(pairwise(ends)):
            block, places = self.quantized.blocks[number], rows[start:stop] - number * size
            query.times(block["rows"].take(places, 0), block["scales"][places], found[start:stop])
        found[:last] += np.float32(query.base)
        found[last:] = self.vectors[rows[last:]] @ self.parts[part]
        return found

    def best(self, allowed: Mask, count: int) -> tuple[Rows, Float64s]:
        """The ``count`` best of the allowed rows, all that tie with the last of them, and their sums; in any order."""
        total = int(np.count_nonzero(allowed))
        if total <= count:
            places = np.flatnonzero(allowed)
            return places, self.exact(places)[1]
        sums, bounds = self._near
        own = sums if total == len(sums) else np.where(allowed, sums, np.float32(-np.inf))
        # so many rows are as good as that: the others have to be
        least = self.rounded_sums(_about_best(own, count)).min() - 2 * self.margin
        rows = np.flatnonzero(own + bounds >= np.float32(least))
        if len(rows) > _MOST_CANDIDATES * len(sums) or not self._settle(rows):
            return super().best(allowed, count)
        return self._best_of(rows[near_best(sums[rows], np.ones(len(rows), np.bool_), count, self.margin)], count)

    def worse(self, rows: Rows) -> Float64s:
        """How many of the used rows have lower sums than each of these [N]; equal ones count half.

        Where a filter has left rows that very many others are as good as, sums in int8 are counted: less than 1 % of
        the index is on the wrong side then.
        """
        if "sums" in vars(self):
            return super().worse(rows)
        sums, bounds = self._near
        self._settle(rows)
        is_open = (sums + bounds >= sums[rows].min() - self.margin) & (bounds > 0)
        left = np.flatnonzero(is_open & self.is_used)
        if len(left) <= _MOST_COUNTED * len(sums):
            self._settle(left)
        return lower(sums, self.is_used, rows)

    def _settle(self, rows: Rows) -> bool:
        """Puts the sums of float32 in the place of those of int8; returns whether they were within their bounds."""
        sums, bounds = self._near
        right = self.rounded_sums(rows)
        is_within = bool((np.abs(right - sums[rows]) <= bounds[rows] + 2 * self.margin).all())
        sums[rows], bounds[rows] = right, 0.0
        return is_within


@dataclass(frozen=True, eq=False)
class _Direction:
    """A vector in int8: the sum of factors [K] times rows of int8 [K, dim], and what has the norm ``rest``."""

    rows: Int8s
    factors: Float64s
    norm: float
    rest: float
    #: Its product with the mean vector.
    base: float

    @classmethod
    def of(cls, vector: Float64s, quantized: Quantized) -> _Direction:
        """The vector in one row, or in two where a few large numbers leave too little of the others in one."""
        rows, factors, rest = [], [], vector
        norm = float(np.linalg.norm(vector))
        errors, norms = (float(quantized.blocks[0][name].mean()) for name in ("errors", "norms"))
        for _ in range(2):
            factor = float(np.abs(rest).max()) / 127 or 1.0
            rows.append(np.rint(rest / factor).astype(np.int8))
            factors.append(factor)
            rest = rest - factor * rows[-1]
            if float(np.linalg.norm(rest)) * norms <= 2 * norm * errors:
                break
        base = float(vector @ quantized.mean.astype(np.float64))
        return cls(np.stack(rows), np.array(factors), norm, float(np.linalg.norm(rest)), base)

    def times(self, rows: Int8s, scales: Vectors, out: Vectors) -> None:
        """Its products with rows [N] of scales * int8, without those with the mean vector."""
        found = products(self.rows, rows)
        # whole numbers of up to 25 bits: float32 rounds them, and by far less than its other sums
        np.multiply((self.factors @ found).astype(np.float32), scales, out=out)


def _near_sums(scan: FirstPass, query: _Direction) -> tuple[Vectors, Vectors]:
    blocks, count = scan.quantized.blocks, scan.quantized.count
    sums, bounds = np.empty(len(scan.vectors), np.float32), np.empty(len(scan.vectors), np.float32)
    by_block = sums[:count].reshape(len(blocks), -1)

    def compute(numbers: range) -> None:
        for number in numbers:
            query.times(blocks[number]["rows"], blocks[number]["scales"], by_block[number])

    threads = max(1, min(os.cpu_count() or 1, _THREADS, len(blocks) // _BLOCKS_OF_THREAD))
    if threads == 1:
        compute(range(len(blocks)))
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(compute, [range(first, len(blocks), threads) for first in range(threads)]))
    sums[:count] += np.float32(query.base - scan.constant)
    np.multiply(blocks["errors"], np.float32(query.norm), out=bounds[:count].reshape(by_block.shape))
    bounds[:count] += (blocks["norms"] * np.float32(query.rest)).ravel()
    # of the rows behind the last block there are no others
    sums[count:], bounds[count:] = scan.rounded_sums(slice(count, None)), 0.0
    return sums, bounds


def _about_best(values: Vectors, count: int) -> Rows:
    """The places of ``count`` values, the highest or nearly so."""
    every = max(1, count // 12)
    sample, kept = values[::every], 2 * count // every + 1
    if kept < len(sample):
        # what is above that is about twice as much as is needed
        high = np.flatnonzero(values >= np.partition(sample, len(sample) - kept)[len(sample) - kept])
        if len(high) >= count:
            return high[np.argpartition(values[high], len(high) - count)[len(high) - count :]]
    return np.argpartition(values, len(values) - count)[len(values) - count :]


def _statistics(state: IndexState, quantized: Quantized, holes: Rows, parts: Float64s) -> tuple[Float64s, Float64s]:
    """Means and deviations of the cosines of the used rows with each part [P]."""
    base = parts @ quantized.mean.astype(np.float64)
    total = parts @ quantized.total
    squares = ((parts @ quantized.products) * parts).sum(axis=1)
    count = quantized.count - len(holes)
    for rows, sign in ((holes, -1), (_tail(state, quantized), 1)):
        own = state.vectors[rows] @ parts.T.astype(np.float32) - base
        total += sign * own.sum(axis=0)
        squares += sign * (own * own).sum(axis=0)
        count += len(own) if sign > 0 else 0
    if not count:
        return np.zeros(len(parts)), np.zeros(len(parts))
    means = total / count
    deviations = np.sqrt(np.maximum(squares / count - means * means, 0.0))
    return means + base, deviations


def _tail(state: IndexState, quantized: Quantized) -> Rows | slice:
    """The used rows that are not in int8."""
    is_used = state.is_used[quantized.count :]
    return slice(quantized.count, None) if is_used.all() else quantized.count + np.flatnonzero(is_used)
