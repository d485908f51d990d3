"""The hashes of files that were read before, so that a file that did not change is not read again."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from ...log import logger
from ..preparing.pictures import file_state

FILE_NAME = "file_hashes.sqlite"
#: A table of another version is dropped.
VERSION = 1
#: A file that changed later than this before it was read is not trusted: it may change again within one tick of the
#: file system's clock, which is 2 s for FAT.
SETTLED_NS = 2_000_000_000
#: Files that are kept; those hashed longest ago are dropped.
MAX_FILES = 1_000_000
#: Hashes that wait before they are written without ``flush``.
MAX_WAITING = 10_000
#: Seconds to wait for another process that writes.
PATIENCE_S = 5.0


class FileHashes:
    """Hashes of files by path, size, times and inode, in a SQLite file that several processes may use at once.

    A table that cannot be read or written costs a warning, and files are read again.
    """

    def __init__(self, folder: Path, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._file = folder / FILE_NAME
        self._clock_ns = clock_ns
        self._lock = Lock()
        #: State and hash by path, not written yet.
        self._waiting: dict[bytes, tuple[str, str]] = {}
        self._database: sqlite3.Connection | None = None
        self._has_warned = False
        #: Whether it failed in this run, so that no further picture waits for it.
        self._is_off = False

    def get(self, path: Path, status: os.stat_result | None = None) -> str:
        """The hash of a file's content, from its state alone; empty if it is not known or has changed.

        status: the file's, if the caller has it already.
        """
        try:
            state = file_state(status or os.stat(path))
        except OSError:
            # reading it gives the reason
            return ""
        with self._lock:
            known = self._waiting.get(_key(path)) or self._stored(_key(path))
        return known[1] if known and known[0] == state else ""

    def put(self, path: Path, status: os.stat_result, content_hash: str) -> None:
        """Takes the hash of a file with this status when it was read; one that changed just before is left out."""
        if self._clock_ns() - status.st_mtime_ns <= SETTLED_NS:
            return
        with self._lock:
            self._waiting[_key(path)] = (file_state(status), content_hash)
            if len(self._waiting) >= MAX_WAITING:
                self._write()

    def flush(self) -> None:
        """Writes what waits, and closes the file."""
        with self._lock:
            self._write()
            self._close()
            self._is_off = False

    def _stored(self, key: bytes) -> tuple[str, str] | None:
        if self._is_off or (self._database is None and not self._file.is_file()):
            return None
        try:
            self._database = self._database or self._open()
            row: tuple[str, str] | None = self._database.execute(
                "SELECT state, hash FROM files WHERE path = ?", (key,)
            ).fetchone()
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
            return None
        return row

    def _write(self) -> None:
        rows = [(key, *value) for key, value in self._waiting.items()]
        self._waiting = {}
        if self._is_off or not rows:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._database = self._database or self._open()
            with self._database as transaction:
                transaction.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)
                transaction.execute("DELETE FROM files WHERE rowid <= (SELECT max(rowid) FROM files) - ?", (MAX_FILES,))
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._file, timeout=PATIENCE_S, check_same_thread=False)
        try:
            with database:
                if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                    database.execute("DROP TABLE IF EXISTS files")
                    database.execute(f"PRAGMA user_version = {VERSION}")
                database.execute(
                    "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, state TEXT NOT NULL, hash TEXT NOT NULL)"
                )
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _give_up(self, error: Exception) -> None:
        """Warns once; a file that is no table is removed, so that the next run begins a new one."""
        level = logging.DEBUG if self._has_warned else logging.WARNING
        logger.log(level, "hashes of files are not kept in %s: %s; pictures are read again", self._file, error)
        self._has_warned = self._is_off = True
        self._close()
        if type(error) is sqlite3.DatabaseError:
            with suppress(OSError):
                self._file.unlink()


def _key(path: Path) -> bytes:
    return os.fsencode(os.path.abspath(path))
