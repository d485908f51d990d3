"""Embeddings on disk: rows by key in one SQLite file, of which those used longest ago go when it grows too large.

Each row is stored with a checksum over key and numbers, so that a flipped bit costs that row alone.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
import weakref
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...errors import OutputError
from ...log import logger
from .cache import CACHE_GB, GB, Row
from .store_file import FILE, CorruptStore, OpenStore, file_id, is_corrupt, open_store, set_aside, transaction, unusable

T = TypeVar("T")
#: Bytes of rows that wait before they are written without ``flush``.
WAITING_BYTES = 16 << 20
#: Rows that were read and whose time of use waits to be written.
MOST_TOUCHED = 10_000
#: Seconds; the time of use is not written again for a row that was used within them.
FRESH_SECONDS = 3600
#: The share of the limit that eviction leaves, so that not every row that is added evicts another.
KEPT_SHARE = 0.9
#: Rows that one transaction evicts; another process may write before the next.
EVICTED_AT_ONCE = 5000
#: Pages that one transaction takes out of the file.
VACUUMED_AT_ONCE = 1000
#: Seconds until a file that could not be used is tried again.
RETRY_SECONDS = 30.0
_CHECKSUM_BYTES = 4
_FIND = "SELECT vector, used FROM keys JOIN vectors USING (place) WHERE key = ?"


class DiskStore:
    """A ``RowStore`` in one file, which several processes may use at once; threads must take turns.

    max_bytes: of the file; reached, the rows used longest ago are evicted. clock: seconds since 1970.
    """

    def __init__(
        self, folder: Path, max_bytes: int = int(CACHE_GB * GB), clock: Callable[[], float] = time.time
    ) -> None:
        self.path = folder / FILE
        self._max_bytes = max_bytes
        self._clock = clock
        self._waiting: dict[str, bytes] = {}
        self._waiting_bytes = 0
        self._touched: set[str] = set()
        # SQLite forbids to use a connection in a forked process, even to close it
        self._open: dict[int, OpenStore] = {}
        self._retry_at = -math.inf

    def get(self, key: str) -> Row | None:
        """The row, stored by any process; None if there is none, or the file cannot be read."""
        stored = self._waiting.get(key)
        if stored is None:
            stored = self._stored(key)
        if stored is None:
            return None
        row = row_of(key, stored)
        if row is None:
            logger.warning("%s: the checksum of a row is wrong; it is computed and stored again", self.path)
        return row

    def put(self, rows: Mapping[str, Row]) -> None:
        """Takes rows; they are written by ``flush``, or when there are many."""
        for key, row in rows.items():
            stored = self._waiting[key] = bytes_of(key, row)
            self._waiting_bytes += len(stored)
        if self._waiting_bytes >= WAITING_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what waits. Raises OutputError if it cannot be written, and is lost."""
        waiting, touched = self._waiting, self._touched
        self._waiting, self._touched, self._waiting_bytes = {}, set(), 0
        if not (waiting or touched):
            return
        if (opened := self._open.get(os.getpid())) and file_id(self.path) != opened.identity:
            # the file was removed, or set aside by another process
            self._close()
        is_written = self._on_file(lambda store: self._write(store, waiting, touched))
        if waiting and not is_written:
            raise OutputError(f"{self.path} can only be read; choose another folder for embeddings")

    def _stored(self, key: str) -> bytes | None:
        try:
            found = self._on_file(lambda store: store.connection.execute(_FIND, (key,)).fetchone())
        except OutputError as error:
            # flush says it where anything is lost
            logger.debug("embeddings are not read: %s", error)
            return None
        if found is None:
            return None
        stored: bytes
        stored, used = found
        if used < self._clock() - FRESH_SECONDS:
            self._touch(key)
        return stored

    def _touch(self, key: str) -> None:
        self._touched.add(key)
        if len(self._touched) >= MOST_TOUCHED:
            touched, self._touched = self._touched, set()
            try:
                self._on_file(lambda store: self._write(store, {}, touched))
            except OutputError as error:
                logger.debug("times of use are not kept: %s", error)

    def _write(self, store: OpenStore, rows: Mapping[str, bytes], touched: set[str]) -> bool:
        """Whether the file may be written to."""
        if store.is_read_only:
            return False
        connection, now = store.connection, int(self._clock())
        with transaction(connection):
            for key, stored in rows.items():
                _store(connection, key, stored, now)
            connection.executemany("UPDATE keys SET used = ? WHERE key = ?", [(now, key) for key in touched])
        evict(connection, self._max_bytes)
        return True

    def _on_file(self, work: Callable[[OpenStore], T]) -> T:
        """What ``work`` answers; a file that proves broken is set aside, and a new one made.

        Raises OutputError if the file cannot be used; it is tried again later.
        """
        if time.monotonic() < self._retry_at:
            raise OutputError(f"{self.path} could not be used a moment ago; it is tried again later")
        try:
            try:
                return self._tried(work)
            except CorruptStore as error:
                self._close()
                set_aside(self.path, error)
                return self._tried(work)
        except (CorruptStore, sqlite3.Error, OutputError) as error:
            self._close()
            self._retry_at = time.monotonic() + RETRY_SECONDS
            if isinstance(error, OutputError):
                raise
            raise unusable(self.path, error) from error

    def _tried(self, work: Callable[[OpenStore], T]) -> T:
        opened = self._opened()
        try:
            return work(opened)
        except sqlite3.DatabaseError as error:
            if is_corrupt(error):
                raise CorruptStore(str(error), opened.identity) from error
            raise

    def _opened(self) -> OpenStore:
        """The file, opened once per process."""
        opened = self._open.get(os.getpid())
        if opened is None:
            opened = self._open[os.getpid()] = open_store(self.path)
            weakref.finalize(self, _close_in, os.getpid(), opened.connection)
        return opened

    def _close(self) -> None:
        opened = self._open.pop(os.getpid(), None)
        if opened is not None:
            opened.connection.close()


