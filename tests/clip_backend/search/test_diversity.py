"""Diversity against maximal marginal relevance written down, and groups of near-duplicates against pairs by hand."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import unit_rows
from clip_grid.clip_backend.search import diversity as module
from clip_grid.clip_backend.search.diversity import Likeness, diverse, duplicate_groups, leaders
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.query import Part, Query
from clip_grid.clip_backend.search.search import search
from clip_grid.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from .filled import Made, fill


def unit(rows):
    return unit_rows(np.asarray(rows), [""] * len(rows))


def marginal_relevance(relevance, vectors, count, d):
    """The definition, one candidate at a time."""
    cosines = vectors.astype(float) @ vectors.T.astype(float)
    low, span = cosines.min(), relevance.max() - relevance.min()
    chosen = []
    while len(chosen) < min(count, len(relevance)):
        best, best_value = None, -np.inf
        for place in set(range(len(relevance))) - set(chosen):
            worth = (relevance[place] - relevance.min()) / span
            like = max(((cosines[place, one] - low) / (1 - low) for one in chosen), default=0.0)
            value = (1 - d) * worth - d * like
            if value > best_value + 1e-12:
                best, best_value = place, value
        chosen.append(best)
    return chosen


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(2, 30), st.floats(0, 1))
def test_diverse_hits_are_those_of_the_definition(seed, count, d):
    random = np.random.default_rng(seed)
    vectors, relevance = unit(random.standard_normal((count, 4))), np.sort(random.random(count))[::-1]

    assert diverse(relevance, vectors, 12, d) == marginal_relevance(relevance, vectors, 12, d)


def test_no_diversity_keeps_the_order_and_copies_come_last_with_it():
    vectors = unit([[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    relevance = np.array([5.0, 4.9, 4.8, 4.0, 3.0])

    assert diverse(relevance, vectors, 5, 0) == [0, 1, 2, 3, 4]
    assert diverse(relevance, vectors, 3, 0.6) == [0, 3, 4]
    assert diverse(np.empty(0), vectors[:0], 3, 0.5) == []
    assert diverse(np.ones(3), vectors[:3], 3, 0.5) == [0, 1, 2]


def by_hand(vectors, aspects, seeds, least):
    """Row by row: the first leader that it is a near-duplicate of, or itself."""
    groups = []
    for row in range(len(vectors)):
        is_near = (
            one
            for one in range(row)
            if groups[one] == one
            and vectors[one].astype(float) @ vectors[row].astype(float) >= least - 1e-6
            and abs(aspects[one] - aspects[row]) <= 0.01 * max(aspects[one], aspects[row])
            and not (seeds[one] and seeds[row] and seeds[one] != seeds[row])
        )
        groups.append(next(is_near, row))
    return groups


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(0, 40), st.floats(0.6, 0.999), st.integers(1, 9), st.integers(1, 20))
def test_groups_are_those_of_a_walk_whatever_the_blocks(seed, count, least, rows, others):
    random = np.random.default_rng(seed)
    vectors = unit(random.standard_normal((count, 3)))
    aspects, seeds = random.choice([1.0, 1.005, 1.5], count), random.integers(0, 3, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS", rows)
        patch.setattr(module, "_OTHERS", others)

        found = leaders(Likeness(vectors, aspects, seeds), least)

    assert found.tolist() == by_hand(vectors, aspects, seeds, least)


PAIR = [(1.0, 0.0), (0.999, 0.0447)]


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ({}, {}, True),
        ({"size": (512, 768)}, {"size": (1024, 1536)}, True),
        ({"size": (512, 768)}, {"size": (768, 512)}, False),
        ({"properties": {"seed": "1", "prompt": "a"}}, {"properties": {"seed": "2", "prompt": "a"}}, False),
        ({"properties": {"seed": "1"}}, {"properties": {"seed": "1", "cfg": "7"}}, True),
        # a copy without generation data
        ({"properties": {"seed": "1"}}, {}, True),
    ],
)
def test_near_duplicates_have_one_shape_and_not_two_seeds(tmp_path, first, second, is_one):
    made = [Made("a.png", PAIR[0], **first), Made("b.png", PAIR[1], **second), Made("c.png", (0, 1))]
    part = Part(kind="text", name="x", vector=np.float32([1, 0]))

    with Index.open(fill(tmp_path / "index", made)) as index:
        groups = duplicate_groups(index)
        hits = search(index, Query(parts=[part])).hits
        collapsed = search(index, Query(parts=[part], collapse=True)).hits

    assert groups == ([[1, 2]] if is_one else [])
    assert [one.group for one in hits] == ([1, 1, 3] if is_one else [1, 2, 3])
    assert [one.picture.id for one in collapsed] == ([1, 3] if is_one else [1, 2, 3])


def test_seeds_that_a_copy_without_one_is_near_to_stay_apart(tmp_path):
    made = [Made("a.png", properties={"seed": "1"}), Made("b.png"), Made("c.png", properties={"seed": "2"})]

    with Index.open(fill(tmp_path / "index", made)) as index:
        assert duplicate_groups(index) == [[1, 2]]
        with pytest.raises(InputError, match="least cosine of duplicates is 0"):
            duplicate_groups(index, least=0)


def test_collapsed_hits_are_as_many_as_asked_for_where_groups_are_large(tmp_path):
    random = np.random.default_rng(0)
    axes = np.eye(12)
    near = [Made(f"near {n}.png", axes[0] + 0.001 * random.random() * axes[1]) for n in range(900)]
    far = [Made(f"far {n}.png", axes[0] + n * axes[n]) for n in range(1, 12)]
    part = Part(kind="text", name="x", vector=axes[0].astype(np.float32))

    with Index.open(fill(tmp_path / "index", [*near, *far])) as index:
        hits = search(index, Query(parts=[part], top=5, collapse=True)).hits
        spread = search(index, Query(parts=[part], top=5, diversity=0.5)).hits

    assert len(hits) == 5
    assert sum(one.picture.path.split("/")[-1].startswith("near") for one in hits) == 1
    assert len({one.picture.id for one in spread}) == 5
