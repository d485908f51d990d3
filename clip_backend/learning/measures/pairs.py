"""Metrics of probabilities that pairs match."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...calibration.metrics import average_precision, checked, roc_auc
from ...scoring.scales import Float64s
from .classes import LEAST_PROBABILITY, calibration_errors
from .estimates import Measured, draw_weights, estimated, ratio

_POINTS = 50


def best_f1_threshold(labels: NDArray[np.bool_], scores: Float64s) -> float:
    """The score from which on a pair counts as a match, for the highest F1; of equally good ones the highest.

    To be chosen on pairs that the threshold is not measured on.
    """
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    f1 = 2 * hits[ends] / (labels.sum() + ends + 1)
    return float(scores[order][ends[int(np.argmax(f1))]])


def measure_pairs(
    scores: Float64s, probabilities: Float64s, labels: Sequence[bool] | NDArray[np.bool_], groups: Sequence[str],
    *, f1_threshold: float, metric: str = "ROC-AUC", seed: int = 0,
) -> Measured:  # fmt: skip
    """All metrics of N pairs, compared by ``metric``: "ROC-AUC", or "log-loss", of which less is better.

    scores: any number that is higher for better matches, by which pairs are ordered. probabilities: 0..1, a match from
    0.5 on. f1_threshold: of the scores, chosen on other pairs. groups: of each pair; the interval draws whole groups.
    Raises InputError for labels of one kind alone.
    """
    is_match, values = checked(labels, scores)
    weights = draw_weights(groups, seed)
    found = probabilities >= 0.5
    total = weights.sum(axis=1)
    right = (found == is_match).astype(np.float64)
    above = (values >= f1_threshold).astype(np.float64)
    own = np.maximum(np.where(is_match, probabilities, 1 - probabilities), LEAST_PROBABILITY)
    two = np.stack([1 - probabilities, probabilities], axis=1)
    sides = np.stack([~is_match, is_match], axis=1).astype(np.float64)
    areas, precisions = _areas(weights, is_match, values)
    values_of = {
        "ROC-AUC": areas,
        "average precision": precisions,
        "accuracy": ratio(weights @ right, total),
        "balanced accuracy": ratio(weights @ (sides * right[:, None]), weights @ sides).mean(axis=1),
        "F1": ratio(2 * (weights @ (above * is_match)), weights @ is_match.astype(np.float64) + weights @ above),
        "log-loss": ratio(weights @ -np.log(own), total),
        "Brier score": ratio(weights @ (probabilities - is_match) ** 2, total),
        "ECE, equal mass": calibration_errors(weights, two, is_match.astype(np.int64)),
        "ECE, equal width": calibration_errors(weights, two, is_match.astype(np.int64), equal_mass=False),
    }
    return Measured(
        rows=len(values), groups=len(set(groups)), metric=metric,
        estimates={name: estimated(one) for name, one in values_of.items()},
        draws=-values_of[metric] if metric == "log-loss" else values_of[metric],
        confusion=tuple(
            tuple(int(((is_match == bool(true)) & (found == bool(said))).sum()) for said in (0, 1)) for true in (0, 1)
        ),
        curve=_curve(is_match, values),
    )  # fmt: skip


def _areas(weights: Float64s, is_match: NDArray[np.bool_], scores: Float64s) -> tuple[Float64s, Float64s]:
    """ROC-AUC and average precision of each draw [R]: those of ``calibration/metrics.py``, with weights."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) != 0))
    matches = np.add.reduceat((weights * is_match)[:, order], starts, axis=1)
    others = np.add.reduceat((weights * ~is_match)[:, order], starts, axis=1)
    above = matches.cumsum(axis=1)
    wins = (others * (above - matches / 2)).sum(axis=1)
    areas = ratio(wins, matches.sum(axis=1) * others.sum(axis=1))
    precision = ratio(above, above + others.cumsum(axis=1))
    mean = ratio((matches * np.nan_to_num(precision)).sum(axis=1), matches.sum(axis=1))
    areas[0], mean[0] = roc_auc(is_match, scores), average_precision(is_match, scores)
    return areas, mean


def _curve(is_match: NDArray[np.bool_], scores: Float64s) -> tuple[tuple[float, float], ...]:
    """At most 50 points (recall, precision), from the highest score down."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(is_match[order])
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    kept = ends[np.unique(np.linspace(0, len(ends) - 1, min(_POINTS, len(ends))).astype(int))]
    return tuple((float(hits[end] / hits[-1]), float(hits[end] / (end + 1))) for end in kept)
