"""The reader: what it sees while others write, from several threads, and in what memory."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from clip_grid.clip_backend.search.database import FILE, open_for_writing
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.purge import purge
from clip_grid.clip_backend.search.query import Part, Query
from clip_grid.clip_backend.search.search import search
from clip_grid.clip_backend.search.writer import IndexWriter
from clip_grid.errors import InputError, OutputError

from .filled import Made, fill, hash_of

X = Part(kind="text", name="x", vector=np.float32([1, 0]))


def at(degrees, path):
    return Made(path, (np.cos(np.radians(degrees)), np.sin(np.radians(degrees))))


def found(index, **more):
    hits = search(index, Query(parts=[X], duplicates=0, top=100, **more)).hits
    return [os.path.basename(one.picture.path) for one in hits]


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "index", [at(30, "b.png"), at(10, "a.png"), at(60, "c.png")])


def remove(folder, *names):
    with sqlite3.connect(folder / FILE) as connection:
        connection.executemany("UPDATE files SET missing = 1 WHERE name = ?", [(os.fsencode(one),) for one in names])


def test_an_open_index_sees_what_is_written_to_it(folder):
    with Index.open(folder) as index:
        assert found(index) == ["a.png", "b.png", "c.png"]
        first = index.state()
        assert index.state() is first

        fill(folder, [at(20, "d.png")])

        assert found(index) == ["a.png", "d.png", "b.png", "c.png"]
        remove(folder, "d.png", "a.png")
        assert found(index) == ["b.png", "c.png"]
        assert (first.count, index.state().count) == (3, 4)


def test_pictures_that_are_forgotten_leave_holes_that_nothing_finds(folder):
    fill(folder, [at(angle, f"{angle}.png") for angle in range(80)])
    with Index.open(folder) as index:
        assert len(found(index)) == 83
        remove(folder, "a.png", "0.png")
        with IndexWriter(folder) as writer:
            assert purge(writer) == 2

        assert index.state().count == 81
        assert len(index.state().ids) == 83
        assert "0.png" not in found(index, where="missing=yes or missing=no")
        deviation = np.std([np.cos(np.radians(one)) for one in [30, 60, *range(1, 80)]])
        (best,) = search(index, Query(parts=[X], top=1, duplicates=0)).hits
        mean = np.mean([np.cos(np.radians(one)) for one in [30, 60, *range(1, 80)]])
        assert best.parts[0].z == pytest.approx((np.cos(np.radians(1)) - mean) / deviation, abs=1e-4)


def test_a_compacted_index_is_read_anew_and_old_states_remain_readable(folder):
    with Index.open(folder) as index:
        old = index.state()
        kept = np.array(old.vectors)
        remove(folder, "b.png", "a.png")
        with IndexWriter(folder) as writer:
            purge(writer)

        state = index.state()

        assert (state.generation, len(state.ids)) == (2, 1)
        assert found(index) == ["c.png"]
        np.testing.assert_array_equal(old.vectors, kept)


def test_a_picture_whose_row_changed_is_read_anew(folder):
    with Index.open(folder) as index:
        index.state()
        with sqlite3.connect(folder / FILE) as connection:
            connection.execute("UPDATE pictures SET row = 9 WHERE hash = ?", (hash_of("a.png"),))
            connection.execute("UPDATE pictures SET row = 1 WHERE hash = ?", (hash_of("c.png"),))
            connection.execute("UPDATE pictures SET row = 2 WHERE hash = ?", (hash_of("a.png"),))

        assert found(index) == ["c.png", "b.png", "a.png"]


def test_many_threads_search_while_pictures_are_added(folder):
    """Every answer is that of a moment: whole batches, in the right order."""
    stop = threading.Event()

    def ask(index):
        counts = set()
        while not stop.is_set():
            names = found(index)
            angles = [float(name[1:-4]) for name in names if name.startswith("n")]
            assert angles == sorted(angles)
            assert len(angles) % 5 == 0
            counts.add(len(angles))
        return counts

    with Index.open(folder) as index, ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(ask, index) for _ in range(3)]
        try:
            for batch in range(12):
                fill(folder, [at(one, f"n{one}.png") for one in range(batch, 65, 13)])
        finally:
            stop.set()
        assert all(answer.result() for answer in answers)
        assert len(found(index)) == 63


def test_a_reader_writes_nothing(folder):
    with Index.open(folder) as index:
        found(index)
        with pytest.raises(OutputError, match="readonly"):
            index.rows("DELETE FROM files")


def test_paths_of_a_picture_tell_which_are_there(tmp_path):
    folder = fill(tmp_path / "index", [Made("b/x.png", copies=["a/x.png", "c/x.png"], properties={"seed": "7"})])
    remove(folder, "x.png")
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("UPDATE files SET missing = NULL WHERE folder IN (?, ?)", (b"b", b"c"))

    with Index.open(folder) as index:
        (picture,) = index.pictures([1, 1, 99]).values()
        assert [path.path[-7:] for path in picture.paths] == ["b/x.png", "c/x.png", "a/x.png"]
        assert [path.is_missing for path in picture.paths] == [False, False, True]
        assert not picture.is_missing
        assert index.properties(1) == {"seed": "7"}
        assert index.properties(99) == {}
        assert (index.id_of(hash_of("b/x.png")), index.id_of("none")) == (1, None)
        with sqlite3.connect(folder / FILE) as connection:
            connection.execute("UPDATE roots SET is_away = 1")
        assert all(path.is_away for path in index.pictures([1])[1].paths)


def test_names_of_properties_are_told_once_each(tmp_path):
    made = [Made(f"{n}.png", properties={"seed": str(n), f"own {n}": "x"}) for n in range(5)]

    with Index.open(fill(tmp_path / "index", made)) as index:
        assert sorted(index.property_names()) == ["own 0", "own 1", "own 2", "own 3", "own 4", "seed"]


def test_no_index_and_an_empty_one_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"there is no index in .*; make one with: clip-grid index"):
        Index.open(tmp_path)
    open_for_writing(tmp_path / "empty").close()
    with Index.open(tmp_path / "empty") as index, pytest.raises(InputError, match="is empty; add pictures with"):
        index.state()


def test_more_pictures_than_sqlite_takes_parameters_are_looked_up(tmp_path):
    folder = fill(tmp_path / "index", [Made(f"{n}.png", properties={"seed": str(n)}) for n in range(2000)])

    with Index.open(folder) as index:
        assert len(index.pictures(range(1, 3000))) == 2000
        assert len(index.property_of_each("seed", range(1, 3000))) == 2000


def test_rows_of_pictures_are_found_whatever_their_order(folder):
    with Index.open(folder) as index:
        state = index.state()
        assert state.rows_of(np.array([3, 0, 99, 1, -1, 2])).tolist() == [2, 0, 1]
        assert state.mask_of(np.array([3, 7])).tolist() == [False, False, True]
        assert state.rows_of(np.empty(0, np.int64)).tolist() == []
