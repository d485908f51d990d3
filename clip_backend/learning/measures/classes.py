"""Metrics of probabilities of classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...scoring.scales import Float64s
from .estimates import Measured, draw_weights, estimated, ratio

Ints = NDArray[np.int64]
#: Bins of the expected calibration error, and the least rows of a bin of equal mass.
BINS, LEAST_IN_BIN = 15, 10
#: Probabilities of all draws of labels together.
_MOST_DRAWN = 20_000_000
#: Probabilities are taken to be at least this, so that the log-loss is finite.
LEAST_PROBABILITY = 1e-15


def log_loss(probabilities: Float64s, labels: Ints) -> float:
    """The mean of -ln of the probability of the true class; [N, K] and [N]."""
    return float(_log_losses(probabilities, labels).mean())


def expected_calibration_error(probabilities: Float64s, labels: Ints, *, equal_mass: bool = True) -> float:
    """How far the share of right rows lies from their probability, 0..1, as a mean over bins weighted by rows.

    equal_mass: bins of about as many rows each, at least 10; else 15 bins of equal width. Source: Naeini, Cooper &
    Hauskrecht 2015; Guo et al. 2017.
    """
    return float(calibration_errors(np.ones((1, len(labels))), probabilities, labels, equal_mass=equal_mass)[0])


def calibration_error_by_chance(probabilities: Float64s, draws: int = 100) -> float:
    """The mean expected calibration error of labels that are drawn by the probabilities [N, K] themselves.

    It is what right probabilities measure, since the bins hold few rows: about 0.11 for 64 rows, 0.03 for 2,000. Of
    many rows, whose errors differ little, fewer draws are taken.
    """
    draws = max(1, min(draws, _MOST_DRAWN // probabilities.size))
    random, ends = np.random.default_rng(0), probabilities.cumsum(axis=1)
    errors = []
    for _ in range(draws):
        drawn = (random.random((len(ends), 1)) * ends[:, -1:] >= ends).sum(axis=1)
        errors.append(expected_calibration_error(probabilities, np.minimum(drawn, ends.shape[1] - 1)))
    return float(np.mean(errors))


def measure_classes(probabilities: Float64s, labels: Ints, groups: Sequence[str], *, seed: int = 0) -> Measured:
    """All metrics of N rows [N, K] with their true classes [N], compared by accuracy.

    groups: of each row; the interval draws whole groups. The Brier score is the sum over classes, 0..2.
    """
    weights = draw_weights(groups, seed)
    classes = probabilities.shape[1]
    right, found = _right(probabilities, labels), probabilities.argmax(axis=1)
    own = np.eye(classes)[labels]
    total = weights.sum(axis=1)
    values = {
        "accuracy": ratio(weights @ right, total),
        "balanced accuracy": np.nanmean(ratio(weights @ (own * right[:, None]), weights @ own), axis=1),
        "macro F1": _macro_f1(weights, own, np.eye(classes)[found]),
        "log-loss": ratio(weights @ _log_losses(probabilities, labels), total),
        "Brier score": ratio(weights @ ((probabilities - own) ** 2).sum(axis=1), total),
        "ECE, equal mass": calibration_errors(weights, probabilities, labels),
        "ECE, equal width": calibration_errors(weights, probabilities, labels, equal_mass=False),
    }
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, found), 1)
    return Measured(
        rows=len(labels), groups=len(set(groups)), metric="accuracy", draws=values["accuracy"],
        estimates={name: estimated(one) for name, one in values.items()},
        confusion=tuple(tuple(map(int, row)) for row in confusion),
    )  # fmt: skip


def _right(probabilities: Float64s, labels: Ints) -> Float64s:
    right: Float64s = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    return right


def _log_losses(probabilities: Float64s, labels: Ints) -> Float64s:
    own = np.maximum(probabilities[np.arange(len(labels)), labels], LEAST_PROBABILITY)
    losses: Float64s = -np.log(own)
    return losses


def _bins(sure: Float64s, *, equal_mass: bool) -> Ints:
    """The bin of each row [N]."""
    if not equal_mass:
        # the upper end belongs to a bin, as in the papers
        wide: Ints = np.clip(np.ceil(sure * BINS) - 1, 0, BINS - 1).astype(np.int64)
        return wide
    count = int(np.clip(len(sure) // LEAST_IN_BIN, 1, BINS))
    bins = np.empty(len(sure), np.int64)
    for place, rows in enumerate(np.array_split(np.argsort(sure, kind="stable"), count)):
        bins[rows] = place
    return bins


def calibration_errors(
    weights: Float64s, probabilities: Float64s, labels: Ints, *, equal_mass: bool = True
) -> Float64s:
    """The expected calibration error of each draw [R]; the bins are those of the data. weights: [R, N]."""
    right, sure = _right(probabilities, labels), probabilities.max(axis=1)
    bins = _bins(sure, equal_mass=equal_mass)
    own = np.eye(int(bins.max()) + 1)[bins]
    errors: Float64s = np.abs(weights @ (own * (right - sure)[:, None])).sum(axis=1)
    return ratio(errors, weights.sum(axis=1))


def _macro_f1(weights: Float64s, own: Float64s, found: Float64s) -> Float64s:
    """The mean over classes of 2 * hits / (rows + predictions); a class without either does not count."""
    scores = ratio(2 * (weights @ (own * found)), weights @ own + weights @ found)
    mean: Float64s = np.nanmean(scores, axis=1)
    return mean
