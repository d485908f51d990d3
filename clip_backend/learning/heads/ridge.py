"""Ridge regression on targets of 1 and -1, with the exact error of rows that are left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...scoring.scales import Float64s
from .head import HeadKind
from .method import Parts, Setting
from .pool import Ints, Pool

#: The penalties that are tried: half decades, on sums over unit vectors.
PENALTIES = tuple(float(value) for value in np.logspace(-4, 2, 13))


class Ridge:
    """Least squares plus penalty * |W|², with an intercept that is not penalised, for any penalty at once.

    inputs: [N, D]. targets: [N, T]. One eigen-decomposition serves all penalties.
    """

    def __init__(self, inputs: Float64s, targets: Float64s) -> None:
        self._mean, self._target_mean = inputs.mean(axis=0), targets.mean(axis=0)
        self._inputs, self._targets = inputs - self._mean, targets - self._target_mean
        rows, width = inputs.shape
        if rows <= width:
            values, self._left = np.linalg.eigh(self._inputs @ self._inputs.T)
        else:
            values, right = np.linalg.eigh(self._inputs.T @ self._inputs)
            lengths = np.sqrt(np.maximum(values, 0))
            kept = lengths > lengths.max(initial=0.0) * 1e-12
            values, self._left = values[kept], self._inputs @ right[:, kept] / lengths[kept]
        #: Squared singular values of the centred inputs [R].
        self._values = np.maximum(values, 0)
        self._projected = self._left.T @ self._targets

    def solution(self, penalty: float) -> tuple[Float64s, Float64s]:
        """Weights [D, T] and intercept [T]: predictions are inputs @ weights + intercept."""
        # W = Xᵀ (X Xᵀ + s I)⁻¹ Y
        weights = self._inputs.T @ (self._left @ (self._projected / (self._values + penalty)[:, None]))
        return weights, self._target_mean - self._mean @ weights

    def left_out(self, penalty: float, groups: Ints) -> Float64s:
        """The prediction for each row [N, T] by the solution from all rows but those of its own group.

        groups: the group of each row [N], at least two. With H the matrix that turns targets into predictions, the
        residuals of a left out group G are (I - H_GG)⁻¹ times its residuals. Source: Allen 1974 (PRESS), for one row.
        """
        shrunk = self._values / (self._values + penalty)
        residuals = self._targets - self._left @ (shrunk[:, None] * self._projected)
        own = (self._left**2 * shrunk).sum(axis=1) + 1 / len(self._targets)
        left = residuals / np.maximum(1 - own, 1e-12)[:, None]
        _, counts = np.unique(groups, return_counts=True)
        for rows in np.split(np.argsort(groups, kind="stable"), np.cumsum(counts)[:-1]):
            if len(rows) == 1:
                continue
            block = self._left[rows] * shrunk @ self._left[rows].T + 1 / len(self._targets)
            left[rows] = np.linalg.solve(np.eye(len(rows)) - block, residuals[rows])
        predictions: Float64s = self._targets + self._target_mean - left
        return predictions


def class_targets(labels: Ints, classes: int) -> Float64s:
    """1 for the own class and -1 for the others [N, K]."""
    targets = np.full((len(labels), classes), -1.0)
    targets[np.arange(len(labels)), labels] = 1
    return targets


class RidgeMethod:
    """A head by ridge regression; its setting is the penalty."""

    kind: HeadKind = "ridge"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._ridge = Ridge(pool.features.astype(np.float64), class_targets(pool.labels, len(pool.classes)))
        self.settings: tuple[Setting, ...] = tuple({"penalty": penalty} for penalty in PENALTIES)

    def left_out(self) -> list[Float64s]:
        return [self._ridge.left_out(penalty, self._pool.group_of) for penalty in PENALTIES]

    def losses(self, left_out: Sequence[Float64s]) -> list[float]:
        """The squared errors."""
        rows = self._pool.checkable
        targets = class_targets(self._pool.labels, len(self._pool.classes))
        return [float(((logits - targets)[rows] ** 2).mean()) for logits in left_out]

    def parts(self, setting: Setting) -> Parts:
        weights, intercept = self._ridge.solution(setting["penalty"])
        return Parts(weights=weights.T, bias=intercept)
