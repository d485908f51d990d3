from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import unit_rows
from clip_grid.clip_backend.ranking.ranking import near_duplicates
from hypothesis import given
from hypothesis import strategies as st


def at_angles(*degrees):
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def least_at(degrees):
    return float(np.cos(np.radians(degrees)))


def by_hand(vectors, least):
    """The first of each group, found by walking from picture to picture."""
    near = vectors.astype(np.float64) @ vectors.T.astype(np.float64) >= least - 1e-6
    firsts = [-1] * len(vectors)
    for first in range(len(vectors)):
        to_visit = [first] if firsts[first] < 0 else []
        while to_visit:
            one = to_visit.pop()
            firsts[one] = first
            to_visit += [other for other in range(len(vectors)) if firsts[other] < 0 and near[one, other]]
    return firsts


def test_pictures_apart_are_groups_of_their_own():
    assert near_duplicates(at_angles(0, 30, 60), least_at(20)).tolist() == [0, 1, 2]


def test_near_pictures_are_one_group_named_by_the_first():
    assert near_duplicates(at_angles(0, 90, 10, 95, 200), least_at(20)).tolist() == [0, 1, 0, 1, 4]


def test_a_chain_of_near_pictures_is_one_group():
    assert near_duplicates(at_angles(0, 30, 60, 15, 45), least_at(20)).tolist() == [0] * 5


def test_equal_pictures_are_found_at_a_threshold_of_one():
    vectors = unit_rows(np.random.default_rng(0).normal(size=(50, 333)), [str(n) for n in range(50)])

    firsts = near_duplicates(np.concatenate([vectors, vectors]), 1.0)

    assert firsts.tolist() == [*range(50), *range(50)]


@pytest.mark.parametrize("angles", [(), (5,)])
def test_none_and_one_have_no_duplicates(angles):
    assert near_duplicates(at_angles(*angles), 0.5).tolist() == list(range(len(angles)))


@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0.5, 1), st.integers(1, 45))
def test_groups_are_those_of_a_walk_whatever_the_blocks(seed, count, least, rows):
    random = np.random.default_rng(seed)
    vectors = unit_rows(random.normal(size=(count, 3)), [str(n) for n in range(count)])
    cosines = vectors @ vectors.T
    least = next(value for value in np.arange(least, 2, 0.001) if (abs(cosines - value + 1e-6) > 1e-6).all())

    assert near_duplicates(vectors, least, rows=rows).tolist() == by_hand(vectors, least)
