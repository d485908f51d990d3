"""Metrics, against scikit-learn and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as known
from clip_grid.clip_backend.learning.measures import retrieval as measures_of_retrieval
from clip_grid.clip_backend.learning.measures.classes import (
    calibration_error_by_chance,
    expected_calibration_error,
    log_loss,
    measure_classes,
)
from clip_grid.clip_backend.learning.measures.pairs import best_f1_threshold, measure_pairs
from clip_grid.clip_backend.learning.measures.retrieval import measure_retrieval, ranks
from clip_grid.clip_backend.scoring.scales import sigmoid, softmax
from clip_grid.errors import InputError


def classes(rows=200, count=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(count, size=rows)
    probabilities = softmax(rng.standard_normal((rows, count)) + 1.5 * np.eye(count)[labels])
    return probabilities, labels, [str(row) for row in range(rows)]


def pairs(rows=150, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < 0.4
    # rounded, so that some are equal
    scores = np.round(rng.standard_normal(rows) + labels, 1)
    return scores, sigmoid(scores - 0.5), labels, [f"{row:03}" for row in range(rows)]


def test_the_metrics_of_classes_are_those_of_scikit_learn():
    probabilities, labels, groups = classes()
    found = measure_classes(probabilities, labels, groups)

    said = probabilities.argmax(axis=1)
    expected = {
        "accuracy": known.accuracy_score(labels, said),
        "balanced accuracy": known.balanced_accuracy_score(labels, said),
        "macro F1": known.f1_score(labels, said, average="macro"),
        "log-loss": known.log_loss(labels, probabilities),
        "Brier score": ((probabilities - np.eye(4)[labels]) ** 2).sum(axis=1).mean(),
    }
    for name, value in expected.items():
        assert found.estimates[name].value == pytest.approx(value), name
    assert found.confusion == tuple(map(tuple, known.confusion_matrix(labels, said).tolist()))


def test_the_metrics_of_pairs_are_those_of_scikit_learn():
    scores, probabilities, labels, groups = pairs()
    found = measure_pairs(scores, probabilities, labels, groups, f1_threshold=0.7)

    said = probabilities >= 0.5
    expected = {
        "ROC-AUC": known.roc_auc_score(labels, scores),
        "average precision": known.average_precision_score(labels, scores),
        "accuracy": known.accuracy_score(labels, said),
        "balanced accuracy": known.balanced_accuracy_score(labels, said),
        "F1": known.f1_score(labels, scores >= 0.7),
        "log-loss": known.log_loss(labels, probabilities),
        "Brier score": known.brier_score_loss(labels, probabilities),
    }
    for name, value in expected.items():
        assert found.estimates[name].value == pytest.approx(value), name


def test_the_area_of_each_draw_is_that_of_the_drawn_pairs():
    scores, probabilities, labels, groups = pairs(60)
    found = measure_pairs(scores, probabilities, labels, groups, f1_threshold=0.5, seed=3)

    # what the first draws of the generator are
    rng = np.random.default_rng(3)
    for draw in range(1, 4):
        rows = np.repeat(np.arange(60), np.bincount(rng.integers(60, size=60), minlength=60))
        assert found.draws[draw] == pytest.approx(known.roc_auc_score(labels[rows], scores[rows]))


def test_the_threshold_of_highest_f1_is_the_one_of_trying_all():
    scores, _, labels, _ = pairs(80, seed=5)

    found = best_f1_threshold(labels, scores)

    tried = {score: known.f1_score(labels, scores >= score) for score in np.unique(scores)}
    assert tried[found] == max(tried.values())


def test_right_probabilities_show_a_calibration_error_by_chance_which_falls_with_the_rows():
    # one bin of 10 rows, each right with probability 0.5: the mean of |wins / 10 - 0.5| is 0.123
    halves = np.full((10, 2), 0.5)

    assert calibration_error_by_chance(halves, 400) == pytest.approx(0.123, abs=0.01)
    assert calibration_error_by_chance(np.full((4000, 2), 0.5)) < 0.03


def test_the_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
    labels = np.array([0, 1, 1, 1])

    # one bin of equal mass: 3 of 4 right, sure of 0.7375 in the mean
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.75 - 0.7375)
    # of equal width each row has its own: 0.1, 0.8, 0.3, 0.45
    assert expected_calibration_error(probabilities, labels, equal_mass=False) == pytest.approx(1.65 / 4)
    assert log_loss(probabilities, labels) == pytest.approx(-np.log([0.9, 0.2, 0.7, 0.55]).mean())


def test_intervals_hold_the_value_and_shrink_with_more_rows():
    few, many = (measure_classes(*classes(rows)).main for rows in (50, 2000))

    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 3


def test_rows_of_one_group_count_as_one():
    probabilities, labels, _ = classes(40)
    alone = measure_classes(probabilities, labels, [str(row) for row in range(40)]).main
    copies = measure_classes(
        np.tile(probabilities, (5, 1)), np.tile(labels, 5), [str(row % 40) for row in range(200)]
    ).main

    assert copies.value == alone.value
    assert copies.high - copies.low == pytest.approx(alone.high - alone.low, rel=0.2)


def retrieval(similarity, related, groups):
    texts_of = [np.flatnonzero(row).tolist() for row in related]
    return measure_retrieval(similarity.__getitem__, similarity.T.__getitem__, texts_of, groups)


def test_retrieval_counts_any_caption_of_a_picture_and_both_directions():
    # two captions of the first picture, one of each other
    related = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], bool)
    similarity = np.array([[0.1, 0.9, 0.5, 0.2], [0.8, 0.1, 0.7, 0.3], [0.2, 0.3, 0.9, 0.1]])

    assert ranks(similarity, related).tolist() == [1, 2, 4]
    assert ranks(similarity.T, related.T).tolist() == [3, 1, 2, 3]
    found = retrieval(similarity, related, ["a", "b", "c"]).estimates
    assert found["recall at 1, picture to text"].value == pytest.approx(1 / 3)
    assert found["recall at 1, text to picture"].value == pytest.approx(1 / 4)
    assert found["recall at 1"].value == pytest.approx((1 / 3 + 1 / 4) / 2)
    assert found["mean rank, picture to text"].value == pytest.approx(7 / 3)
    assert found["median rank, text to picture"].value == 2
    assert found["recall at 5, picture to text"].value == 1


def test_a_model_that_gives_all_the_same_embedding_finds_nothing():
    found = retrieval(np.ones((4, 4)), np.eye(4, dtype=bool), list("abcd"))

    assert found.main.value == 0


def test_retrieval_among_many_is_measured_in_little_memory(monkeypatch):
    rng, count = np.random.default_rng(0), 3000
    vectors = rng.normal(size=(2, count, 8)).astype(np.float32)
    related = np.eye(count, dtype=bool)
    whole = ranks(vectors[0] @ vectors[1].T, related)
    monkeypatch.setattr(measures_of_retrieval, "_MOST_HELD", 100_000)
    held = []

    def similarities(one, other):
        def of(part):
            held.append(part.stop - part.start)
            return one[part] @ other.T

        return of

    found = measure_retrieval(
        similarities(*vectors), similarities(*vectors[::-1]), [[place] for place in range(count)],
        list(map(str, range(count))),
    ).estimates  # fmt: skip

    # as a whole, those of a fifth of COCO take 20 GB
    assert max(held) * count <= 100_000 and sum(held) == 2 * count
    assert found["mean rank, picture to text"].value == pytest.approx(whole.mean(), rel=1e-4)


def test_nothing_to_measure_is_refused():
    with pytest.raises(InputError, match="nothing to measure on"):
        measure_classes(np.zeros((0, 2)), np.zeros(0, np.int64), [])
    with pytest.raises(InputError, match="both kinds"):
        measure_pairs(np.ones(3), np.ones(3), [True] * 3, list("abc"), f1_threshold=0)
    with pytest.raises(InputError, match="query 2 has nothing that is related"):
        ranks(np.ones((2, 2)), np.array([[True, False], [False, False]]))
