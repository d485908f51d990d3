"""One file of rows with their keys: safetensors whose metadata holds the keys, a version and a checksum."""

from __future__ import annotations

import json
import logging
import os
import secrets
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...atomic import atomic_file
from .cache import LeastRecent, Row

#: Written into each shard; one of another version shows no keys.
VERSION = "1"


class BadShard(Exception):
    """A shard cannot be read, now at least; it is answered by ``disk_cache.py``."""


class CorruptShard(BadShard):
    """A shard can never be read."""


def shard_bytes(rows: Mapping[str, Row]) -> bytes:
    """A shard: rows of one length, float32 [N, D], their keys and their checksum."""
    from safetensors.numpy import save

    stacked = np.stack(list(rows.values())).astype(np.float32)
    metadata = {"version": VERSION, "keys": json.dumps(list(rows)), "checksum": str(zlib.crc32(stacked.tobytes()))}
    return save({"rows": stacked}, metadata)


def read_keys(path: Path) -> tuple[str, ...]:
    """The keys of a shard's rows, from its header alone; raises CorruptShard."""
    metadata, _ = _read(path, with_rows=False)
    return _keys_of(metadata)


def read_rows(path: Path) -> NDArray[np.float32]:
    """A shard's rows; raises CorruptShard where they are not as they were written."""
    metadata, rows = _read(path, with_rows=True)
    if rows.ndim != 2 or len(rows) != len(_keys_of(metadata)):
        raise CorruptShard("its rows and its keys do not agree")
    if str(zlib.crc32(np.ascontiguousarray(rows).tobytes())) != metadata.get("checksum"):
        raise CorruptShard("its checksum is wrong")
    return rows


def _keys_of(metadata: Mapping[str, str]) -> tuple[str, ...]:
    if metadata.get("version") != VERSION:
        return ()
    try:
        return tuple(map(str, json.loads(metadata.get("keys", ""))))
    except ValueError as error:
        raise CorruptShard("its list of keys is broken") from error


def _read(path: Path, *, with_rows: bool) -> tuple[Mapping[str, str], NDArray[np.float32]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            rows = file.get_tensor("rows") if with_rows else np.empty((0, 0), np.float32)
            return file.metadata() or {}, rows
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadShard(f"it cannot be read ({error})") from error
    except (SafetensorError, ValueError, TypeError) as error:
        raise CorruptShard(f"it is broken ({error})") from error


logger = logging.getLogger("clip_grid")
SUFFIX = ".safetensors"
#: Rows that wait before a shard is written without ``flush``.
SHARD_ROWS = 4096
#: Bytes of rows of shards that are held while they are read.
OPEN_BYTES = 64 << 20
#: Small shards that are put together into one.
MOST_SMALL = 32


@dataclass(frozen=True)
class Place:
    """Where a row is."""

    shard: str
    row: int


class FolderStore:
    """Rows in one folder, which several processes may use at once; a broken shard costs its own rows alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[str, Place] = {}
        self._seen: dict[str, int] = {}
        self._waiting: dict[str, Row] = {}
        self._open: LeastRecent[NDArray[np.float32]] = LeastRecent(OPEN_BYTES, lambda rows: rows.nbytes)
        self._listed_at = -1

    def get(self, key: str) -> Row | None:
        """The row, from a shard of any process; None if there is none."""
        if key in self._waiting:
            return self._waiting[key]
        row = self._stored(key)
        if row is None:
            # it may be new, or another process may have put its shard into a larger one
            self._list()
            row = self._stored(key)
        return row

    def _stored(self, key: str) -> Row | None:
        place = self._places.get(key)
        rows = self._rows(place.shard) if place else None
        return None if place is None or rows is None else rows[place.row].copy()

    def put(self, rows: Mapping[str, Row]) -> None:
        """Takes rows; they are written by ``flush``, or when there are many."""
        self._waiting |= rows
        if len(self._waiting) >= SHARD_ROWS:
            self.flush()

    def flush(self) -> None:
        """Writes what waits. Raises OutputError when the folder cannot be written."""
        waiting, self._waiting = self._waiting, {}
        for rows in _by_length(waiting):
            self._write(rows)
        self._put_together()

    def _write(self, rows: Mapping[str, Row]) -> None:
        name = f"{secrets.token_hex(8)}{SUFFIX}"
        with atomic_file(self.folder / name) as file:
            file.write(shard_bytes(rows))
        self._know(name, tuple(rows))

    def _know(self, name: str, keys: tuple[str, ...]) -> None:
        self._seen[name] = len(keys)
        self._places |= {key: Place(name, row) for row, key in enumerate(keys)}

    def _forget(self, name: str) -> None:
        self._seen.pop(name, None)
        self._places = {key: place for key, place in self._places.items() if place.shard != name}

    def _list(self) -> None:
        """Learns which rows the shards hold that are new since the last look."""
        try:
            changed = os.stat(self.folder).st_mtime_ns
            if changed == self._listed_at:
                return
            names = {entry.name for entry in os.scandir(self.folder) if entry.name.endswith(SUFFIX)}
        except OSError:
            # there is no folder yet; one that cannot be read is named when it is written to
            return
        self._listed_at = changed
        for gone in self._seen.keys() - names:
            self._forget(gone)
        for name in sorted(names - self._seen.keys()):
            with suppress(FileNotFoundError):
                self._learn(name)

    def _learn(self, name: str) -> None:
        try:
            self._know(name, read_keys(self.folder / name))
        except BadShard as error:
            self._drop(name, error)

    def _rows(self, name: str) -> NDArray[np.float32] | None:
        rows = self._open.get(name)
        if rows is not None:
            return rows
        try:
            rows = read_rows(self.folder / name)
        except FileNotFoundError:
            self._forget(name)
            self._listed_at = -1
            return None
        except BadShard as error:
            self._drop(name, error)
            return None
        self._open.put(name, rows)
        return rows

    def _drop(self, name: str, error: BadShard) -> None:
        logger.warning("%s: %s; its embeddings are computed and stored again", self.folder / name, error)
        self._forget(name)
        if isinstance(error, CorruptShard):
            with suppress(OSError):
                os.unlink(self.folder / name)

    def _put_together(self) -> None:
        """Many small shards become one; written before they are removed, so that no moment lacks a row."""
        # a shard of another version shows no rows
        small = {name for name, count in self._seen.items() if 0 < count < SHARD_ROWS // MOST_SMALL}
        if len(small) <= MOST_SMALL:
            return
        keys = [key for key, place in self._places.items() if place.shard in small]
        rows = {key: row for key in keys if (row := self.get(key)) is not None}
        for same in _by_length(rows):
            self._write(same)
        # those that could not be read now are not among the known any more, and stay
        for name in small & self._seen.keys():
            self._seen.pop(name)
            with suppress(OSError):
                os.unlink(self.folder / name)


def _by_length(rows: Mapping[str, Row]) -> Iterable[dict[str, Row]]:
    """The rows, apart by how long they are."""
    groups: dict[int, dict[str, Row]] = {}
    for key, row in rows.items():
        groups.setdefault(row.size, {})[key] = row.reshape(-1)
    return groups.values()
