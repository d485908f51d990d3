"""Embeddings on disk: rows survive a restart, other processes and broken files, which cost their own rows alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("safetensors")
from clip_grid.clip_backend.encoding import disk_cache
from clip_grid.clip_backend.encoding.cache import EmbeddingCache
from clip_grid.clip_backend.encoding.disk_cache import SHARD_ROWS, FolderStore, read_keys, shard_bytes


def row(*values):
    return np.array(values, np.float32)


def shards(folder):
    return sorted(folder.glob("*.safetensors"))


def test_rows_survive_a_restart(tmp_path):
    cache = EmbeddingCache(store=FolderStore(tmp_path / "new" / "ünïcode"))
    cache.put({"a": row(1, 2), "b": row(3, 4)})
    cache.flush()

    later = EmbeddingCache(store=FolderStore(tmp_path / "new" / "ünïcode"))

    assert later.get("b").tolist() == [3, 4]
    assert later.get("c") is None
    assert (later.hits, later.misses) == (1, 1)


def test_rows_that_are_not_kept_stay_out_of_the_folder(tmp_path):
    cache = EmbeddingCache(store=FolderStore(tmp_path))
    cache.put({"a": row(1)}, persist=False)
    cache.flush()

    assert shards(tmp_path) == []
    assert cache.get("a").tolist() == [1]


def test_rows_that_wait_are_found_before_they_are_written(tmp_path):
    store = FolderStore(tmp_path)
    store.put({"a": row(7)})

    assert store.get("a").tolist() == [7]
    assert shards(tmp_path) == []


def test_rows_of_two_lengths_go_into_two_shards(tmp_path):
    store = FolderStore(tmp_path)
    store.put({"a": row(1), "b": row(1, 2)})
    store.flush()

    assert len(shards(tmp_path)) == 2
    assert FolderStore(tmp_path).get("b").tolist() == [1, 2]


def test_a_truncated_shard_costs_its_own_rows_alone_and_is_written_again(tmp_path, caplog):
    store = FolderStore(tmp_path)
    for key in ("a", "b"):
        store.put({key: row(ord(key))})
        store.flush()
    broken = next(path for path in shards(tmp_path) if read_keys(path) == ("a",))
    broken.write_bytes(broken.read_bytes()[:-2])

    later = FolderStore(tmp_path)
    assert later.get("a") is None
    assert later.get("b").tolist() == [98]
    assert broken.name in caplog.text and "stored again" in caplog.text

    later.put({"a": row(97)})
    later.flush()
    assert FolderStore(tmp_path).get("a").tolist() == [97]
    assert len(shards(tmp_path)) == 2


def test_a_flipped_bit_is_noticed(tmp_path, caplog):
    store = FolderStore(tmp_path)
    store.put({"a": row(1, 2, 3)})
    store.flush()
    path = shards(tmp_path)[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    assert FolderStore(tmp_path).get("a") is None
    assert "checksum" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\x08", b"garbage " * 10, b"\xff" * 8 + b"{}"])
def test_what_is_no_shard_is_a_miss(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)

    assert FolderStore(tmp_path).get("a") is None


@pytest.mark.usefixtures("bound_by_permissions")
def test_a_shard_that_may_not_be_read_now_is_not_removed(tmp_path):
    store = FolderStore(tmp_path)
    store.put({"a": row(1)})
    store.flush()
    path = shards(tmp_path)[0]
    path.chmod(0)

    assert FolderStore(tmp_path).get("a") is None
    assert path.exists()


def test_shards_of_another_version_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_cache, "VERSION", "0")
    (tmp_path / "old.safetensors").write_bytes(shard_bytes({"a": row(1)}))
    monkeypatch.undo()

    store = FolderStore(tmp_path)

    assert store.get("a") is None
    for key in range(40):
        store.put({str(key): row(key)})
        store.flush()
    assert (tmp_path / "old.safetensors").exists()


def test_another_process_sees_new_shards(tmp_path):
    ours, theirs = FolderStore(tmp_path), FolderStore(tmp_path)
    assert ours.get("a") is None
    theirs.put({"a": row(1)})
    theirs.flush()

    assert ours.get("a").tolist() == [1]


def test_many_small_shards_become_one_and_no_row_is_lost(tmp_path):
    ours, theirs = FolderStore(tmp_path), FolderStore(tmp_path)
    for key in range(70):
        ours.put({str(key): row(key)})
        ours.flush()
        assert theirs.get(str(key)).tolist() == [key]

    assert len(shards(tmp_path)) < 40
    for store in (ours, theirs, FolderStore(tmp_path)):
        assert [store.get(str(key)).tolist() for key in range(70)] == [[key] for key in range(70)]


def test_several_that_write_at_once_do_not_break_each_other(tmp_path):
    def write(name):
        store = FolderStore(tmp_path)
        for key in range(40):
            store.put({f"{name}{key}": row(key)})
            store.flush()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    store = FolderStore(tmp_path)
    assert [store.get(f"{name}{key}").tolist() for name in "abc" for key in range(40)] == [[k] for k in range(40)] * 3


def test_a_folder_that_cannot_be_written_costs_no_embeddings(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = EmbeddingCache(store=FolderStore(tmp_path / "file"))
    cache.put({"a": row(1)})

    cache.flush()

    assert cache.get("a").tolist() == [1]
    assert "not kept" in caplog.text


def test_more_rows_than_a_shard_holds_are_not_lost_where_none_can_be_written(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = EmbeddingCache(store=FolderStore(tmp_path / "file"))

    for start in (0, SHARD_ROWS):
        cache.put({str(key): row(key) for key in range(start, start + SHARD_ROWS)})
    cache.flush()

    assert cache.get(str(SHARD_ROWS)).tolist() == [SHARD_ROWS]
    assert caplog.text.count("not kept") == 1
