"""Logistic regression, discriminant analysis, Tip-Adapter and temperatures, against scikit-learn and formulas."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.learning.heads.head import Examples, example_logits
from clip_grid.clip_backend.learning.heads.lda import LdaMethod, shrunk_covariance
from clip_grid.clip_backend.learning.heads.logistic import LogisticMethod, fit_logistic
from clip_grid.clip_backend.learning.heads.pool import Pool
from clip_grid.clip_backend.learning.heads.temperature import fit_temperature
from clip_grid.clip_backend.learning.heads.tip import TipMethod
from clip_grid.clip_backend.learning.measures.classes import log_loss
from clip_grid.clip_backend.scoring.scales import softmax
from clip_grid.errors import InputError
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression


def pool(rows=30, width=12, classes=3, seed=0, **changes):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    features = rng.standard_normal((rows, width)) + 2 * rng.standard_normal((classes, width))[labels]
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    given = {
        "features": features, "labels": labels, "classes": tuple("abcdefgh"[:classes]),
        "groups": tuple(map(str, range(rows))),
    }  # fmt: skip
    return Pool(**{**given, **changes})


@pytest.mark.parametrize("cost", [0.1, 10.0, 1000.0])
def test_logistic_regression_is_that_of_scikit_learn(cost):
    own = pool(40, 8)
    inputs = own.features.astype(np.float64)

    weights = fit_logistic(inputs, own.labels, 3, cost)

    known = LogisticRegression(C=cost, tol=1e-10, max_iter=10_000).fit(inputs, own.labels)
    found, expected = softmax(inputs @ weights[:-1] + weights[-1]), known.predict_proba(inputs)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    np.testing.assert_allclose(weights[:-1].T, known.coef_, atol=2e-3 * np.abs(known.coef_).max())


def test_logistic_regression_in_the_span_of_few_rows_is_that_in_all_dimensions():
    own = pool(12, 60)

    parts = LogisticMethod(own).parts({"cost": 10.0})

    whole = fit_logistic(own.features.astype(np.float64), own.labels, 3, 10.0)
    np.testing.assert_allclose(parts.weights.T, whole[:-1], atol=1e-5)


def test_the_covariance_is_shrunk_as_scikit_learn_does():
    rows = np.random.default_rng(1).standard_normal((20, 15)) @ np.diag(np.arange(1.0, 16))

    expected, _ = ledoit_wolf(rows, assume_centered=True)
    np.testing.assert_allclose(shrunk_covariance(rows), expected, atol=1e-9)


def test_discriminant_analysis_is_the_comparison_of_gaussians():
    own = pool(30, 6)
    features = own.features.astype(np.float64)
    means = np.stack([features[own.labels == place].mean(axis=0) for place in range(3)])
    covariance, _ = ledoit_wolf(features - means[own.labels], assume_centered=True)

    parts = LdaMethod(own).parts({})

    def exponent(row, mean):
        return -(row - mean) @ np.linalg.inv(covariance) @ (row - mean) / 2

    expected = softmax(np.array([[exponent(row, mean) for mean in means] for row in features]))
    np.testing.assert_allclose(softmax(features @ parts.weights.T + parts.bias), expected, atol=1e-6)


def test_the_examples_of_tip_adapter_count_as_its_paper_says():
    keys = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    examples = Examples(keys=keys, classes=np.array([0, 1, 1]), alpha=2.0, beta=3.0)

    found = example_logits(np.array([[1, 0]], np.float32), examples, 2)

    # cosines 1, 0, 0.6
    expected = [[2 * 1.0, 2 * (np.exp(-3.0) + np.exp(-3 * 0.4))]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_tip_adapter_needs_texts():
    with pytest.raises(InputError, match="choose a model with a text encoder, or ridge"):
        TipMethod(pool())


def test_the_temperature_is_the_one_of_least_log_loss():
    rng = np.random.default_rng(2)
    logits = rng.standard_normal((400, 4)) * 3
    labels = np.array([rng.choice(4, p=row) for row in softmax(logits / 2.5)])

    found = fit_temperature(logits, labels)

    tried = np.geomspace(0.5, 10, 2000)
    best = tried[int(np.argmin([log_loss(softmax(logits / one), labels) for one in tried]))]
    assert found == pytest.approx(best, rel=0.02)
    assert found == pytest.approx(2.5, rel=0.2)


def test_logits_that_are_always_right_get_a_finite_temperature():
    logits = np.eye(3)[np.arange(9) % 3]

    temperature = fit_temperature(logits, np.arange(9) % 3)

    assert 0.05 < temperature < 5
    assert fit_temperature(np.zeros((4, 2)), np.array([0, 1, 0, 1])) == 1.0


def test_folds_part_no_group_and_leave_every_class_behind():
    groups = tuple("aabbccddeeffgghh")
    own = pool(16, 5, 2, labels=np.repeat([0, 1], 8), groups=groups)

    folds = own.folds()

    assert sum(map(np.array, folds)).tolist() == [1] * 16
    for fold in folds:
        assert not {groups[place] for place in np.flatnonzero(fold)} & {
            groups[place] for place in np.flatnonzero(~fold)
        }
        assert set(own.labels[~fold]) == {0, 1}


def test_a_pool_of_one_class_or_with_an_empty_one_is_refused():
    with pytest.raises(InputError, match="only 'a'; give examples of at least two classes"):
        pool(4, 3, 1)
    with pytest.raises(InputError, match="no picture to learn 'c' from"):
        pool(4, 3, 3, labels=np.array([0, 1, 0, 1]))
