"""Caches: what is used longest ago goes first; what is on disk survives, and a broken file costs itself alone."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.cache import EmbeddingCache, EncoderCache, LruCache, file_identity, row_key
from clip_grid.errors import CheckpointError


def row(*values):
    return np.array(values, np.float32)


# in memory


def test_the_value_used_longest_ago_goes_first():
    held = LruCache(2)
    held.put("a", 1)
    held.put("b", 2)
    held.get("a")

    held.put("c", 3)

    assert (held.get("a"), held.get("b"), held.get("c")) == (1, None, 3)


def test_bytes_bound_the_memory_and_a_row_put_twice_counts_once():
    cache = EmbeddingCache(max_bytes=16)
    cache.put({"a": row(1, 2)})
    cache.put({"a": row(1, 2)})
    cache.put({"b": row(3, 4)})
    assert cache.get("a") is not None

    cache.put({"c": row(5, 6)})

    assert cache.get("b") is None
    assert cache.get("c").tolist() == [5, 6]


def test_a_row_larger_than_the_memory_is_not_held():
    cache = EmbeddingCache(max_bytes=4)
    cache.put({"a": row(1, 2)})

    assert cache.get("a") is None


def test_hits_and_misses_are_counted():
    cache = EmbeddingCache()
    cache.get("a")
    cache.put({"a": row(1)})
    cache.get("a")
    cache.get("a")

    assert (cache.hits, cache.misses) == (2, 1)


def test_a_cleared_cache_knows_only_what_is_stored():
    cache = EmbeddingCache()
    cache.put({"a": row(1)})

    cache.clear()

    assert cache.get("a") is None


def test_keys_differ_when_any_part_does():
    assert row_key("a", "b") == row_key("a", "b")
    assert len({row_key("a", "b"), row_key("ab", ""), row_key("a", "b", ""), row_key(("a", "b"))}) == 4


# encoders


def test_an_encoder_is_built_once_for_the_same_files_and_options(tmp_path):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"x")
    cache, built = EncoderCache(), []

    def build():
        built.append(1)
        return object()

    first = cache.get([file], ("cpu",), build)

    assert cache.get([file], ("cpu",), build) is first
    assert cache.get([file], ("cuda",), build) is not first
    assert len(built) == 2


def test_an_encoder_is_built_anew_when_its_file_changed(tmp_path):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"x")
    cache = EncoderCache()
    first = cache.get([file], (), object)
    os.utime(file, ns=(1, 1))

    assert cache.get([file], (), object) is not first


def test_only_a_few_encoders_are_held(tmp_path):
    cache = EncoderCache(max_encoders=2)
    files = [tmp_path / name for name in "abc"]
    for file in files:
        file.write_bytes(b"x")
    first = cache.get([files[0]], (), object)
    for file in files[1:]:
        cache.get([file], (), object)

    assert cache.get([files[0]], (), object) is not first


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: it is gone"):
        file_identity(tmp_path / "gone.safetensors")


# on disk

pytest.importorskip("safetensors")
from clip_grid.clip_backend.encoding import disk_cache as shard_files
from clip_grid.clip_backend.encoding.disk_cache import SHARD_ROWS, FolderStore, read_keys, shard_bytes


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
    monkeypatch.setattr(shard_files, "VERSION", "0")
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
