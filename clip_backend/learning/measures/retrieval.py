"""Metrics of finding the texts of pictures among all texts, and the pictures of texts among all pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ....errors import InputError
from ...scoring.scales import Float64s
from .estimates import Measured, draw_weights, estimated, ratio

#: The k of recall at k.
DEPTHS = (1, 5, 10)
#: Similarities that are held at once.
_MOST_HELD = 4_000_000
#: Gives the similarities of some queries with all candidates [S, C].
Similarities = Callable[[slice], NDArray[np.floating]]


def ranks(similarity: NDArray[np.floating], related: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The rank of the best related candidate of each query, from 1 [Q].

    similarity, related: [Q, C]. Unrelated candidates of the same similarity count as better, so that a model that
    gives everything the same embedding finds nothing. Raises InputError for a query without a related candidate.
    """
    lacking = np.flatnonzero(~related.any(axis=1))
    if lacking.size:
        raise InputError(f"query {lacking[0] + 1} has nothing that is related to it; leave it out")
    best = np.where(related, similarity, -np.inf).max(axis=1, keepdims=True)
    found: NDArray[np.int64] = 1 + ((similarity >= best) & ~related).sum(axis=1)
    return found


def measure_retrieval(
    by_picture: Similarities, by_text: Similarities, texts_of: Sequence[Sequence[int]], groups: Sequence[str], *,
    seed: int = 0,
) -> Measured:  # fmt: skip
    """All metrics of P pictures and T texts, compared by recall at 1, the mean of both directions.

    by_picture, by_text: give the similarities of some pictures with all texts, and of some texts with all pictures, so
    that no more than a few million are held. texts_of: the places of the texts of each picture; a text may be true of
    several pictures, and a picture have several. groups: of each picture; a text is in the group of its first picture.
    The candidates stay the same in all draws. Raises InputError as ``ranks``.
    """
    weights = draw_weights(groups, seed)
    pictures_of: list[list[int]] = [[] for _ in range(1 + max(max(places, default=-1) for places in texts_of))]
    for picture, places in enumerate(texts_of):
        for text in places:
            pictures_of[text].append(picture)
    first = [places[0] for places in pictures_of]
    both = {
        "picture to text": (weights, _ranks_in_blocks(by_picture, texts_of, len(pictures_of))),
        "text to picture": (weights[:, first], _ranks_in_blocks(by_text, pictures_of, len(texts_of))),
    }
    values = dict[str, Float64s]()
    for direction, (own, found) in both.items():
        total = own.sum(axis=1)
        values |= {f"recall at {depth}, {direction}": ratio(own @ (found <= depth), total) for depth in DEPTHS}
        values |= {f"mean rank, {direction}": ratio(own @ found, total)}
        values |= {f"median rank, {direction}": _medians(own, found)}
    main = (values["recall at 1, picture to text"] + values["recall at 1, text to picture"]) / 2
    values = {"recall at 1": main, **values}
    return Measured(
        rows=len(texts_of), groups=len(set(groups)), metric="recall at 1", draws=main,
        estimates={name: estimated(one) for name, one in values.items()},
    )  # fmt: skip


def _ranks_in_blocks(
    similarities: Similarities, related: Sequence[Sequence[int]], candidates: int
) -> NDArray[np.int64]:
    """``ranks`` of all queries [Q]; related: the places of what is related to each."""
    step = max(1, _MOST_HELD // candidates)
    found = []
    for start in range(0, len(related), step):
        own = related[start : start + step]
        is_related = np.zeros((len(own), candidates), np.bool_)
        for row, places in enumerate(own):
            is_related[row, places] = True
        found.append(ranks(similarities(slice(start, start + len(own))), is_related))
    return np.concatenate(found)


def _medians(weights: Float64s, found: NDArray[np.int64]) -> Float64s:
    """The lower weighted median of each draw [R]."""
    order = np.argsort(found, kind="stable")
    passed = weights[:, order].cumsum(axis=1)
    places = (passed >= passed[:, -1:] / 2).argmax(axis=1)
    medians: Float64s = np.where(passed[:, -1] > 0, found[order][places], np.nan)
    return medians
