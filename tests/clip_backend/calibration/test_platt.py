from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.calibration.calibration import fit_platt
from clip_grid.errors import InputError
from hypothesis import assume, given
from hypothesis import strategies as st


def drawn(count, *, share=0.4, gap=0.06, seed=0):
    """Cosines as CLIP has them: others around 0.2, matches a little above."""
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < share
    return rng.normal(0.2, 0.04, count) + gap * labels, labels


def softened(labels):
    positives, negatives = sum(labels), len(labels) - sum(labels)
    return np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def probabilities(weights, scores):
    return 1 / (1 + np.exp(-(weights[0] * np.asarray(scores) + weights[1])))


def gradient(weights, scores, labels):
    """Of the cross-entropy, for scores of size 1: 0 where it is least."""
    off = probabilities(weights, scores) - softened(labels)
    return np.array([off @ ((scores - scores.mean()) / scores.std()), off.sum()]) / len(labels)


@pytest.mark.parametrize(
    ("count", "share", "gap"), [(12, 0.5, 0.1), (500, 0.4, 0.06), (3000, 0.02, 0.05), (400, 0.5, 0)]
)
def test_the_probabilities_are_those_of_scikit_learns_logistic_regression_on_the_softened_labels(count, share, gap):
    linear = pytest.importorskip("sklearn.linear_model")
    scores, labels = drawn(count, share=share, gap=gap)

    weights = fit_platt(scores, labels)

    # a target of 0.9 is a match of weight 0.9 and a mismatch of weight 0.1
    targets, rows = softened(labels), ((scores - scores.mean()) / scores.std())[:, None]
    model = linear.LogisticRegression(C=1e10, tol=1e-10, max_iter=1000)
    model.fit(np.vstack([rows, rows]), np.repeat([1, 0], count), sample_weight=np.concatenate([targets, 1 - targets]))
    assert np.abs(probabilities(weights, scores) - model.predict_proba(rows)[:, 1]).max() < 1e-4


def test_the_probabilities_are_those_of_scikit_learns_calibration():
    calibration = pytest.importorskip("sklearn.calibration")
    scores, labels = drawn(800)

    weights = fit_platt(scores, labels)

    # not public, but Platt's own method; its sigmoid has the other sign
    slope, intercept = calibration._sigmoid_calibration(scores, labels.astype(int))
    assert np.abs(probabilities(weights, scores) - probabilities((-slope, -intercept), scores)).max() < 1e-4


def test_labels_that_a_threshold_parts_without_error_have_an_answer_too():
    scores = np.array([0.1, 0.12, 0.15, 0.3, 0.31, 0.4])
    labels = scores > 0.2

    weights = fit_platt(scores, labels)

    assert np.isfinite(weights).all()
    assert 0.15 < -weights[1] / weights[0] < 0.3
    assert np.abs(gradient(weights, scores, labels)).max() < 1e-8


@given(st.integers(2, 60), st.floats(-0.2, 0.2), st.integers(0, 1000))
def test_no_other_sigmoid_fits_better(count, gap, seed):
    scores, labels = drawn(count, gap=gap, seed=seed)
    assume(0 < labels.sum() < count)

    weights = fit_platt(scores, labels)

    assert np.abs(gradient(weights, scores, labels)).max() < 1e-8


@given(st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_another_scale_and_origin_of_scores_gives_the_same_probabilities(scale, shift):
    scores, labels = drawn(60)

    moved = fit_platt(scale * scores + shift, labels)

    expected = probabilities(fit_platt(scores, labels), scores)
    assert probabilities(moved, scale * scores + shift) == pytest.approx(expected, abs=1e-6)


def test_swapped_labels_turn_the_slope_round():
    scores, labels = drawn(200)

    slope, intercept = fit_platt(scores, labels)

    assert fit_platt(scores, ~labels) == pytest.approx((-slope, -intercept), rel=1e-6)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.2, 0.2, 0.2], [1, 0, 1], "all scores are 0.2, which tells no pair from another"),
        ([0.1, float("nan")], [1, 0], "score of row 2 is nan"),
        ([0.1, 0.2], [1, 1], "both kinds"),
    ],
)
def test_what_cannot_be_fitted_is_refused(scores, labels, message):
    with pytest.raises(InputError, match=message):
        fit_platt(scores, labels)