def bytes_of(key: str, row: Row) -> bytes:
    """A row as it is stored: a checksum, and its numbers as float32, lowest byte first."""
    numbers = np.ascontiguousarray(row, "<f4").tobytes()
    return _checksum(key, numbers) + numbers


def row_of(key: str, stored: bytes) -> Row | None:
    """The row [D], not to be written to; None if it is not as it was stored."""
    numbers = memoryview(stored)[_CHECKSUM_BYTES:]
    if not stored.startswith(_checksum(key, numbers)) or len(numbers) % 4:
        return None
    return np.frombuffer(numbers, "<f4").astype(np.float32, copy=False)


def _checksum(key: str, numbers: bytes | memoryview) -> bytes:
    return zlib.crc32(numbers, zlib.crc32(key.encode())).to_bytes(_CHECKSUM_BYTES, "little")


def _store(connection: sqlite3.Connection, key: str, stored: bytes, now: int) -> None:
    replaced = connection.execute(
        "UPDATE vectors SET vector = ? WHERE place = (SELECT place FROM keys WHERE key = ?)", (stored, key)
    )
    if replaced.rowcount == 0:
        place = connection.execute("INSERT INTO vectors (vector) VALUES (?)", (stored,)).lastrowid
        connection.execute("INSERT INTO keys (key, used, place) VALUES (?, ?, ?)", (key, now, place))


def evict(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Deletes the rows used longest ago from a file that is larger, and returns the space that is too much."""
    page, pages, free = (_number(connection, name) for name in ("page_size", "page_count", "freelist_count"))
    if pages * page <= max_bytes:
        return
    used, kept = (pages - free) * page, KEPT_SHARE * max_bytes
    if used > kept:
        ((rows,),) = connection.execute("SELECT count(*) FROM keys")
        oldest = connection.execute(
            "SELECT key, place FROM keys ORDER BY used, place LIMIT ?", (math.ceil(rows * (1 - kept / used)),)
        ).fetchall()
        for start in range(0, len(oldest), EVICTED_AT_ONCE):
            _delete(connection, oldest[start : start + EVICTED_AT_ONCE])
    for _ in range(0, pages - max_bytes // page, VACUUMED_AT_ONCE):
        # ``execute`` would end after the first page
        connection.executescript(f"PRAGMA incremental_vacuum({VACUUMED_AT_ONCE})")


def _delete(connection: sqlite3.Connection, rows: Sequence[tuple[str, int]]) -> None:
    with transaction(connection):
        for key, place in rows:
            # unless another process evicted it, and its place has another row now
            if connection.execute("DELETE FROM keys WHERE key = ? AND place = ?", (key, place)).rowcount:
                connection.execute("DELETE FROM vectors WHERE place = ?", (place,))


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    ((value,),) = connection.execute(f"PRAGMA {pragma}")
    return int(value)


def _close_in(process: int, connection: sqlite3.Connection) -> None:
    if process == os.getpid():
        connection.close()
