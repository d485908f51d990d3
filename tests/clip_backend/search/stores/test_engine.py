"""The engine of Qdrant itself, with its indexes of payloads, passes what SQLite passes, and finds the nearest of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qdrant_edge", reason="qdrant-edge-py is not installed")

import qdrant_edge as edge
from clip_grid.clip_backend.search.database import FILE
from clip_grid.clip_backend.search.filter_sql import compiled_filter
from clip_grid.clip_backend.search.filters import read_filter
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.stores.conditions import NotExpressible, condition_of
from clip_grid.clip_backend.search.stores.payload import payloads, point_id, text_key
from hypothesis import assume, example, given, settings

from .copied import FILTERS, make_index

DIM = 8


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The index, and the engine with its pictures."""
    folder = make_index(tmp_path_factory.mktemp("engine") / "index", 300, DIM)
    config = edge.EdgeConfig(vectors=edge.EdgeVectorParams(size=DIM, distance=edge.Distance.Cosine))
    shard = edge.EdgeShard.create(str(tmp_path_factory.mktemp("shard")), config)
    with Index.open(folder) as index:
        state = index.state()
        with closing(sqlite3.connect(folder / FILE)) as connection:
            found = payloads(connection, state.ids.tolist())
        shard.update(
            edge.UpdateOperation.upsert_points(
                [
                    edge.Point(point_id(found[id]["hash"]), vector.tolist(), found[id])
                    for id, vector in zip(state.ids.tolist(), state.vectors, strict=True)
                ]
            )
        )
        for name in (text_key("seed"), text_key("model"), "files[].folder", "files[].root", "files[].path"):
            shard.update(edge.UpdateOperation.create_field_index(name, edge.PayloadSchemaType.Keyword))
        for name in ("width", "height", "files[].date"):
            shard.update(edge.UpdateOperation.create_field_index(name, edge.PayloadSchemaType.Integer))
        yield index, shard
        shard.close()


def converted(condition: Any) -> Any:
    """A condition of the REST interface as an object of the engine."""
    if "nested" in condition:
        return edge.NestedCondition(condition["nested"]["key"], as_filter(condition["nested"]["filter"]))
    if "is_empty" in condition:
        return edge.IsEmptyCondition(condition["is_empty"]["key"])
    if "range" in condition:
        bounds = {name: float(bound) for name, bound in condition["range"].items()}
        return edge.FieldCondition(condition["key"], range=edge.RangeFloat(**bounds))
    if "match" in condition:
        ((kind, value),) = condition["match"].items()
        match = edge.MatchSubstring(value) if kind == "substring" else edge.MatchValue(value)
        return edge.FieldCondition(condition["key"], match=match)
    return as_filter(condition)


def as_filter(condition: Any) -> Any:
    parts = {name: [converted(one) for one in condition[name]] for name in condition}
    return edge.Filter(**parts)


def passing(shard: Any, condition: Any, vector: Any, limit: int = 1000) -> list[str]:
    request = edge.QueryRequest(
        limit=limit,
        query=edge.Query.Nearest(vector.tolist()),
        filter=as_filter({"must": [condition]}),
        params=edge.SearchParams(exact=True),
    )
    return [str(point.id) for point in shard.query(request)]


@settings(max_examples=100)
@given(FILTERS)
@example("name ~ 1 and (seed=7 or folder=a) and not (date<2024-05 or width=512)")
@example("\"sampler.name [x]\" = 'euler a'")
def test_every_filter_passes_the_same_pictures_in_the_engine(engine, where):
    index, shard = engine
    right = index.hashes_of(compiled_filter(where, index).pictures(index))
    try:
        condition = condition_of(read_filter(where))
    except NotExpressible:
        assume(False)

    found = passing(shard, condition, np.ones(DIM, np.float32))

    assert sorted(found) == sorted(map(point_id, right))


def test_the_nearest_pictures_are_those_of_the_index(engine):
    index, shard = engine
    state = index.state()
    vector = np.random.default_rng(4).standard_normal(DIM).astype(np.float32)
    condition = condition_of(read_filter("width>=512 and not seed=3"))
    rows = state.rows_of(compiled_filter("width>=512 and not seed=3", index).pictures(index))
    order = rows[np.argsort(-(state.vectors[rows] @ vector), kind="stable")][:20]

    found = passing(shard, condition, vector, 20)

    assert found == [point_id(index.hashes_of(state.ids[row : row + 1])[0]) for row in order.tolist()]
