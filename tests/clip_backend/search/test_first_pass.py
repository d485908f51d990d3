from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clip_grid.clip_backend.search import first_pass
from clip_grid.clip_backend.search.first_pass import FirstPass, products, scan_of
from clip_grid.clip_backend.search.query import Part, Query
from clip_grid.clip_backend.search.scan import Scan, exact_cosines
from clip_grid.clip_backend.search.search import search

from .filled import Index, Made, fill
from .int8_parts import BLOCK, clip_like, numpy_products, small_blocks, state_of, texts_like

__all__ = ["small_blocks"]
ROWS = 1500


@pytest.fixture(scope="module")
def vectors():
    return clip_like(ROWS)


def both(state, parts, weights=(1.0,)):
    """The scan with int8 and that without."""
    weights = np.array(weights, np.float64)
    return scan_of(state, parts, weights), scan_of(replace(state, quantized=None), parts, weights)


def queries(vectors, count):
    random = np.random.default_rng(5)
    near = vectors[random.integers(ROWS, size=count)] + 0.05 * random.standard_normal((count, vectors.shape[1]))
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    return np.concatenate([near.astype(np.float32), texts_like(count), vectors[3:4]])


@pytest.mark.usefixtures("small_blocks")
def test_best_rows_and_scores_are_those_of_float32(tmp_path, vectors):
    random = np.random.default_rng(1)
    state = state_of(tmp_path, vectors)
    read = []
    for query in queries(vectors, 25):
        for share in (1.0, 0.4, 0.02):
            allowed = random.random(ROWS) < share
            first, full = both(state, query[None])
            rows, sums = first.best(allowed, 20)
            right, right_sums = full.best(allowed, 20)

            order, right_order = np.argsort(rows), np.argsort(right)
            assert isinstance(first, FirstPass)
            assert rows[order].tolist() == right[right_order].tolist()
            np.testing.assert_allclose(sums[order], right_sums[right_order], rtol=1e-5, atol=1e-5)
            read.append("sums" not in vars(first))
    # float32 of all rows was seldom needed
    assert np.mean(read) > 0.9


@pytest.mark.usefixtures("small_blocks")
def test_threads_find_the_same(tmp_path, vectors, monkeypatch):
    state = state_of(tmp_path, vectors)
    alone, _ = both(state, vectors[5:6])
    monkeypatch.setattr(first_pass, "_BLOCKS_OF_THREAD", 2)
    monkeypatch.setattr(first_pass.os, "cpu_count", lambda: 3)
    shared, _ = both(state, vectors[5:6])
    for one, other in zip(alone._near, shared._near, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, -0.5), (0.0, 1.0), (0.3, 0.2)])
def test_several_parts_have_the_best_rows_of_float32(tmp_path, vectors, weights):
    state = state_of(tmp_path, vectors)
    every = queries(vectors, 12)
    for first_part, second_part in zip(every[:12], every[12:24], strict=True):
        first, full = both(state, np.stack([first_part, second_part]), weights)
        allowed = np.ones(ROWS, bool)
        assert sorted(first.best(allowed, 15)[0]) == sorted(full.best(allowed, 15)[0])
        np.testing.assert_allclose(first.means, full.means, atol=1e-7)
        np.testing.assert_allclose(first.deviations, full.deviations, rtol=1e-5)


