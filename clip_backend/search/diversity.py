"""Pictures that are alike: hits chosen to differ from each other, and groups of near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...imaging import Progress
from .index import Index, IndexState, Mask
from .vectors import Vectors

Indices = NDArray[np.intp]
Floats = NDArray[np.floating]
#: The least cosine of near-duplicates: copies of another size or file format reach it.
NEAR = 0.98
#: How much the aspect ratios of copies may differ.
ASPECT_TOLERANCE = 0.01
#: Rows that are compared with as many others at once: 4 million cosines.
_ROWS, _OTHERS = 512, 8192
#: How much rounding may lower the cosine of two equal vectors.
_ROUNDING = 1e-6


def diverse(relevance: Floats, vectors: Vectors, count: int, diversity: float) -> list[int]:
    """Up to ``count`` places in an order in which each is relevant and unlike those before it.

    Maximal marginal relevance (Carbonell and Goldstein 1998): next is the place with the highest
    (1 - d) * relevance - d * (highest cosine with a chosen one), both put on 0..1: the lowest and highest relevance;
    the lowest of the cosines among the candidates, and 1. relevance [N]: the best first, which wins ties. vectors: unit
    rows [N, D]. diversity: d, 0 for the order as it is, 1 for differences alone.
    """
    if not len(relevance):
        return []
    cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    likeness = _to_unit(cosines, float(cosines.min()), 1.0)
    worth = _to_unit(np.asarray(relevance, np.float64), float(np.min(relevance)), float(np.max(relevance)))
    chosen: list[int] = []
    nearest = np.zeros(len(worth))
    gain = (1 - diversity) * worth
    while len(chosen) < min(count, len(worth)):
        left = gain - diversity * nearest
        left[chosen] = -np.inf
        chosen.append(int(np.argmax(left)))
        nearest = np.maximum(nearest, likeness[chosen[-1]])
    return chosen


def _to_unit(values: Floats, low: float, high: float) -> Floats:
    if high - low < 1e-9:
        return np.zeros_like(values)
    scaled: Floats = np.clip((values - low) / (high - low), 0, 1)
    return scaled


@dataclass(frozen=True, eq=False)
class Likeness:
    """What tells near-duplicates: each of N rows beside the others."""

    #: Unit rows [N, D].
    vectors: Vectors
    #: Width to height [N]; 0 where it is not known.
    aspects: NDArray[np.float64]
    #: A number for each seed [N]; 0 where it is not known.
    seeds: NDArray[np.int64]

    def near(self, rows: slice, others: slice, least: float) -> NDArray[np.bool_]:
        """Whether each of the rows is a near-duplicate of each of the others.

        Pictures are near-duplicates if their cosine is at least ``least``, they have one shape, and not two seeds: to
        CLIP, pictures of one prompt that differ in their seeds are as alike as copies.
        """
        near: NDArray[np.bool_] = self.vectors[rows] @ self.vectors[others].T >= least - _ROUNDING
        first, second = np.nonzero(near)
        if len(first):
            a, b = self.aspects[rows][first], self.aspects[others][second]
            s, t = self.seeds[rows][first], self.seeds[others][second]
            is_apart = (np.abs(a - b) > ASPECT_TOLERANCE * np.maximum(a, b)) | ((s != t) & (s > 0) & (t > 0))
            near[first[is_apart], second[is_apart]] = False
        return near


def leaders(
    likeness: Likeness, least: float, *, is_used: Mask | None = None, progress: Progress | None = None
) -> Indices:
    """For each row the first row of its group, int [N]; its own if it leads one or stands alone.

    is_used: of each row [N], whether it counts; None for all. progress: called with (done, rows).
    Row by row, each joins the first leader whose near-duplicate it is, else it leads. So every picture of a group is
    alike its first one, however large the index is: chains of likeness do not join what differs.
    """
    count = len(likeness.vectors)
    groups = np.arange(count, dtype=np.intp)
    is_leader = np.zeros(count, np.bool_)
    for start in range(0, count, _ROWS):
        rows = slice(start, min(start + _ROWS, count))
        own = groups[rows]
        is_open = np.ones(len(own), np.bool_) if is_used is None else is_used[rows].copy()
        for first in range(0, start, _OTHERS):
            others = slice(first, min(first + _OTHERS, start))
            near = likeness.near(rows, others, least) & is_leader[others]
            joins = is_open & near.any(axis=1)
            own[joins] = first + near[joins].argmax(axis=1)
            is_open &= ~joins
        near = np.tril(likeness.near(rows, rows, least), -1)
        # open rows above which no open row is near lead; the others are looked at one by one
        leads = is_open.copy()
        for place in np.flatnonzero(is_open & (near & is_open).any(axis=1)):
            before = np.flatnonzero(near[place] & leads)
            if len(before):
                own[place], leads[place] = start + before[0], False
        is_leader[rows] = leads
        if progress:
            progress(rows.stop, count)
    return groups


def leaders_among(index: Index, state: IndexState, rows: Indices, least: float) -> Indices:
    """For each of these rows of an index the place of the first row of its group, int [N]; see ``leaders``.

    What is known of pictures is read for those alone that have a cosine of at least ``least`` with another one.
    """
    vectors = state.vectors[rows]
    groups = np.arange(len(rows), dtype=np.intp)
    counts = np.zeros(len(rows), np.intp)
    for start in range(0, len(rows), _ROWS):
        near = vectors[start : start + _ROWS] @ vectors.T >= least - _ROUNDING
        np.fill_diagonal(near[:, start:], False)
        counts[start : start + _ROWS] = np.count_nonzero(near, axis=1)
    alike = np.flatnonzero(counts)
    if len(alike):
        groups[alike] = alike[leaders(_likeness_of(index, state, rows[alike]), least)]
    return groups


def _likeness_of(index: Index, state: IndexState, rows: Sequence[int] | Indices) -> Likeness:
    """What tells near-duplicates among these rows of an index."""
    ids = state.ids[rows].tolist()
    aspects = {id: width / height for id, (width, height) in index.sizes(ids).items() if width and height}
    seeds = index.property_of_each("seed", ids)
    return Likeness(state.vectors[rows], *_numbers(ids, aspects, seeds))


def _numbers(
    ids: Sequence[int], aspects: dict[int, float], seeds: dict[int, str]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    numbers = {seed: number for number, seed in enumerate(dict.fromkeys(seeds.values()), 1)}
    return (
        np.array([aspects.get(id, 0.0) for id in ids]),
        np.array([numbers[seeds[id]] if id in seeds else 0 for id in ids], np.int64),
    )


def duplicate_groups(index: Index, *, least: float = NEAR, progress: Progress | None = None) -> list[list[int]]:
    """Groups of near-duplicates over the whole index: ids of pictures, the one that was indexed first in front.

    Time grows with the square of the number of pictures; the memory does not. progress: called with (done, rows).
    Raises InputError for a limit outside of 0..1.
    """
    if not 0 < least <= 1:
        raise InputError(f"the least cosine of duplicates is {least}; it must be above 0 and at most 1")
    state = index.state()
    ids = state.ids.tolist()
    aspects = {id: width / height for id, width, height in index.rows(
        "SELECT id, width, height FROM pictures WHERE width > 0 AND height > 0")}  # fmt: skip
    seeds = dict(index.rows("SELECT picture, text FROM properties WHERE name = 'seed'"))
    firsts = leaders(
        Likeness(state.vectors, *_numbers(ids, aspects, seeds)), least, is_used=state.is_used, progress=progress
    )
    groups: dict[int, list[int]] = {}
    for place in np.flatnonzero(state.is_used & (firsts != np.arange(len(firsts)))).tolist():
        first = int(firsts[place])
        groups.setdefault(first, [ids[first]]).append(ids[place])
    return [groups[first] for first in sorted(groups)]
