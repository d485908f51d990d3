"""What all methods of learning a head have in common, and cross-validation for those without a formula for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...encoding.features import Vectors
from ...scoring.scales import Float64s, softmax
from .head import Examples, HeadKind
from .pool import Pool
from .temperature import fit_temperature

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

    def loss(self, logits: Float64s) -> float:
        """By which settings are compared; the least is chosen, of equal ones the last."""

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


def error_loss(logits: Float64s, pool: Pool) -> float:
    """The share of errors, and between equal ones the log-loss at its best temperature.

    The log-loss only parts settings with as many errors: it is scaled to less than one error.
    """
    rows = pool.checkable
    errors = int((logits[rows].argmax(axis=1) != pool.labels[rows]).sum())
    shares = softmax(logits[rows] / fit_temperature(logits[rows], pool.labels[rows]))
    own = np.maximum(shares[np.arange(len(shares)), pool.labels[rows]], 1e-12)
    # at most -ln 1e-12 = 27.6
    return (errors + float(-np.log(own).mean()) / 28) / max(len(shares), 1)
