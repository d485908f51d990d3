"""Metrics of finding the texts of pictures among all texts, and the pictures of texts among all pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....errors import InputError
from ...scoring.scales import Float64s
from .estimates import Measured, draw_weights, estimated, ratio

#: The k of recall at k.
DEPTHS = (1, 5, 10)


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
    similarity: NDArray[np.floating], related: NDArray[np.bool_], groups: Sequence[str], *, seed: int = 0
) -> Measured:
    """All metrics of P pictures and T texts, compared by recall at 1, the mean of both directions.

    similarity, related: [P, T]; a text may be true of several pictures, and a picture have several. groups: of each
    picture; a text is in the group of its first picture. The candidates stay the same in all draws.
    """
    weights = draw_weights(groups, seed)
    first = related.argmax(axis=0)
    both = {
        "picture to text": (weights, ranks(similarity, related)),
        "text to picture": (weights[:, first], ranks(similarity.T, related.T)),
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
        rows=len(similarity), groups=len(set(groups)), metric="recall at 1", draws=main,
        estimates={name: estimated(one) for name, one in values.items()},
    )  # fmt: skip


def _medians(weights: Float64s, found: NDArray[np.int64]) -> Float64s:
    """The lower weighted median of each draw [R]."""
    order = np.argsort(found, kind="stable")
    passed = weights[:, order].cumsum(axis=1)
    places = (passed >= passed[:, -1:] / 2).argmax(axis=1)
    medians: Float64s = np.where(passed[:, -1] > 0, found[order][places], np.nan)
    return medians
