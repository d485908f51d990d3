"""An index survives kills, full disks, readers and file systems that lack what SQLite wants."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from clip_grid.clip_backend.search import database, writer
from clip_grid.clip_backend.search.database import open_for_reading, read_settings
from clip_grid.clip_backend.search.purge import purge
from clip_grid.clip_backend.search.vectors import read_vectors, vector_file
from clip_grid.clip_backend.search.writer import IndexWriter
from clip_grid.errors import InputError, OutputError

from .counting_encoder import DIM, CountingEncoder
from .folders import check_whole, draw, query, update

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")
def test_updates_that_are_killed_or_meet_a_full_disk_leave_a_whole_index(tmp_path):
    (tmp_path / "clip_grid").symlink_to(ROOT)
    run = subprocess.run(
        [sys.executable, "-m", "clip_grid.tests.clip_backend.search.kill_updates", "30", "--seed", "7"],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    ended = re.fullmatch(r"(\d+) of 30 updates were ended; all were whole\n", run.stdout)
    assert ended and int(ended[1]) > 15


def test_a_reader_goes_on_with_what_it_saw_while_another_process_writes(tmp_path):
    index, out = tmp_path / "index", tmp_path / "out"
    pictures = [draw(out / f"{n}.png", n) for n in range(4)]
    update(index, [out])
    reader = open_for_reading(index)
    settings = read_settings(reader)
    vectors = read_vectors(vector_file(index, 1), DIM, settings["space"], 4)
    before = vectors.copy()

    def read_meanwhile() -> None:
        assert len(reader.execute("SELECT name FROM files").fetchall()) == 4
        assert (vectors == before).all()

    encoder = CountingEncoder(before=read_meanwhile)
    more = [draw(out / f"{n}.png", n) for n in range(4, 8)]
    update(index, [], encoder)

    assert encoder.computed == 4
    assert (vectors == before).all()
    reader.close()
    check_whole(index, [*pictures, *more])


def test_a_reader_writes_nothing(tmp_path):
    draw(tmp_path / "out" / "1.png", 1)
    update(tmp_path / "index", [tmp_path / "out"])
    reader = open_for_reading(tmp_path / "index")

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM files")
    reader.close()


def test_reading_where_there_is_no_index_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(InputError, match=r"there is no index in .*clip-grid index FOLDER"):
        open_for_reading(tmp_path)


class _Without(sqlite3.Connection):
    """A connection of an SQLite that lacks a feature, as on a network drive or built without an extension."""

    def execute(self, sql: str, *given):
        if sql == "PRAGMA journal_mode = WAL":
            return super().execute("PRAGMA journal_mode = DELETE")
        if "fts5" in sql:
            raise sqlite3.OperationalError("no such module: fts5")
        return super().execute(sql, *given)


def test_an_index_works_without_a_write_ahead_log_and_without_full_text_search(tmp_path, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **options: connect(*given, factory=_Without, **options))
    pictures = [draw(tmp_path / "out" / f"{n}.png", n) for n in range(3)]

    update(tmp_path / "index", [tmp_path / "out"])

    monkeypatch.undo()
    check_whole(tmp_path / "index", pictures)
    assert query(tmp_path / "index", "PRAGMA journal_mode") == [("delete",)]
    pictures[0].unlink()
    update(tmp_path / "index", [])
    with IndexWriter(tmp_path / "index") as writing:
        assert purge(writing) == 1
    reader = open_for_reading(tmp_path / "index")
    assert not database.has_full_text(reader)
    reader.close()


def test_an_index_in_a_folder_that_cannot_be_written_is_refused(tmp_path, bound_by_permissions):
    (tmp_path / "index").mkdir(mode=0o555)

    with pytest.raises(OutputError, match="no permission to write there; choose another folder"):
        IndexWriter(tmp_path / "index")


def test_another_process_that_keeps_the_database_busy_is_named(tmp_path, monkeypatch):
    update(tmp_path / "index", [(draw(tmp_path / "out" / "1.png", 1)).parent])
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    busy = sqlite3.connect(tmp_path / "index" / database.FILE, isolation_level=None)
    busy.execute("BEGIN EXCLUSIVE")
    draw(tmp_path / "out" / "2.png", 2)

    with pytest.raises(OutputError, match="is in use by another program"):
        update(tmp_path / "index", [])
    busy.execute("ROLLBACK")
    busy.close()
    assert update(tmp_path / "index", []).computed == 1


def test_no_lock_stays_behind(tmp_path):
    with pytest.raises(InputError):
        update(tmp_path / "index", [tmp_path / "nowhere"])

    assert not (tmp_path / "index" / writer.LOCK).exists()
