"""Ridge regression, against scikit-learn and against refitting without each row or group."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.learning.heads.ridge import PENALTIES, Ridge, class_targets
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.linear_model import RidgeClassifierCV


def data(rows, width, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    inputs = rng.standard_normal((rows, width)) + rng.standard_normal((classes, width))[labels]
    return inputs / np.linalg.norm(inputs, axis=1, keepdims=True), labels


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (12, 12)])
@pytest.mark.parametrize("penalty", [1e-4, 0.1, 10.0])
def test_the_solution_is_that_of_scikit_learn(shape, penalty):
    inputs, labels = data(*shape)
    targets = class_targets(labels, 3)

    weights, intercept = Ridge(inputs, targets).solution(penalty)

    known = SklearnRidge(alpha=penalty, solver="cholesky").fit(inputs, targets)
    np.testing.assert_allclose(weights, known.coef_.T, atol=1e-8)
    np.testing.assert_allclose(intercept, known.intercept_, atol=1e-9)


@pytest.mark.parametrize("shape", [(20, 50), (50, 20)])
@pytest.mark.parametrize("penalty", [1e-3, 1.0])
def test_left_out_rows_get_what_refitting_without_them_predicts(shape, penalty):
    inputs, labels = data(*shape)
    targets = class_targets(labels, 3)

    found = Ridge(inputs, targets).left_out(penalty, np.arange(len(inputs)))

    for row in range(len(inputs)):
        kept = np.arange(len(inputs)) != row
        weights, intercept = Ridge(inputs[kept], targets[kept]).solution(penalty)
        np.testing.assert_allclose(found[row], inputs[row] @ weights + intercept, atol=1e-9)


def test_left_out_groups_get_what_refitting_without_them_predicts():
    inputs, labels = data(24, 40)
    targets, groups = class_targets(labels, 3), np.array([0, 0, 0, 1, 1, *range(2, 21)])

    found = Ridge(inputs, targets).left_out(0.1, groups)

    for group in range(21):
        kept = groups != group
        weights, intercept = Ridge(inputs[kept], targets[kept]).solution(0.1)
        np.testing.assert_allclose(found[~kept], inputs[~kept] @ weights + intercept, atol=1e-9)


def test_the_penalty_of_least_left_out_error_is_that_of_scikit_learn():
    inputs, labels = data(60, 30, seed=4)
    targets = class_targets(labels, 3)
    ridge = Ridge(inputs, targets)

    errors = [((ridge.left_out(one, np.arange(60)) - targets) ** 2).mean() for one in PENALTIES]

    known = RidgeClassifierCV(alphas=PENALTIES).fit(inputs, labels)
    assert PENALTIES[int(np.argmin(errors))] == pytest.approx(known.alpha_)


def test_equal_rows_have_a_solution():
    ridge = Ridge(np.ones((6, 4)), class_targets(np.array([0, 1, 0, 1, 0, 1]), 2))

    weights, intercept = ridge.solution(1e-4)

    np.testing.assert_allclose(np.ones(4) @ weights + intercept, 0, atol=1e-9)
