"""What all methods of learning a head have in common, and cross-validation for those without a formula for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...encoding.features import Vectors
from ...scoring.scales import Float64s, softmax
from ..measures.classes import log_loss
from .head import Examples, HeadKind
from .pool import Pool
from .temperature import fit_temperature

#: Rows that settings are compared on.
_MOST_COMPARED = 2000
#: The values that a method is tried with, by name; empty for a method without any.
Setting = Mapping[str, float]
#: Gives the logits of a head that learnt from a pool with a setting [N, K], for unit vectors [N, D].
Predict = Callable[[Pool, Vectors], list[Float64s]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """The numbers of a head before its temperature: weights [K, D], bias [K]."""

    weights: NDArray[np.floating]
    bias: NDArray[np.floating]
    examples: Examples | None = None


class Method(Protocol):
    """One method on one pool."""

    kind: HeadKind
    #: What is tried; at least one.
    settings: tuple[Setting, ...]

    def left_out(self) -> list[Float64s]:
        """For each setting, the logits of all rows [N, K] by heads that learnt from none of their group.

        What it gives for rows that are not ``checkable`` means nothing.
        """

    def losses(self, left_out: Sequence[Float64s]) -> list[float]:
        """The losses by which settings are compared; the least is chosen, of equal ones the last."""

    def parts(self, setting: Setting) -> Parts:
        """The head from all rows."""


def cross_validated(pool: Pool, predict: Predict, settings: int) -> list[Float64s]:
    """What ``Method.left_out`` gives, by learning anew for each fold.

    predict: gives one array for each of so many settings.
    """
    logits = [np.zeros((len(pool), len(pool.classes))) for _ in range(settings)]
    for fold in pool.folds():
        for own, found in zip(logits, predict(pool.rows(~fold), pool.features[fold]), strict=True):
            own[fold] = found
    return logits


def log_losses(left_out: Sequence[Float64s], pool: Pool) -> list[float]:
    """The mean log-loss of each setting at its best temperature, on at most 2,000 rows.

    Errors alone, which are few, would choose by luck among many settings.
    """
    rows = np.flatnonzero(pool.checkable)
    rows = rows[:: -(-len(rows) // _MOST_COMPARED)]
    labels = pool.labels[rows]
    losses = []
    for logits in left_out:
        shares = softmax(logits[rows] / fit_temperature(logits[rows], labels))
        losses.append(log_loss(shares, labels))
    return losses
