"""The temperature that makes the probabilities of logits mean what they say."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...scoring.scales import Float64s

#: Logits are divided by at least and at most this, relative to their own spread.
_BOUNDS = (1e-4, 1e4)
_STEPS = 30


def fit_temperature(logits: Float64s, labels: NDArray[np.int64]) -> float:
    """The divisor of logits [N, K] with the least log-loss of their softmax on the labels [N]; above 0.

    Log-loss is convex in 1 / temperature, so its derivative is brought to 0 by bisection. Where right logits are
    always the highest it has no minimum, and the least temperature within bounds stands for it: the one at which a
    picture of N+1 would be wrong, by Laplace's rule of succession. Source: Guo et al. 2017, section 4.2.
    """
    spread = float(np.abs(logits - logits.mean(axis=1, keepdims=True)).mean())
    if not spread:
        # all classes are equally likely whatever the divisor is
        return 1.0
    low, high = math.log(_BOUNDS[0] / spread), math.log(_BOUNDS[1] / spread)
    smoothed = _smoothed(labels, logits.shape[1])
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _slope(logits, smoothed, math.exp(middle)) > 0:
            high = middle
        else:
            low = middle
    return 1 / math.exp((low + high) / 2)


def _smoothed(labels: NDArray[np.int64], classes: int) -> Float64s:
    """Targets near 1 and 0 rather than equal to them, as Platt 1999 has them."""
    targets = np.full((len(labels), classes), 1 / (len(labels) + classes))
    targets[np.arange(len(labels)), labels] += len(labels) / (len(labels) + classes)
    return targets


def _slope(logits: Float64s, targets: Float64s, factor: float) -> float:
    """The derivative of the mean log-loss by the factor of the logits."""
    scaled = logits * factor
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    return float(((shares - targets) * logits).sum(axis=1).mean())
