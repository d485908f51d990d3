"""A Qdrant collection is a copy of an index, and finds in it what the index finds."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

pytest.importorskip("qdrant_client", reason="qdrant-client is not installed")

from clip_grid.clip_backend.search.database import FILE
from clip_grid.clip_backend.search.filter_sql import compiled_filter
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.purge import purge
from clip_grid.clip_backend.search.query import Part, Query
from clip_grid.clip_backend.search.search import search
from clip_grid.clip_backend.search.stores import nearest, qdrant
from clip_grid.clip_backend.search.stores.mirror import MirrorUpdate, mirror
from clip_grid.clip_backend.search.stores.payload import point_id
from clip_grid.clip_backend.search.writer import IndexWriter
from clip_grid.errors import InputError, OutputError
from hypothesis import given, settings
from qdrant_client import models

from ..filled import Made, fill
from .copied import FILTERS, URL, copy_to, make_index, opened, store_in_memory


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = make_index(tmp_path_factory.mktemp("qdrant") / "index", 5000)
    store = store_in_memory()
    assert copy_to(store, folder) == MirrorUpdate(added=5000)
    with opened(folder, store) as (index, found):
        yield index, found


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = make_index(tmp_path_factory.mktemp("qdrant") / "index", 90, 4)
    store = store_in_memory()
    copy_to(store, folder)
    with opened(folder, store) as (index, found):
        yield index, found


@pytest.fixture
def folder(tmp_path):
    """An index of three pictures."""
    return fill(
        tmp_path / "index", [Made("a.png", (1, 0)), Made("b.png", (0, 1), {"seed": "7"}), Made("c.png", (1, 1))]
    )


def unit(*numbers):
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)


def hits(index, query, store=None):
    found = search(index, query, store)
    return [(hit.picture.id, pytest.approx(hit.score), hit.is_weak) for hit in found.hits], found.passed


@pytest.mark.parametrize(
    "where",
    ["", "seed=42", "model~x and cfg>4", "not seed=3", "folder=a and width>=1024", "date=2024-05 or missing=yes",
     "name ~ 1 and (seed=7 or folder=a)", "prompt ~ 'red fox' and not model=juggernaut", "name<4"],
)  # fmt: skip
def test_a_copy_gives_the_hits_of_the_index(large, where):
    index, store = large
    random = np.random.default_rng(9)
    parts = [
        Part(kind="picture", name="a part", vector=unit(*random.standard_normal(32)), weight=weight)
        for weight in (2.0, 1.0, -0.5)
    ]
    query = Query(parts=parts, where=where, top=40)

    assert hits(index, query, store) == hits(index, query)


def test_a_copy_leaves_out_the_picture_itself_and_those_that_are_excluded(large):
    index, store = large
    state = index.state()
    hash = index.hashes_of(state.ids[7:8])[0]
    query = Query(
        parts=[Part(kind="picture", name="it", vector=np.array(state.vectors[7]), hash=hash)],
        exclude=state.ids[8:300].tolist(),
        top=20,
    )
    found, _ = hits(index, query, store)

    assert found == hits(index, query)[0]
    assert len(found) == 20


@settings(max_examples=60)
@given(FILTERS)
def test_every_filter_passes_the_same_pictures_in_the_copy(small, where):
    index, store = small
    compiled = compiled_filter(where, index)
    passing = set(compiled.pictures(index).tolist())
    state = index.state()
    if not compiled.asks_missing:
        passing &= set(state.ids[state.has_file].tolist())

    found = store.rows(state, unit(1, 2, 3, 4), where, 1000)

    assert set(state.ids[found].tolist()) == passing


def test_a_filter_that_qdrant_has_no_words_for_is_asked_of_sqlite(small, monkeypatch):
    index, store = small
    state = index.state()
    assert store.rows(state, unit(1, 2, 3, 4), "name < 2", 1000)

    monkeypatch.setattr(nearest, "MOST_NAMED", 10)
    with pytest.raises(InputError, match="make it narrower, or leave out --store"):
        store.rows(state, unit(1, 2, 3, 4), "name < 2", 1000)


def test_what_a_store_has_is_not_sent_again(folder, monkeypatch):
    store = store_in_memory()
    monkeypatch.setattr("clip_grid.clip_backend.search.stores.mirror.SENT_AT_ONCE", 2)
    put, sent = store.put, []

    def fail_once(ids, vectors, payloads):
        sent.append(len(ids))
        if len(sent) == 2:
            raise OutputError("the network is gone")
        put(ids, vectors, payloads)

    monkeypatch.setattr(store, "put", fail_once)
    with pytest.raises(OutputError, match="network is gone"):
        copy_to(store, folder)

    assert copy_to(store, folder) == MirrorUpdate(added=1, unchanged=2)
    assert sent == [2, 1, 1]
    assert copy_to(store, folder) == MirrorUpdate(unchanged=3)


def test_changed_files_and_purged_pictures_follow_in_the_copy(folder):
    store = store_in_memory()
    copy_to(store, folder)
    with IndexWriter(folder) as writer:
        writer.connection.execute("UPDATE files SET missing = 1 WHERE name = 'b.png' OR name = CAST('b.png' AS BLOB)")
    assert copy_to(store, folder) == MirrorUpdate(changed=1, unchanged=2)
    with opened(folder, store) as (index, found):
        assert len(found.rows(index.state(), unit(1, 1), "", 9)) == 2
        assert len(found.rows(index.state(), unit(1, 1), "missing=yes and seed=7", 9)) == 1

    with IndexWriter(folder) as writer:
        purge(writer)

    assert copy_to(store, folder) == MirrorUpdate(removed=1, unchanged=2)
    assert store.count() == 2


def test_an_empty_index_makes_no_collection(tmp_path):
    store = store_in_memory()

    assert copy_to(store, tmp_path / "index") == MirrorUpdate()
    assert not store._client.collection_exists(store.collection)


def test_a_point_has_the_id_of_its_content_everywhere():
    assert point_id("0f343b0931126a20f133d67c2b018a3b") == "3ade5f6d-bcb4-5efa-8534-cc864d48c0c0"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "was not made by CLIP Grid, and is left as it is; name another collection"),
        ({"owner": "me"}, "was not made by CLIP Grid"),
        ({"clip_grid": {"version": 99}}, "another version of CLIP Grid"),
        ({"clip_grid": {"version": 1, "space": "other"}}, "embeddings of another model"),
        ({"clip_grid": {"version": 1, "space": "test space", "index": "other"}}, "holds another index"),
    ],
)
def test_a_foreign_collection_is_refused_and_left_as_it_is(folder, metadata, message):
    store = store_in_memory()
    store._client.create_collection(
        store.collection,
        vectors_config=models.VectorParams(size=2, distance=models.Distance.COSINE),
        metadata=metadata,
    )

    with pytest.raises(InputError, match=message):
        copy_to(store, folder)
    assert store.count() == 0


def test_another_index_is_not_mixed_with_the_one_that_is_there(folder, tmp_path):
    store = store_in_memory()
    copy_to(store, folder)
    other = fill(tmp_path / "other", [Made("d.png", (0, 1))])

    with pytest.raises(InputError, match="holds another index; name another collection"):
        copy_to(store, other)
    with Index.open(other) as index, pytest.raises(InputError, match="holds another index"):
        nearest.StoreSearch(index, store)
    never = fill(tmp_path / "never", [Made("e.png", (0, 1))])
    with Index.open(never) as index, pytest.raises(InputError, match="run clip-grid index with --store"):
        nearest.StoreSearch(index, store)


def test_a_copy_that_is_behind_is_said(folder, caplog):
    store = store_in_memory()
    copy_to(store, folder)
    fill(folder, [Made("d.png", (0, 1))])

    with opened(folder, store) as (index, found):
        assert "3 pictures and the index 4; bring it up to date" in caplog.text
        assert len(found.rows(index.state(), unit(1, 1), "", 9)) == 3


def test_names_that_are_no_text_are_copied(tmp_path):
    folder = fill(tmp_path / "index", [Made("a.png", (1, 0))])
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("UPDATE files SET name = ?", (b"\xff fox.png",))
    store = store_in_memory()

    copy_to(store, folder)

    with opened(folder, store) as (index, found):
        assert len(found.rows(index.state(), unit(1, 1), "name ~ fox", 9)) == 1


@pytest.mark.parametrize(
    ("url", "server", "collection"),
    [
        ("http://127.0.0.1:6333", "http://127.0.0.1:6333", "clip_grid"),
        ("https://host/", "https://host:6333", "clip_grid"),
        (" http://[::1]:7/pictures ", "http://[::1]:7", "pictures"),
        ("https://host:443/qdrant/pictures/", "https://host:443/qdrant", "pictures"),
    ],
)
def test_a_url_names_the_server_and_its_collection(url, server, collection):
    assert qdrant._server_and_collection(url) == (server, collection)


@pytest.mark.parametrize(
    "url", ["", "host:6333", "ftp://host", "http://", "http://host:x", "http://host/?a=1", "/tmp/x"]
)
def test_what_is_no_url_says_how_one_is_written(url):
    with pytest.raises(InputError, match=r"write one such as http://127\.0\.0\.1:6333"):
        qdrant.QdrantStore(url)


def test_a_password_in_the_url_is_refused_and_not_repeated():
    with pytest.raises(InputError, match="CLIP_GRID_STORE_KEY") as error:
        qdrant.QdrantStore("http://me:secret@host:6333")
    assert "secret" not in str(error.value)


def test_a_key_without_encryption_is_warned_of(caplog):
    qdrant.QdrantStore("http://192.0.2.1:6333", key="secret").close()

    assert "without encryption; use https" in caplog.text and "secret" not in caplog.text
    caplog.clear()
    qdrant.QdrantStore(URL, key="secret").close()
    assert not caplog.text


def test_progress_counts_every_picture(folder):
    seen = []
    with IndexWriter(folder) as writer:
        mirror(writer, store_in_memory(), lambda done, total: seen.append((done, total)))

    assert seen == [(3, 3)]
