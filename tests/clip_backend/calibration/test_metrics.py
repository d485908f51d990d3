from __future__ import annotations

import math

import numpy as np
import pytest
from clip_grid.clip_backend.calibration.metrics import (
    accuracy,
    average_precision,
    best_threshold,
    roc_auc,
    roc_auc_interval,
)
from clip_grid.errors import InputError
from hypothesis import assume, given
from hypothesis import strategies as st

#: Few values, so that ties are frequent, and some that are next to each other.
VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, 0.25, 0.3, 0.1 + 0.2, -1.0, 1e308, -1e308, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)


@st.composite
def labelled(draw):
    pairs = draw(st.lists(st.tuples(st.booleans(), VALUES), min_size=2, max_size=30))
    labels = [label for label, _ in pairs]
    assume(True in labels and False in labels)
    return labels, [score for _, score in pairs]


# against the definition


@given(labelled())
def test_roc_auc_is_how_often_a_match_beats_a_mismatch(pairs):
    labels, scores = pairs

    found = roc_auc(labels, scores)

    wins = [
        (ours > theirs) + (ours == theirs) / 2
        for ours, label in zip(scores, labels, strict=True) if label
        for theirs, other in zip(scores, labels, strict=True) if not other
    ]  # fmt: skip
    assert found == pytest.approx(sum(wins) / len(wins), abs=1e-12)


@given(labelled())
def test_the_best_threshold_is_the_highest_of_the_best(pairs):
    labels, scores = pairs

    found = best_threshold(labels, scores)

    best = max(sorted(scores, reverse=True), key=lambda cut: balance_at(cut, labels, scores))
    assert [score >= found for score in scores] == [score >= best for score in scores]


def balance_at(cut, labels, scores):
    matches = [score >= cut for score, label in zip(scores, labels, strict=True) if label]
    others = [score >= cut for score, label in zip(scores, labels, strict=True) if not label]
    return sum(matches) / len(matches) - sum(others) / len(others)


# against scikit-learn


@given(labelled())
def test_roc_auc_and_average_precision_are_those_of_scikit_learn(pairs):
    metrics = pytest.importorskip("sklearn.metrics")
    labels, scores = pairs
    # its curve takes differences of scores, which overflow
    assume(max(map(abs, scores)) < 1e300)

    assert roc_auc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(
        metrics.average_precision_score(labels, scores), abs=1e-12
    )


def test_the_best_threshold_has_the_balanced_accuracy_of_scikit_learns_roc_curve():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    labels = rng.random(500) < 0.3
    scores = rng.normal(0.2, 0.05, 500) + 0.06 * labels

    cut = best_threshold(labels, scores)

    false, true, _ = metrics.roc_curve(labels, scores)
    assert 2 * metrics.balanced_accuracy_score(labels, scores >= cut) - 1 == pytest.approx(np.max(true - false))


def test_accuracy_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    truth, said = rng.random((2, 50)) < 0.5

    assert accuracy(truth, said) == metrics.accuracy_score(truth, said)


# by hand


def test_a_perfect_order_and_its_reverse():
    assert roc_auc([1, 1, 0], [0.9, 0.8, 0.1]) == 1
    assert roc_auc([0, 0, 1], [0.9, 0.8, 0.1]) == 0
    assert average_precision([1, 0, 1], [3, 2, 1]) == pytest.approx((1 + 2 / 3) / 2)


def test_the_best_threshold_lies_halfway_to_the_next_lower_score():
    assert best_threshold([0, 0, 1, 1], [0.125, 0.25, 0.75, 1.0]) == 0.5


def test_neighbouring_floats_are_parted_too():
    low, high = 0.3, math.nextafter(0.3, 1)

    assert best_threshold([0, 1], [low, high]) == high


def test_a_shuffle_changes_no_metric():
    rng = np.random.default_rng(1)
    labels, scores = rng.random(99) < 0.5, np.round(rng.random(99), 1)
    order = rng.permutation(99)

    for metric in (roc_auc, average_precision, best_threshold):
        assert metric(labels[order], scores[order]) == pytest.approx(metric(labels, scores), abs=1e-12)


def test_a_hundred_thousand_pairs_need_no_table_of_all_against_all():
    labels = np.arange(100_000) % 2 == 0

    assert roc_auc(labels, np.zeros(100_000)) == 0.5


# Hanley & McNeil


def test_the_interval_is_that_of_hanley_and_mcneil():
    # their example: an area of 0.893 from 51 abnormal and 58 normal pictures has a standard error of 0.032
    low, high = roc_auc_interval(0.893, 51, 58)

    assert (high - 0.893) / 1.96 == pytest.approx(0.032, abs=0.001)
    assert high - 0.893 == pytest.approx(0.893 - low)


def test_the_interval_covers_the_true_area_in_95_of_100_draws():
    rng = np.random.default_rng(2)
    labels = np.arange(120) < 60
    true = 0.5 * (1 + math.erf(1.2 / 2))

    covered = 0
    for _ in range(400):
        area = roc_auc(labels, rng.normal(size=120) + 1.2 * labels)
        low, high = roc_auc_interval(area, 60, 60)
        covered += low <= true <= high

    assert 0.92 <= covered / 400 <= 0.98


def test_a_perfect_area_of_few_pairs_is_not_certain():
    low, high = roc_auc_interval(1.0, 5, 5)

    assert 0.8 < low < 0.99
    assert high == 1
    assert roc_auc_interval(1.0, 500, 500)[0] > 0.999


def test_the_interval_of_one_pair_is_everything():
    assert roc_auc_interval(1.0, 1, 1) == pytest.approx((0.02, 1), abs=0.01)


# bad input

MEASURES = [roc_auc, average_precision, best_threshold]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1], [0.1, 0.2], "both kinds, but all are matches; give pairs that match and pairs that do not"),
        ([0], [0.1], "both kinds, but all are mismatches"),
        ([], [], "both kinds, but there are none"),
        ([1, 0, 1], [0.1, 0.2], "3 labels but 2 scores"),
        ([1, 0, 1], [0.1, math.nan, 0.2], "score of row 2 is nan; leave the row out"),
        ([1, 0, 1], [0.1, 0.2, -math.inf], "score of row 3 is -inf"),
        ([1, 0, 2], [0.1, 0.2, 0.3], "label of row 3 is 2"),
        ([1, math.nan], [0.1, 0.2], "label of row 2 is nan"),
    ],
)
def test_bad_input_is_named(measure, labels, scores, message):
    with pytest.raises(InputError, match=message):
        measure(labels, scores)


@pytest.mark.parametrize(("area", "positives", "negatives"), [(1.5, 3, 3), (math.nan, 3, 3), (0.5, 0, 3), (0.5, 3, 0)])
def test_there_is_no_interval_without_pairs(area, positives, negatives):
    with pytest.raises(InputError, match="no interval"):
        roc_auc_interval(area, positives, negatives)
