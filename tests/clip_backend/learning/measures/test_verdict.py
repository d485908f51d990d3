"""What follows from measurements."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.learning.measures.classes import measure_classes
from clip_grid.clip_backend.learning.measures.verdict import BASE, CHANCE, RIDGE, TRAINED, verdict_on
from clip_grid.errors import InputError

LABELS = np.arange(200) % 4


def arm(right: float, seed: int):
    """A model that is right about this share of 200 rows."""
    said = LABELS.copy()
    wrong = np.random.default_rng(seed).permutation(200)[: round(200 * (1 - right))]
    said[wrong] = (said[wrong] + 1) % 4
    return measure_classes(np.eye(4)[said] * 0.9 + 0.025, LABELS, [str(row) for row in range(200)])


def test_much_more_than_ridge_is_better():
    found = verdict_on({BASE: arm(0.3, 0), RIDGE: arm(0.6, 1), TRAINED: arm(0.9, 2), CHANCE: arm(0.25, 3)}, "lora")

    assert found.word == "better"
    assert "lora reaches accuracy 0.900" in found.sentence
    assert "better than ridge (0.600) by more than the interval" in found.sentence
    assert found.differences[RIDGE].value == pytest.approx(0.3)
    assert 0.2 < found.differences[RIDGE].low < 0.3 < found.differences[RIDGE].high < 0.4


def test_a_little_more_than_ridge_is_not_better():
    found = verdict_on({BASE: arm(0.3, 0), RIDGE: arm(0.62, 1), TRAINED: arm(0.64, 2), CHANCE: arm(0.25, 3)}, "lora")

    assert found.word == "not better"
    assert "not better than ridge (0.620) by more than the interval" in found.sentence
    assert "use ridge, which takes seconds" in found.sentence


def test_ridge_itself_is_compared_with_the_base_model():
    ridge = arm(0.7, 1)

    found = verdict_on({BASE: arm(0.3, 0), RIDGE: ridge, TRAINED: ridge, CHANCE: arm(0.25, 3)}, "ridge")

    assert "better than the base model (0.300)" in found.sentence


def test_no_more_than_chance_is_said_before_all():
    found = verdict_on({BASE: arm(0.1, 0), RIDGE: arm(0.1, 1), TRAINED: arm(0.28, 2), CHANCE: arm(0.25, 3)}, "lda")

    assert found.word == "not better than chance"
    assert "look at the labels" in found.sentence


@pytest.mark.parametrize(("rows", "per_group", "word"), [(1, 1, "not better"), (5, 1, "not better"),
                                                       (30, 10, "not better"), (6, 1, "better")])  # fmt: skip
def test_a_handful_of_groups_tells_nothing_however_clear_it_looks(rows, per_group, word):
    labels, groups = np.ones(rows, np.int64), [str(row // per_group) for row in range(rows)]
    right, wrong = (measure_classes(np.tile(shares, (rows, 1)), labels, groups) for shares in ([0.1, 0.9], [0.9, 0.1]))

    found = verdict_on({BASE: wrong, RIDGE: right, TRAINED: right, CHANCE: wrong}, "ridge")

    # all draws of the groups are alike, so that the interval has no width
    assert found.differences[BASE].low == found.differences[BASE].high == 1
    assert found.word == word
    assert ("too few to tell" in found.sentence) == (word == "not better")


def test_measurements_of_different_rows_are_not_compared():
    probabilities = np.eye(4)[LABELS[:40]]
    other = measure_classes(probabilities, LABELS[:40], [str(row) for row in range(40)])

    with pytest.raises(InputError, match="cannot be compared"):
        verdict_on({RIDGE: arm(0.5, 0), TRAINED: other}, "lora")
