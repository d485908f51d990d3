"""Linear discriminant analysis with one covariance for all classes, shrunk as Ledoit and Wolf do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...encoding.features import Vectors
from ...scoring.scales import Float64s
from .head import HeadKind
from .method import Parts, Setting, cross_validated, log_losses
from .pool import Pool


def shrunk_covariance(residuals: Float64s) -> Float64s:
    """The covariance of centred rows [N, D], drawn towards a multiple of the identity: [D, D].

    Source: Ledoit & Wolf 2004 ("A well-conditioned estimator for large-dimensional covariance matrices"), lemmas 3.2
    to 3.4.
    """
    rows, width = residuals.shape
    sample = residuals.T @ residuals / rows
    mean = np.trace(sample) / width
    # squared distances, each over the width: of the sample from the target, and of single rows from the sample
    distance = ((sample - mean * np.eye(width)) ** 2).sum() / width
    squares = residuals**2
    noise = ((squares.sum(axis=1) ** 2).sum() / rows - (sample**2).sum()) / rows / width
    share = min(noise, distance) / distance if distance > 0 else 1.0
    shrunk: Float64s = share * mean * np.eye(width) + (1 - share) * sample
    return shrunk


class LdaMethod:
    """A head by linear discriminant analysis, which has no setting."""

    kind: HeadKind = "lda"
    settings: tuple[Setting, ...] = ({},)

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def left_out(self) -> list[Float64s]:
        def predict(train: Pool, features: Vectors) -> list[Float64s]:
            parts = _discriminant(train)
            return [features @ parts.weights.T + parts.bias]

        return cross_validated(self._pool, predict, 1)

    def losses(self, left_out: Sequence[Float64s]) -> list[float]:
        return log_losses(left_out, self._pool)

    def parts(self, setting: Setting) -> Parts:
        return _discriminant(self._pool)


def _discriminant(pool: Pool) -> Parts:
    """log of the share of a class + its Gaussian's exponent, without what all classes have in common."""
    features = pool.features.astype(np.float64)
    means = np.stack([features[pool.labels == place].mean(axis=0) for place in range(len(pool.classes))])
    covariance = shrunk_covariance(features - means[pool.labels])
    # equal rows have no spread; the inverse of almost nothing is still finite
    covariance += max(float(np.trace(covariance)) / len(covariance), 1e-12) * 1e-9 * np.eye(len(covariance))
    weights = np.linalg.solve(covariance, means.T).T
    bias = np.log(pool.counts / len(pool)) - (weights * means).sum(axis=1) / 2
    return Parts(weights=weights, bias=bias)
