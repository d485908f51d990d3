"""Embeddings on disk: rows survive a restart, other processes and broken files; those used longest ago go first."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading

import numpy as np
import pytest

pytest.importorskip("safetensors")
from clip_grid.clip_backend.encoding import disk_store, store_file
from clip_grid.clip_backend.encoding.cache import EmbeddingCache
from clip_grid.clip_backend.encoding.disk_store import DiskStore
from clip_grid.clip_backend.encoding.store_file import BROKEN, FILE, StoreInfo, is_on_network, store_info
from safetensors.numpy import save_file


def row(*values):
    return np.array(values, np.float32)


def written(folder, rows, **options):
    """A store into which these rows were written."""
    store = DiskStore(folder, **options)
    store.put(rows)
    store.flush()
    return store


def test_rows_survive_a_restart(tmp_path):
    cache = EmbeddingCache(store=DiskStore(tmp_path / "new" / "ünïcode #1"))
    cache.put({"a": row(1, 2), "b": row(3, 4)})
    cache.flush()

    later = EmbeddingCache(store=DiskStore(tmp_path / "new" / "ünïcode #1"))

    assert later.get("b").tolist() == [3, 4]
    assert later.get("c") is None
    assert (later.hits, later.misses) == (1, 1)


def test_rows_that_are_not_kept_stay_out_of_the_folder(tmp_path):
    cache = EmbeddingCache(store=DiskStore(tmp_path))
    cache.put({"a": row(1)}, persist=False)
    cache.flush()

    assert list(tmp_path.iterdir()) == []
    assert cache.get("a").tolist() == [1]


def test_rows_that_wait_are_found_before_they_are_written(tmp_path):
    store = DiskStore(tmp_path)
    store.put({"a": row(7)})

    assert store.get("a").tolist() == [7]
    assert list(tmp_path.iterdir()) == []


def test_many_rows_do_not_wait_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_store, "WAITING_BYTES", 1000)
    store = DiskStore(tmp_path)
    store.put({str(key): np.zeros(100, np.float32) for key in range(3)})

    assert DiskStore(tmp_path).get("2") is not None


def test_rows_of_any_length_are_stored_exactly_and_a_new_one_replaces_the_old(tmp_path):
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    values[:3] = np.float32(1e-42), -0.0, np.finfo(np.float32).max
    store = written(tmp_path, {"long": values, "empty": row(), "twice": row(1)})
    store.put({"twice": row(2, 3)})
    store.flush()

    later = DiskStore(tmp_path)
    assert later.get("long").tobytes() == values.tobytes()
    assert later.get("empty").shape == (0,)
    assert later.get("twice").tolist() == [2, 3]
    assert store_info(tmp_path).rows == 3


# broken files


def content_of(folder):
    """The bytes of the file once nobody has it open."""
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return bytearray((folder / FILE).read_bytes())


def test_a_flipped_bit_costs_its_own_row_alone(tmp_path, caplog):
    written(tmp_path, {"a": row(1.5, 2.5, 3.5), "b": row(4)})
    content = content_of(tmp_path)
    content[content.index(row(1.5, 2.5, 3.5).tobytes()) + 2] ^= 1
    (tmp_path / FILE).write_bytes(content)

    store = DiskStore(tmp_path)

    assert store.get("a") is None
    assert "checksum" in caplog.text
    assert store.get("b").tolist() == [4]
    store.put({"a": row(1.5)})
    store.flush()
    assert DiskStore(tmp_path).get("a").tolist() == [1.5]


def garbage(content):
    return b"garbage " * 1000


def torn(content):
    """The pages after the first are lost."""
    return content[: 16 << 10] + bytes(len(content) - (16 << 10))


@pytest.mark.parametrize("broken", [garbage, torn])
def test_a_broken_file_is_set_aside_with_a_note_and_a_new_one_made(tmp_path, caplog, broken):
    written(tmp_path, {"a": row(1)})
    (tmp_path / FILE).write_bytes(broken(content_of(tmp_path)))
    cache = EmbeddingCache(store=DiskStore(tmp_path))

    assert cache.get("a") is None
    cache.put({"a": row(2)})
    cache.flush()

    assert DiskStore(tmp_path).get("a").tolist() == [2]
    assert (tmp_path / BROKEN).exists()
    assert caplog.text.count(f"it is now {BROKEN}") == 1


def test_a_file_that_breaks_while_it_is_open_is_set_aside(tmp_path, caplog):
    store = written(tmp_path, {str(key): np.full(2000, key, np.float32) for key in range(50)})
    content_of(tmp_path)
    with open(tmp_path / FILE, "r+b") as file:
        file.seek(16 << 10)
        file.write(b"\xff" * (400 << 10))

    store.put({"new": row(1)})
    assert [store.get(str(key)) is None for key in range(50)] == [True] * 50
    store.flush()

    assert DiskStore(tmp_path).get("new").tolist() == [1]
    assert "is now" in caplog.text


def test_what_another_process_put_in_place_of_a_broken_file_stays(tmp_path):
    (tmp_path / FILE).write_bytes(garbage(b""))
    with pytest.raises(store_file.CorruptStore) as broken:
        store_file.open_store(tmp_path / FILE)
    (tmp_path / FILE).rename(tmp_path / "moved by another")
    written(tmp_path, {"a": row(1)})

    store_file.set_aside(tmp_path / FILE, broken.value)

    assert DiskStore(tmp_path).get("a").tolist() == [1]


@pytest.mark.parametrize("statement", ["CREATE TABLE photos (name)", "PRAGMA user_version = 7"])
def test_a_file_of_another_program_or_version_is_set_aside_unchanged(tmp_path, statement):
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute(statement)
        connection.execute("CREATE TABLE IF NOT EXISTS keys (other)")
    connection.close()
    before = (tmp_path / FILE).read_bytes()

    written(tmp_path, {"a": row(1)})

    assert (tmp_path / BROKEN).read_bytes() == before
    assert DiskStore(tmp_path).get("a").tolist() == [1]


# folders


@pytest.mark.usefixtures("bound_by_permissions")
def test_a_folder_that_may_only_be_read_gives_its_rows_and_one_note(tmp_path, caplog):
    store = written(tmp_path, {"a": row(1)})
    del store
    (tmp_path / FILE).chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        cache = EmbeddingCache(store=DiskStore(tmp_path))
        assert cache.get("a").tolist() == [1]
        for key in "bc":
            cache.put({key: row(2)})
            cache.flush()
        cache.clear()
        assert cache.get("a").tolist() == [1]
        assert cache.get("b") is None
    finally:
        tmp_path.chmod(0o755)

    assert caplog.text.count("can only be read") == 1


@pytest.mark.usefixtures("bound_by_permissions")
def test_a_folder_that_cannot_be_entered_costs_no_embeddings(tmp_path, caplog):
    tmp_path.chmod(0)
    try:
        cache = EmbeddingCache(store=DiskStore(tmp_path / "x"))
        cache.put({"a": row(1)})
        cache.flush()
        assert cache.get("a").tolist() == [1]
        assert cache.get("b") is None
    finally:
        tmp_path.chmod(0o755)

    assert caplog.text.count("not kept") == 1


def test_a_folder_that_cannot_be_made_costs_no_embeddings(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(disk_store, "WAITING_BYTES", 100)
    (tmp_path / "file").write_text("in the way")
    cache = EmbeddingCache(store=DiskStore(tmp_path / "file"))
    for start in (0, 100):
        cache.put({str(key): row(key) for key in range(start, start + 100)})
    cache.flush()

    assert cache.get("150").tolist() == [150]
    assert caplog.text.count("not kept") == 1


def test_a_full_disk_costs_no_embeddings_and_is_tried_again_later(tmp_path, caplog, monkeypatch):
    written(tmp_path, {"a": row(1)})
    cache = EmbeddingCache(store=DiskStore(tmp_path))
    full = store_file.open_store(tmp_path / FILE)
    full.connection.execute("PRAGMA max_page_count = 1")
    monkeypatch.setattr(disk_store, "open_store", lambda path: full)
    cache.put({"b": np.zeros(100_000, np.float32)})
    cache.flush()
    monkeypatch.undo()
    assert "full" in caplog.text

    monkeypatch.setattr(disk_store.time, "monotonic", lambda: np.inf)
    cache.put({"c": row(3)})
    cache.flush()
    assert DiskStore(tmp_path).get("a").tolist() == [1]
    assert DiskStore(tmp_path).get("c").tolist() == [3]


def test_a_folder_that_is_removed_meanwhile_is_made_again(tmp_path):
    store = written(tmp_path / "cache", {"a": row(1)})
    shutil.rmtree(tmp_path / "cache")

    store.put({"b": row(2)})
    store.flush()

    assert store.get("a") is None
    assert DiskStore(tmp_path / "cache").get("b").tolist() == [2]


def test_files_of_an_earlier_version_are_removed_with_a_note_and_models_stay(tmp_path, caplog):
    own = {"version": "1", "keys": json.dumps(["k"]), "checksum": "1"}
    save_file({"rows": np.zeros((1, 4), np.float32)}, tmp_path / "0123456789abcdef.safetensors", own)
    save_file({"rows": np.zeros((1, 4), np.float32)}, tmp_path / "model.safetensors", own)
    save_file({"weight": np.zeros((1, 4), np.float32)}, tmp_path / "00000000000000ff.safetensors", own)

    written(tmp_path, {"a": row(1)})

    left = {file.name for file in tmp_path.iterdir()} - {FILE, f"{FILE}-wal", f"{FILE}-shm"}
    assert left == {"model.safetensors", "00000000000000ff.safetensors"}
    assert "removed 1 files" in caplog.text


def test_what_is_stored_can_be_told_without_changing_it(tmp_path):
    assert store_info(tmp_path / "none") == StoreInfo(tmp_path / "none" / FILE, 0, 0)
    store = written(tmp_path, {"a": row(1), "b": row(2)})

    told = store_info(tmp_path)
    assert (told.path, told.rows, told.problem) == (store.path, 2, "")
    assert told.size_bytes > 0

    del store
    before = sorted(file.name for file in tmp_path.iterdir())
    assert store_info(tmp_path).rows == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == before == [FILE]

    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / FILE).write_bytes(garbage(b""))
    assert store_info(tmp_path / "broken").problem == "file is not a database"


# several at once


def test_another_process_sees_new_rows(tmp_path):
    ours, theirs = DiskStore(tmp_path), DiskStore(tmp_path)
    assert ours.get("a") is None
    theirs.put({"a": row(1)})
    theirs.flush()

    assert ours.get("a").tolist() == [1]


@pytest.fixture(params=[False, True], ids=["local", "network"])
def any_disk(request, monkeypatch):
    """Processes cannot share memory on the second one."""
    monkeypatch.setattr(store_file, "is_on_network", lambda folder: request.param)
    return request.param


def test_several_that_write_at_once_lose_nothing_on_any_disk(tmp_path, any_disk):
    def write(name):
        store = DiskStore(tmp_path)
        for key in range(30):
            store.put({f"{name}{key}": row(key), f"both{key}": row(key)})
            store.flush()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    store = DiskStore(tmp_path)
    for name in ("a", "b", "c", "both"):
        assert [store.get(f"{name}{key}").tolist() for key in range(30)] == [[key] for key in range(30)]
    assert (tmp_path / f"{FILE}-wal").exists() != any_disk


def test_a_file_that_another_program_keeps_locked_costs_no_embeddings(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(store_file, "BUSY_SECONDS", 0.05)
    written(tmp_path, {"a": row(1)})
    cache = EmbeddingCache(store=DiskStore(tmp_path))
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert cache.get("a").tolist() == [1]
        cache.put({"b": row(2)})
        cache.flush()
    finally:
        other.execute("ROLLBACK")
        other.close()

    assert cache.get("b").tolist() == [2]
    assert caplog.text.count("database is locked") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_opens_the_file_for_itself(tmp_path):
    store = written(tmp_path, {"a": row(1)})
    child = os.fork()
    if not child:
        store.put({"child": row(*store.get("a"), 2)})
        store.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

    store.put({"parent": row(3)})
    store.flush()

    assert store.get("child").tolist() == [1, 2]
    assert DiskStore(tmp_path).get("parent").tolist() == [3]


# the limit


class Clock:
    """A time that tests move."""

    now = 1_000_000.0

    def __call__(self):
        return self.now


def test_the_rows_used_longest_ago_are_evicted_and_the_file_stays_below_its_limit(tmp_path):
    clock, limit = Clock(), 2_000_000
    store = DiskStore(tmp_path, limit, clock)
    for key in range(800):
        clock.now += 10_000
        store.put({str(key): np.full(768, key, np.float32)})
        assert store.get("0").tolist() == [0] * 768
        if key % 10 == 0:
            store.flush()
    store.flush()

    later = DiskStore(tmp_path, limit, clock)
    assert later.get("0") is not None
    assert later.get("799") is not None
    assert later.get("1") is None
    content_of(tmp_path)
    assert 0.7 * limit < os.path.getsize(tmp_path / FILE) <= limit
    assert store_info(tmp_path).rows > 400


def test_a_smaller_limit_makes_the_file_smaller(tmp_path):
    clock = Clock()
    for key in range(40):
        clock.now += 1
        written(tmp_path, {f"{key} {part}": np.full(768, key, np.float32) for part in range(25)}, clock=clock)
    content_of(tmp_path)
    assert os.path.getsize(tmp_path / FILE) > 3_000_000

    store = written(tmp_path, {"new": row(1)}, max_bytes=1_000_000, clock=clock)

    content_of(tmp_path)
    assert os.path.getsize(tmp_path / FILE) <= 1_000_000
    assert store.get("39 24") is not None
    assert store.get("0 0") is None


def test_reading_writes_no_more_than_one_time_of_use_an_hour(tmp_path):
    clock = Clock()
    store = written(tmp_path, {"a": row(1)}, clock=clock)
    times = []
    for seconds in (60, 3500, 3500):
        clock.now += seconds
        store.get("a")
        store.flush()
        times.append(used_at(tmp_path))

    assert times == [1_000_000, 1_000_000, 1_000_000 + 7060]


def test_times_of_use_do_not_wait_in_memory_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_store, "MOST_TOUCHED", 1)
    clock = Clock()
    store = written(tmp_path, {"a": row(1)}, clock=clock)
    clock.now += 10_000

    store.get("a")

    assert used_at(tmp_path) == 1_010_000


def used_at(folder):
    with sqlite3.connect(folder / FILE) as connection:
        ((used,),) = connection.execute("SELECT used FROM keys")
    connection.close()
    return used


# network disks


@pytest.mark.skipif(os.name == "nt", reason="the table of Linux")
@pytest.mark.parametrize(
    ("kind", "is_network"),
    [("nfs4", True), ("cifs", True), ("9p", True), ("fuse.sshfs", True), ("ext4", False), ("fuseblk", False)],
)
def test_disks_of_other_machines_are_known_by_the_table_of_mounts(tmp_path, kind, is_network):
    (tmp_path / "my disk" / "a").mkdir(parents=True)
    point = str(tmp_path.resolve() / "my disk").replace(" ", "\\040")
    (tmp_path / "mounts").write_text(
        f"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n40 22 0:50 / {point} rw - {kind} server:/disk rw\n"
    )

    assert is_on_network(tmp_path / "my disk" / "a", tmp_path / "mounts") is is_network
    assert not is_on_network(tmp_path, tmp_path / "mounts")
    assert not is_on_network(tmp_path, tmp_path / "none")
