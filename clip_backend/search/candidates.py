"""The pictures that may be hits of a query, in order: by meaning, by keywords, by both, or the newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .filter_sql import compiled_filter
from .first_pass import scan_of
from .index import Ids, Index, IndexState, Mask
from .keywords import MOST_FOUND, pictures_with
from .query import Query
from .scan import Float64s, Rows, Scan
from .vectors import Vectors

#: The constant of reciprocal rank fusion (Cormack et al. 2009).
FUSION_K = 60


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rows, the best first."""

    rows: Rows
    scores: Float64s
    #: The rank of a row by meaning, and by keywords; those that were not found so have none.
    meaning_ranks: dict[int, int]
    keyword_ranks: dict[int, int]


class Store(Protocol):
    """Knows the rows that are nearest to a vector without a look at all of them."""

    def rows(self, state: IndexState, direction: Vectors, where: str, count: int) -> Sequence[int]:
        """The rows of up to ``count`` pictures that pass a filter and have the highest products with a vector [dim]."""


class Finder:
    """Finds candidates of one query in one state of an index; store: is asked for the nearest pictures."""

    def __init__(self, index: Index, state: IndexState, query: Query, store: Store | None = None) -> None:
        self.index, self.state, self.query, self.store = index, state, query, store
        #: For each row, whether its picture may be a hit.
        self.allowed = self._allowed()
        #: The scores of all rows; None without parts.
        self.scan: Scan | None = None
        if query.parts:
            vectors = np.stack([part.vector for part in query.parts]).astype(np.float32, copy=False)
            weights = np.array([part.weight for part in query.parts], np.float64)
            self.scan = scan_of(state, vectors, weights)
        self._keyword_rows = self._with_keywords() if query.keywords.strip() else None

    def candidates(self, count: int) -> Candidates:
        """At least so many of them, if there are so many."""
        rows, scores = np.empty(0, np.intp), np.empty(0)
        if self.scan:
            best = self._asked(self.scan, count) if self.store else self.scan.best(self.allowed, count)
            rows, scores = self._in_order(*best)
        elif self._keyword_rows is None:
            rows = self._newest(count)
            scores = np.zeros(len(rows))
        ranks = {int(row): rank for rank, row in enumerate(rows, 1)} if self.scan else {}
        return Candidates(rows, scores, ranks, {}) if self._keyword_rows is None else self._fused(ranks)

    def _asked(self, scan: Scan, count: int) -> tuple[Rows, Float64s]:
        """The best rows as the store knows them, and their sums."""
        # the sum of standardised cosines is, but for a constant, the product with one vector
        direction = scan.direction.astype(np.float32)
        if self.store is None or not direction.any():
            return scan.best(self.allowed, count)
        found = np.array(self.store.rows(self.state, direction, self.query.where, count + self._excluded), np.intp)
        # the store may be behind
        rows = found[self.allowed[found]][:count]
        return rows, scan.exact(rows)[1]

    def _allowed(self) -> Mask:
        query, state = self.query, self.state
        compiled = compiled_filter(query.where, self.index) if query.where.strip() else None
        allowed: Mask = (state.is_used if compiled and compiled.asks_missing else state.has_file).copy()
        if compiled:
            allowed &= state.mask_of(compiled.pictures(self.index))
        own = [self.index.id_of(part.hash) for part in query.parts if part.hash]
        excluded = [*query.exclude, *(id for id in own if id is not None)]
        self._excluded = len(excluded)
        if excluded:
            allowed &= ~state.mask_of(np.array(excluded, np.int64))
        return allowed

    def _with_keywords(self) -> Rows:
        """The allowed rows whose prompts have the words, the best first."""
        is_filtered = not np.array_equal(self.allowed, self.state.is_used)
        ids = pictures_with(self.index, self.query.keywords, most=-1 if is_filtered else MOST_FOUND)
        rows = self.state.rows_of(ids)
        rows = rows[self.allowed[rows]][:MOST_FOUND]
        return rows

    def _fused(self, ranks: dict[int, int]) -> Candidates:
        """Sorted by the sum of 1 / (60 + rank) over the ranks that a picture has."""
        keyword_ranks = {
            int(row): rank for rank, row in enumerate(() if self._keyword_rows is None else self._keyword_rows, 1)
        }
        ranks = ranks | self._further_ranks([row for row in keyword_ranks if row not in ranks])
        rows = np.fromiter({**ranks, **keyword_ranks}, np.intp)
        scores = np.array(
            [sum(1 / (FUSION_K + of[row]) for of in (ranks, keyword_ranks) if row in of) for row in rows.tolist()]
        )
        rows, scores = self._in_order(rows, scores)
        return Candidates(rows, scores, ranks, keyword_ranks)

    def _further_ranks(self, rows: list[int]) -> dict[int, int]:
        """The ranks by meaning of rows that are not among the best."""
        if not self.scan or not rows:
            return {}
        own = self.scan.sums[rows]
        ordered = np.sort(own)
        # how many of the others lie above each: those that come after all but i of them
        places = np.searchsorted(ordered, self.scan.sums[self.allowed], "left")
        above = np.bincount(places, minlength=len(ordered) + 1)[::-1].cumsum()[::-1]
        ranks = above[np.searchsorted(ordered, own, "right")] + 1
        return dict(zip(rows, ranks.tolist(), strict=True))

    def _in_order(self, rows: Rows, scores: Float64s) -> tuple[Rows, Float64s]:
        """The highest scores first, equal ones by the bytes of their first path."""
        order = np.argsort(-scores, kind="stable")
        rows, scores = rows[order], scores[order]
        _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
        is_tied: NDArray[np.bool_] = counts[place] > 1
        if is_tied.any():
            tied = rows[is_tied]
            ids: Ids = self.state.ids[tied]
            pictures = self.index.pictures(ids)
            keys = {row: pictures[id].sort_key if id in pictures else (b"", id)
                    for row, id in zip(tied.tolist(), ids.tolist(), strict=True)}  # fmt: skip
            # only tied rows change places, and those among each other
            pairs = zip((-scores[is_tied]).tolist(), tied.tolist(), strict=True)
            rows[is_tied] = [row for _, row in sorted(pairs, key=lambda one: (one[0], keys[one[1]]))]
        return rows, scores

    def _newest(self, count: int) -> Rows:
        """The allowed rows by the time of change of their newest file."""
        found: dict[int, None] = {}
        total = int(np.count_nonzero(self.allowed))
        sql = (
            "SELECT picture FROM files WHERE picture IS NOT NULL ORDER BY mtime_ns DESC, picture DESC LIMIT ? OFFSET ?"
        )
        start, step = 0, 4 * count
        while len(found) < min(count, total):
            ids = self.index.numbers(sql, (step, start))
            if not len(ids):
                break
            rows = self.state.rows_of(ids)
            found |= dict.fromkeys(rows[self.allowed[rows]].tolist())
            start, step = start + step, 2 * step
        return np.fromiter(found, np.intp)
