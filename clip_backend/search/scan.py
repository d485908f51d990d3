"""Exact scores of all rows: one pass in float32 over the vectors, and the best of them anew in float64.

The pass rounds, by its order of addition in another way for equal rows at other places. What it finds best, with all
that rounding may hide, is therefore computed once more, each row alone, so that equal rows have equal scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .index import Mask
from .vectors import Vectors

Rows = NDArray[np.intp]
Float64s = NDArray[np.float64]
#: Rounding error in float32 of a cosine of unit vectors with up to a few thousand dimensions.
ROUNDING = 2e-6
#: Parts whose cosines vary by less over the index tell nothing apart.
LEAST_DEVIATION = 1e-6
#: Rows of a block for many queries at once: they and their cosines stay in the processor's cache.
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Scan:
    """How all rows fit the parts of a query: the weighted sum of their standardised cosines."""

    vectors: Vectors
    #: For each row, whether it belongs to a picture.
    is_used: Mask
    #: Unit vectors of the parts [P, dim], and their weights [P], of which those to be avoided are negative.
    parts: Vectors
    weights: Float64s
    #: Mean and standard deviation of the cosines over all used rows [P].
    means: Float64s
    deviations: Float64s

    @cached_property
    def factors(self) -> Float64s:
        """What a cosine of each part adds to the sum [P]."""
        return np.where(self.deviations > LEAST_DEVIATION, self.weights / np.maximum(self.deviations, 1e-12), 0.0)

    @cached_property
    def direction(self) -> Float64s:
        """The vector [dim] whose product with a row is its sum, but for a constant."""
        total: Float64s = self.factors @ self.parts.astype(np.float64)
        return total

    @cached_property
    def constant(self) -> float:
        """What the product of a row is to be lowered by."""
        return float(self.means @ self.factors)

    @cached_property
    def margin(self) -> float:
        """The rounding error of a sum."""
        return ROUNDING * float(np.abs(self.factors).sum())

    @cached_property
    def sums(self) -> Vectors:
        """The sums of all rows [rows], rounded."""
        return self.rounded_sums(slice(None))

    def rounded_sums(self, rows: Rows | slice) -> Vectors:
        """The sums of these rows [N] in float32."""
        sums: Vectors = self.vectors[rows] @ self.direction.astype(np.float32) - np.float32(self.constant)
        return sums

    def cosines(self, part: int, rows: Rows) -> Vectors:
        """The cosines of these rows with a part [N], rounded."""
        found: Vectors = self.vectors[rows] @ self.parts[part]
        return found

    def exact(self, rows: Rows) -> tuple[Float64s, Float64s]:
        """Cosines [N, P] and sums [N] of these rows in float64; equal rows have equal ones."""
        cosines = exact_cosines(self.vectors[rows], self.parts)
        return cosines, ((cosines - self.means) * self.factors).sum(axis=1)

    def best(self, allowed: Mask, count: int) -> tuple[Rows, Float64s]:
        """The ``count`` best of the allowed rows, all that tie with the last of them, and their sums; in any order."""
        return self._best_of(near_best(self.sums, allowed, count, self.margin), count)

    def _best_of(self, rows: Rows, count: int) -> tuple[Rows, Float64s]:
        """The scores of rows that are known to hold them."""
        sums = self.exact(rows)[1]
        if len(rows) > count:
            is_best = sums >= np.partition(sums, len(sums) - count)[len(sums) - count]
            rows, sums = rows[is_best], sums[is_best]
        return rows, sums

    def worse(self, rows: Rows) -> Float64s:
        """How many of the used rows have lower sums than each of these [N]; equal ones count half."""
        return lower(self.sums, self.is_used, rows)


@dataclass(frozen=True, eq=False)
class FullScan(Scan):
    """A scan that has computed the cosines of all rows with each part [rows, P]."""

    every: Vectors

    @cached_property
    def sums(self) -> Vectors:
        """The sums of all rows [rows], rounded."""
        sums: Vectors = self.every @ self.factors.astype(np.float32) - np.float32(self.constant)
        return sums

    def cosines(self, part: int, rows: Rows) -> Vectors:
        """The cosines of these rows with a part [N], rounded."""
        found: Vectors = self.every[rows, part]
        return found


def scan(vectors: Vectors, is_used: Mask, parts: Vectors, weights: Float64s) -> Scan:
    """A scan by one pass in float32; means and deviations are those of the rows that are used."""
    cosines = vectors @ parts.T if len(parts) > 1 else (vectors @ parts[0])[:, None]
    is_full = bool(is_used.all())
    means, deviations = np.empty(len(parts)), np.empty(len(parts))
    for part in range(len(parts)):
        column = cosines[:, part] if is_full else cosines[is_used, part]
        means[part] = column.mean(dtype=np.float64) if len(column) else 0.0
        deviations[part] = column.std(dtype=np.float64) if len(column) else 0.0
    return FullScan(vectors, is_used, parts, weights, means, deviations, cosines)


def exact_cosines(rows: Vectors, parts: Vectors) -> Float64s:
    """Cosines [N, P] in float64, each row added up alone and in one order."""
    wide = rows.astype(np.float64)
    return np.stack([(wide * part.astype(np.float64)).sum(axis=1) for part in parts], axis=1)


def best_of_many(vectors: Vectors, allowed: Mask, queries: Vectors, count: int) -> tuple[Rows, Float64s]:
    """For each query the rows of the ``count`` highest cosines, and these [Q, count]; the best first, ties by row.

    queries: unit vectors [Q, dim]. count: at most the number of allowed rows.
    """
    turned, buffer = np.ascontiguousarray(queries.T), np.empty((BLOCK, len(queries)), np.float32)
    least = np.full(len(queries), -np.inf, np.float32)
    held, total, all_allowed = [_Found.none()], 0, bool(allowed.all())
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        cosines = np.matmul(block, turned, out=buffer[: len(block)])
        is_near = cosines >= least
        if not all_allowed:
            is_near &= allowed[start : start + BLOCK, None]
        # several times as fast as nonzero, which takes an array of two dimensions value by value
        flat = np.flatnonzero(is_near)
        rows, which = np.divmod(flat, len(queries))
        held.append(_Found(which, rows + start, cosines.ravel()[flat]))
        total += len(flat)
        if total > 8 * count * len(queries):
            held = [_best_found(held, least, count)]
            total = len(held[0].rows)
    return _in_order(vectors, queries, _best_found(held, least, count), count)


@dataclass(frozen=True, eq=False)
class _Found:
    """Rows that may be among the best of queries, each with the number of its query and its cosine."""

    which: Rows
    rows: Rows
    cosines: Vectors

    @classmethod
    def none(cls) -> _Found:
        return cls(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32))


def _best_found(held: list[_Found], least: Vectors, count: int) -> _Found:
    """The best of each query and what rounding may hide beside them, query by query; raises ``least`` [Q] to them."""
    which, rows = np.concatenate([one.which for one in held]), np.concatenate([one.rows for one in held])
    cosines = np.concatenate([one.cosines for one in held])
    # sorting is several times as fast by numbers of 16 bits
    order = np.argsort(which.astype(np.uint16) if len(least) < 2**16 else which, kind="stable")
    which, rows, cosines = which[order], rows[order], cosines[order]
    ends = np.searchsorted(which, np.arange(len(least) + 1)).tolist()
    for query, (first, last) in enumerate(pairwise(ends)):
        if last - first > count:
            own = cosines[first:last]
            least[query] = np.partition(own, len(own) - count)[len(own) - count] - ROUNDING
    is_kept = cosines >= least[which]
    return _Found(which[is_kept], rows[is_kept], cosines[is_kept])


def _in_order(vectors: Vectors, queries: Vectors, found: _Found, count: int) -> tuple[Rows, Float64s]:
    best, cosines = np.empty((len(queries), count), np.intp), np.empty((len(queries), count))
    ends = np.searchsorted(found.which, np.arange(len(queries) + 1)).tolist()
    for query, (first, last) in enumerate(pairwise(ends)):
        places = found.rows[first:last]
        exact = exact_cosines(vectors[places], queries[query : query + 1])[:, 0]
        order = np.lexsort((places, -exact))[:count]
        best[query], cosines[query] = places[order], exact[order]
    return best, cosines


def near_best(values: Vectors, allowed: Mask, count: int, margin: float) -> Rows:
    """The allowed rows whose values are among the ``count`` highest or below them by no more than the margin."""
    places = np.flatnonzero(allowed)
    if len(places) <= count:
        return places
    own = values if len(places) == len(values) else values[places]
    least = np.partition(own, len(own) - count)[len(own) - count]
    near: Rows = places[own >= least - np.float32(margin)]
    return near


def lower(sums: Vectors, is_used: Mask, rows: Rows) -> Float64s:
    """How many of the used rows have lower sums than each of these; equal ones count half."""
    own, count = sums[rows], int(np.count_nonzero(is_used))
    among = sums if count == len(sums) else sums[is_used]
    upper = np.sort(among[among >= own.min()])
    below = np.searchsorted(upper, own, "left") + np.searchsorted(upper, own, "right")
    lower: Float64s = count - len(upper) + below / 2
    return lower