@pytest.mark.usefixtures("small_blocks")
def test_what_the_first_pass_finds_lies_within_its_bounds(tmp_path, vectors):
    state = state_of(tmp_path, vectors)
    for query in queries(vectors, 20):
        first, _ = both(state, query[None])
        sums, bounds = first._near
        right = exact_cosines(vectors, query[None])[:, 0] * first.factors[0] - first.constant
        assert (np.abs(sums - right) <= bounds + first.margin).all()
        # and they say something: a tenth of a deviation is far less than pictures differ
        assert bounds[: ROWS // BLOCK * BLOCK].max() < 1


@pytest.mark.usefixtures("small_blocks")
def test_rows_that_no_picture_has_count_for_nothing(tmp_path, vectors):
    is_used = np.random.default_rng(2).random(ROWS) < 0.95
    state = state_of(tmp_path, vectors, is_used)
    first, full = both(state, texts_like(2, seed=3), (1.0, -1.0))

    np.testing.assert_allclose(first.means, full.means, atol=1e-7)
    np.testing.assert_allclose(first.deviations, full.deviations, rtol=1e-5)
    rows, _ = first.best(is_used, 30)
    assert sorted(rows) == sorted(full.best(is_used, 30)[0])
    np.testing.assert_allclose(first.worse(rows), full.worse(rows), atol=5)


@pytest.mark.usefixtures("small_blocks")
def test_an_index_of_holes_is_read_in_float32(tmp_path, vectors):
    is_used = np.random.default_rng(2).random(ROWS) < 0.5
    assert not isinstance(both(state_of(tmp_path, vectors, is_used), texts_like(1))[0], FirstPass)


@pytest.mark.usefixtures("small_blocks")
def test_how_many_rows_are_worse_is_exact_for_the_best_and_nearly_so_for_others(tmp_path, vectors):
    state = state_of(tmp_path, vectors)
    random = np.random.default_rng(4)
    for query in queries(vectors, 10):
        first, full = both(state, query[None])
        # copies, whose float32 sums are rounded each in its own way, count as ties here
        rows = first.best(np.ones(ROWS, bool), 8)[0][:8]
        np.testing.assert_allclose(first.worse(rows), full.worse(rows), atol=5)
        anywhere = np.sort(random.choice(ROWS, 10, replace=False))
        np.testing.assert_allclose(first.worse(anywhere), full.worse(anywhere), atol=0.01 * ROWS)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("count", [1, 2])
def test_cosines_of_a_sample_are_near_those_of_float32(tmp_path, vectors, count):
    state = state_of(tmp_path, vectors)
    first, full = both(state, queries(vectors, 4)[3 : 3 + count], (1.0,) * count)
    rows = np.arange(0, ROWS, 7)
    for part in range(count):
        found, right = first.cosines(part, rows), full.cosines(part, rows)
        assert np.abs(found - right).max() < 0.005
        np.testing.assert_allclose(np.percentile(found, (16, 50)), np.percentile(right, (16, 50)), atol=0.002)


@pytest.mark.usefixtures("small_blocks")
def test_the_strength_of_pictures_hardly_differs(tmp_path):
    # as many numbers as models have: what quantising loses is less beside them
    vectors = clip_like(6000, 384)
    first, full = both(state_of(tmp_path, vectors), texts_like(2, 384), (1.0, 1.0))
    rows = np.arange(6000)
    for part in range(2):
        strengths = []
        for one in (first, full):
            low, middle = np.percentile(one.cosines(part, rows), (15.87, 50))
            strengths.append((full.cosines(part, rows) - middle) / (middle - low))
        np.testing.assert_allclose(strengths[0], strengths[1], rtol=0.005, atol=0.005)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("copies", [500, ROWS])
def test_rows_that_are_all_alike_are_found_in_float32(tmp_path, vectors, copies):
    rows = vectors.copy()
    rows[:copies] = rows[7]
    first, full = both(state_of(tmp_path, rows), rows[7:8])
    allowed = np.ones(ROWS, bool)

    found, right = first.best(allowed, 10)[0], full.best(allowed, 10)[0]
    assert sorted(found) == sorted(right) == list(range(copies))
    assert "sums" in vars(first)


@pytest.mark.usefixtures("small_blocks")
def test_int8_rows_of_other_vectors_are_not_believed(tmp_path, vectors):
    state = state_of(tmp_path, vectors)
    turned = replace(state, vectors=np.ascontiguousarray(vectors[::-1]))
    first, full = both(turned, vectors[40:41])
    allowed = np.ones(ROWS, bool)

    assert sorted(first.best(allowed, 10)[0]) == sorted(full.best(allowed, 10)[0])
    assert "sums" in vars(first)


@pytest.mark.usefixtures("small_blocks")
def test_a_search_has_the_same_hits_with_int8_and_without(tmp_path):
    made = [
        Made(f"{place}.png", vector, {"seed": str(place), "prompt": f"fox number {place % 7}"})
        for place, vector in enumerate(clip_like(400, 16, seed=7)[:399] + 0.01)
    ]
    with Index.open(fill(tmp_path / "index", made)) as index:
        state = index.state()
        assert state.quantized is not None
        assert state.quantized.count == 384
        for number, text in enumerate(texts_like(6, 16, seed=9)):
            parts = [Part(kind="text", name="a", vector=text)]
            if number % 2:
                parts.append(Part(kind="picture", name="b", vector=state.vectors[number], weight=-0.4))
            for options in ({}, {"where": "seed<90"}, {"keywords": "fox 3"}, {"diversity": 0.4}, {"collapse": True}):
                query = Query(parts=parts, top=25, **options)
                object.__setattr__(state, "quantized", None)
                right = search(index, query)
                object.__setattr__(state, "quantized", found_again(index))
                found = search(index, query)
                assert [hit.picture.id for hit in found.hits] == [hit.picture.id for hit in right.hits]
                assert [hit.group for hit in found.hits] == [hit.group for hit in right.hits]
                for hit, one in zip(found.hits, right.hits, strict=True):
                    assert hit.score == pytest.approx(one.score, rel=1e-5, abs=1e-5)
                    assert hit.percentile == pytest.approx(one.percentile, abs=1)
                    assert (hit.meaning_rank, hit.keyword_rank) == (one.meaning_rank, one.keyword_rank)
                    for part, other in zip(hit.parts, one.parts, strict=True):
                        assert part.cosine == other.cosine
                        assert part.z == pytest.approx(other.z, rel=1e-5, abs=1e-5)
                        assert part.strength == pytest.approx(other.strength, rel=0.03, abs=0.1)


def found_again(index: Index):
    """What another reader finds in int8."""
    with Index.open(index.folder) as other:
        return other.state().quantized


def test_a_scan_without_int8_is_one_in_float32(tmp_path, vectors):
    state = replace(state_of(tmp_path, vectors), quantized=None)
    found = scan_of(state, texts_like(1), np.ones(1))
    assert isinstance(found, Scan)
    assert not isinstance(found, FirstPass)


def test_products_of_numkong_are_whole_numbers():
    pytest.importorskip("numkong")
    random = np.random.default_rng(0)
    queries, rows = (random.integers(-127, 128, (count, 1152), np.int8) for count in (2, 50))
    rows[0], queries[0] = 127, 127
    np.testing.assert_array_equal(products(queries, rows), numpy_products(queries, rows))
