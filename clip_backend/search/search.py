"""A query answered: candidates in order, near-duplicates in groups, and each hit with what it was found by.

The line of weak hits holds for each model without a number of its own. A text is as strong as its z among the texts of
the bank of like length for the same picture: the line of 2 is that of ``match``, below which lie 5 % of true captions,
a quarter of true words and 96 to 98 % of other texts (OpenAI B/16 on photographs). A picture is as strong as its z over
the index, with the median for the mean and the distance to the 16th percentile for the deviation, which pictures that
are really alike do not move as long as they are fewer than a third.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..matching.result import AUTO, PRESETS
from ..scoring.scales import z_scores
from .candidates import Candidates, Finder, Store
from .diversity import diverse, leaders_among
from .index import Index, IndexState
from .query import Hit, Hits, Part, PartScore, Query
from .scan import Float64s, Rows, Scan

#: The strength of a match.
LEAST_STRENGTH = PRESETS[AUTO].threshold
#: With fewer pictures, how far one of them lies above the others says nothing.
LEAST_PICTURES = 8
#: Hits are chosen from so many candidates for diversity and groups, or from more if more are asked for.
POOL = 200
#: Rows that stand for the index where its distribution is needed.
_SAMPLE = 20_000


def search(index: Index, query: Query, store: Store | None = None) -> Hits:
    """The hits of a query, the best first; equal scores by the bytes of the path.

    store: is asked for the nearest pictures in place of the vectors of the index.
    Raises InputError for a filter that cannot be read, parts of another size than the index's, and numbers out of
    range.
    """
    state = index.state()
    query.check(state)
    finder = Finder(index, state, query, store)
    wanted = max(POOL, query.top)
    while True:
        found = finder.candidates(wanted)
        groups = _groups(index, state, query, found.rows)
        places = _chosen(state, query, found, groups)
        if len(places) >= query.top or len(found.rows) < wanted:
            break
        # groups hold more of them than there are others
        wanted *= 4
    passed = int(np.count_nonzero(finder.allowed))
    return Hits(_hits(index, state, query, finder.scan, found, groups, places), state.count, passed, state.model)


def _groups(index: Index, state: IndexState, query: Query, rows: Rows) -> NDArray[np.intp]:
    """For each candidate the place of the best one of its near-duplicates."""
    if not query.duplicates:
        return np.arange(len(rows), dtype=np.intp)
    return leaders_among(index, state, rows, query.duplicates)


def _chosen(state: IndexState, query: Query, found: Candidates, groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """The places of the hits among the candidates, in their order."""
    places = np.arange(len(groups), dtype=np.intp)
    if query.collapse:
        places = places[groups == places]
    if query.diversity:
        pool = places[: max(POOL, query.top)]
        vectors = state.vectors[found.rows[pool]]
        places = pool[diverse(found.scores[pool], vectors, query.top, query.diversity)]
    return places[: query.top]


def _hits(
    index: Index,
    state: IndexState,
    query: Query,
    scan: Scan | None,
    found: Candidates,
    groups: NDArray[np.intp],
    places: NDArray[np.intp],
) -> tuple[Hit, ...]:
    rows = found.rows[places]
    pictures = index.pictures(state.ids[rows].tolist())
    parts = _part_scores(state, query.parts, scan, rows)
    percentiles = _percentiles(state, scan, rows)
    leading = state.ids[found.rows[groups[places]]].tolist()
    hits = []
    for number, (place, row) in enumerate(zip(places.tolist(), rows.tolist(), strict=True)):
        picture = pictures.get(int(state.ids[row]))
        if picture is None:
            # it was purged after the state was read
            continue
        keyword_rank = found.keyword_ranks.get(row)
        hits.append(
            Hit(
                picture=picture,
                score=float(found.scores[place]),
                percentile=None if percentiles is None else float(percentiles[number]),
                parts=parts[number],
                meaning_rank=found.meaning_ranks.get(row),
                keyword_rank=keyword_rank,
                is_weak=keyword_rank is None and any(_is_missed(one) for one in parts[number]),
                group=leading[number],
            )
        )
    return tuple(hits)


def _is_missed(one: PartScore) -> bool:
    """Whether a hit is not what the part asks for."""
    if one.strength is None or not one.weight:
        return False
    return one.strength < LEAST_STRENGTH if one.weight > 0 else one.strength >= LEAST_STRENGTH


def _part_scores(
    state: IndexState, parts: Sequence[Part], scan: Scan | None, rows: Rows
) -> list[tuple[PartScore, ...]]:
    """For each row how it fits each part."""
    if scan is None:
        return [()] * len(rows)
    cosines, _ = scan.exact(rows)
    z = (cosines - scan.means) / np.maximum(scan.deviations, 1e-12)
    strengths = [_strengths(state, scan, part, place, cosines[:, place], rows) for place, part in enumerate(parts)]
    return [
        tuple(
            PartScore(part.kind, part.name, part.weight, float(cosines[row, place]), float(z[row, place]), of[row])
            for place, (part, of) in enumerate(zip(parts, strengths, strict=True))
        )
        for row in range(len(rows))
    ]


def _strengths(
    state: IndexState, scan: Scan, part: Part, place: int, cosines: Float64s, rows: Rows
) -> Sequence[float | None]:
    """How strong each row is for a part, the one at a place of the scan."""
    if part.bank is not None:
        beside = (state.vectors[rows] @ part.bank.T).astype(np.float32)
        return [float(one) for one in z_scores(cosines[:, None].astype(np.float32), beside)[:, 0]]
    if state.count < LEAST_PICTURES:
        return [None] * len(rows)
    used = np.flatnonzero(state.is_used)
    sample = scan.cosines(place, used[:: max(1, len(used) // _SAMPLE)])
    low, middle = np.percentile(sample, (15.87, 50.0))
    # an index of nothing but copies tells nothing apart
    return [float((one - middle) / (middle - low)) if middle - low > 1e-6 else None for one in cosines.tolist()]


def _percentiles(state: IndexState, scan: Scan | None, rows: Rows) -> Float64s | None:
    """How many of a hundred pictures of the index fit worse than each row; ties, itself among them, count half."""
    if scan is None or not len(rows):
        return None
    shares: Float64s = 100 * scan.worse(rows) / state.count
    return shares
