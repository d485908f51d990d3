"""Metrics of scores against labels of matches and mismatches; messages count rows from 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..scoring.scales import Float64s

Labels = Sequence[bool | int] | NDArray[np.generic]
Scores = Sequence[float] | NDArray[np.floating]
#: Standard errors on either side of a 95 % interval.
_Z95 = 1.959963984540054


def roc_auc(labels: Labels, scores: Scores) -> float:
    """How often a match has a higher score than a mismatch, 0..1; ties count half.

    It is the area under the ROC curve. Source: Mann & Whitney 1947.
    Raises InputError, as all functions here, for lengths that differ, for scores that are not finite, and for labels of
    one kind alone.
    """
    true, false, _ = _cuts(labels, scores)
    # each mismatch with the matches above it, and half of those of its own score
    wins = (np.diff(false, prepend=0.0) * (true - np.diff(true, prepend=0.0) / 2)).sum()
    return float(wins / true[-1] / false[-1])


def roc_auc_interval(area: float, positives: int, negatives: int) -> tuple[float, float]:
    """Where the true area lies with 95 % confidence, within 0..1.

    Source: Hanley & McNeil 1982. Their error of a perfect area is 0, however few pairs there are; it is taken as if
    half a pair were in the wrong order.
    """
    if not (0 <= area <= 1 and positives > 0 and negatives > 0):
        raise InputError(f"there is no interval for an area of {area:g} from {positives} matches, {negatives} others")
    half = 0.5 / (positives * negatives)
    a = min(max(area, half), 1 - half)
    # q1 - a^2 and q2 - a^2 of the paper
    q1, q2 = a / (2 - a) - a * a, 2 * a * a / (1 + a) - a * a
    variance = (a * (1 - a) + (positives - 1) * q1 + (negatives - 1) * q2) / (positives * negatives)
    margin = _Z95 * math.sqrt(max(variance, 0.0))
    return max(0.0, area - margin), min(1.0, area + margin)


def average_precision(labels: Labels, scores: Scores) -> float:
    """The mean precision over the matches, 0..1.

    The sum of (recall step) x precision at each distinct score, not interpolated.
    """
    true, false, _ = _cuts(labels, scores)
    steps = np.diff(true, prepend=0.0) / true[-1]
    return float((steps * true / (true + false)).sum())


def best_threshold(labels: Labels, scores: Scores) -> float:
    """The score from which on a pair should count as a match: the one of highest balanced accuracy.

    It lies halfway to the next lower score; of equally good ones it is the highest. Source: Youden 1950.
    """
    true, false, distinct = _cuts(labels, scores)
    best = int(np.argmax(true / true[-1] - false / false[-1]))
    upper = float(distinct[best])
    if best + 1 == len(distinct):
        return upper
    lower = float(distinct[best + 1])
    middle = upper / 2 + lower / 2
    # neighbouring floats have nothing between them
    return middle if lower < middle <= upper else upper


def accuracy(labels: Labels, are_matches: Labels) -> float:
    """The share of verdicts that agree with their labels, 0..1."""
    truth, verdicts = _as_labels(labels), _as_labels(are_matches)
    _check_lengths(len(truth), len(verdicts), "verdicts")
    return float((truth == verdicts).mean())


def checked(labels: Labels, scores: Scores) -> tuple[NDArray[np.bool_], Float64s]:
    """Labels [N], bool, and scores [N], float64; raises InputError unless both kinds are there and all is finite."""
    is_match, values = _as_labels(labels), np.asarray(scores, np.float64)
    _check_lengths(len(is_match), len(values), "scores")
    broken = np.flatnonzero(~np.isfinite(values))
    if broken.size:
        raise InputError(f"the score of row {broken[0] + 1} is {values[broken[0]]}; leave the row out or score it anew")
    if is_match.all() or not is_match.any():
        what = "all are matches" if is_match.any() else "all are mismatches" if len(is_match) else "there are none"
        raise InputError(f"labels must be of both kinds, but {what}; give pairs that match and pairs that do not")
    return is_match, values


def _as_labels(labels: Labels) -> NDArray[np.bool_]:
    given = np.asarray(labels)
    wrong = np.flatnonzero(~np.isin(given, (0, 1)))
    if wrong.size:
        raise InputError(f"the label of row {wrong[0] + 1} is {given[wrong[0]]}; it must be true or false, or 1 or 0")
    return given.astype(bool)


def _check_lengths(labels: int, others: int, what: str) -> None:
    if labels != others:
        raise InputError(f"there are {labels} labels but {others} {what}; give one for each")


def _cuts(labels: Labels, scores: Scores) -> tuple[Float64s, Float64s, Float64s]:
    """(matches, mismatches, score): each distinct score from the highest down, with the counts at or above it."""
    is_match, values = checked(labels, scores)
    order = np.argsort(-values, kind="stable")
    falling = values[order]
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    true: Float64s = np.cumsum(is_match[order])[ends].astype(np.float64)
    return true, ends + 1 - true, falling[ends]
