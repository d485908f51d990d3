from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import unit_rows
from clip_grid.clip_backend.search import scan as module
from clip_grid.clip_backend.search.scan import best_of_many


def unit(rows):
    return unit_rows(np.asarray(rows), [""] * len(rows))


@pytest.mark.parametrize("block", [1, 7, 100, 8192])
def test_many_queries_at_once_have_the_best_rows_of_float64(block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    random = np.random.default_rng(0)
    rows, queries = unit(random.standard_normal((700, 16))), unit(random.standard_normal((9, 16)))
    rows[300:330] = rows[10]
    queries[3] = rows[10]
    allowed = random.random(700) < 0.8

    places, cosines = best_of_many(rows, allowed, queries, 20)

    right = rows.astype(np.float64) @ queries.T.astype(np.float64)
    right[~allowed] = -2
    for query in range(9):
        order = sorted(range(700), key=lambda row: (-round(right[row, query], 10), row))[:20]
        assert places[query].tolist() == order
        np.testing.assert_allclose(cosines[query], right[order, query], atol=1e-12)


def test_all_rows_may_be_asked_for():
    rows = unit(np.random.default_rng(1).standard_normal((30, 5)))

    places, cosines = best_of_many(rows, np.ones(30, bool), rows[:2], 30)

    assert sorted(places[0]) == list(range(30))
    assert (np.diff(cosines) <= 0).all()
