"""Scores on a model's own scale, against the formulas written out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from clip_grid.clip_backend.scoring.scales import clip_score, logits, share_beside, sigmoid, softmax


def test_the_share_beside_others_is_that_of_a_softmax_over_it_and_them():
    rng = np.random.default_rng(0)
    own, others = rng.normal(20, 5, (3, 4)), rng.normal(20, 5, (3, 64))

    found = share_beside(own, others)

    for row in range(3):
        for column in range(4):
            alone = softmax(np.append(others[row], own[row, column]))[-1]
            np.testing.assert_allclose(found[row, column], alone, rtol=1e-9)


def test_shares_of_very_large_logits_do_not_overflow():
    np.testing.assert_allclose(
        share_beside(np.array([[9000.0]]), np.array([[-9000.0, 8999.0]])), [[1 / (1 + np.exp(-1))]]
    )


def test_softmax_and_sigmoid_are_the_textbook_formulas():
    values = np.array([[-800.0, 0.0, 3.0], [1.0, 1.0, 1.0]])

    np.testing.assert_allclose(softmax(values).sum(axis=1), 1)
    np.testing.assert_allclose(softmax(values)[1], 1 / 3)
    np.testing.assert_allclose(sigmoid(np.array([-1.0, 0.0, 2.0])), 1 / (1 + np.exp([1.0, 0.0, -2.0])))
    assert sigmoid(np.array([-1e5, 1e5])).tolist() == [0, 1]


def test_logits_are_scaled_cosines_with_the_bias():
    encoder = SimpleNamespace(logit_scale=100.0, logit_bias=-10.0)

    np.testing.assert_allclose(logits(np.float32([[0.25, -0.5]]), encoder), [[15, -60]])


def test_a_clip_score_is_two_and_a_half_times_the_cosine_and_never_negative():
    np.testing.assert_allclose(clip_score(np.float32([0.4, -0.2])), [1.0, 0.0])
