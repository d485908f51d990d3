"""From scores to probabilities by a sigmoid that is fitted to labelled pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..scales import Wide, sigmoid
from .metrics import Labels, Scores, checked

MOST_STEPS = 100
MOST_HALVINGS = 60
#: Where the gradient counts as 0, for each pair.
_FLAT = 1e-10


def fit_platt(scores: Scores, labels: Labels) -> tuple[float, float]:
    """Slope and intercept of p = sigmoid(slope * score + intercept).

    The labels are softened as Platt did, so that there is an answer also where a threshold parts them without error.
    Source: Platt 1999; by Newton's method with halved steps, after Lin, Lin & Weng 2007 ("A note on Platt's
    probabilistic outputs for support vector machines").
    Raises InputError for scores that are not finite or all equal, and for labels of one kind alone.
    """
    is_match, values = checked(labels, scores)
    mean, spread = values.mean(), values.std()
    # the spread of equal numbers may be a rounding error, and that of the smallest numbers 0
    if values.min() == values.max() or not spread:
        raise InputError(f"all scores are {values[0]:g}, which tells no pair from another; give pairs that differ")
    # numbers around 0 and of size 1, whatever the scale, so that steps and gradients have a size too
    ours = (values - mean) / spread
    slope, intercept = _newton(np.stack([ours, np.ones_like(ours)]), _softened(is_match))
    return float(slope / spread), float(intercept - slope * mean / spread)


def _softened(is_match: NDArray[np.bool_]) -> Wide:
    """Targets a little off 1 and 0: what the labels say after one more pair of each kind."""
    positives = int(is_match.sum())
    negatives = len(is_match) - positives
    return np.where(is_match, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _newton(inputs: Wide, targets: Wide) -> Wide:
    """The two weights [2] of least cross-entropy; inputs: [2, N]."""
    weights = np.zeros(2)
    loss = _loss(weights @ inputs, targets)
    for _ in range(MOST_STEPS):
        shares = sigmoid(weights @ inputs)
        gradient = inputs @ (shares - targets)
        if np.abs(gradient).max() <= _FLAT * len(targets):
            break
        curvature = (inputs * (shares * (1 - shares))) @ inputs.T + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        for halving in range(MOST_HALVINGS):
            nearer = weights - step / 2**halving
            if (less := _loss(nearer @ inputs, targets)) <= loss:
                break
        else:
            # no step is better: as near as the numbers allow
            break
        weights, loss = nearer, less
    return weights


def _loss(logits: Wide, targets: Wide) -> float:
    """Cross-entropy, summed, for logits of any size."""
    return float((np.logaddexp(0, logits) - targets * logits).sum())
