"""Embeddings in a folder, which several processes may use at once.

Rows of one length lie together in a shard: a safetensors file whose metadata hold their keys, a version and a checksum.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...atomic import atomic_file
from .cache import LruCache, Row

logger = logging.getLogger("clip_grid")
#: The version in each shard's metadata; the keys of shards of another version are not read.
VERSION = "1"
SUFFIX = ".safetensors"
#: Rows that wait before a shard is written without ``flush``.
SHARD_ROWS = 4096
#: Bytes of the shards' rows in memory.
OPEN_BYTES = 64 << 20
#: More small shards than this are merged into one.
MAX_SMALL = 32


class BadShard(Exception):
    """A shard cannot be read at present; ``FolderStore`` answers it."""


class CorruptShard(BadShard):
    """A shard can never be read."""


class FolderStore:
    """Rows in one folder, by key; a broken shard costs its own rows alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Shard and position of each row, by key.
        self._locations: dict[str, tuple[str, int]] = {}
        #: Number of rows of each known shard.
        self._counts: dict[str, int] = {}
        self._waiting: dict[str, Row] = {}
        self._open: LruCache[NDArray[np.float32]] = LruCache(OPEN_BYTES, lambda rows: rows.nbytes)
        self._listed_at = -1

    def get(self, key: str) -> Row | None:
        """The row, from a shard of any process; None if there is none."""
        if key in self._waiting:
            return self._waiting[key]
        row = self._stored(key)
        if row is None:
            # it may be new, or another process may have merged its shard into a larger one
            self._list()
            row = self._stored(key)
        return row

    def put(self, rows: Mapping[str, Row]) -> None:
        """Takes rows; they are written by ``flush``, or when there are many."""
        self._waiting |= rows
        if len(self._waiting) >= SHARD_ROWS:
            self.flush()

    def flush(self) -> None:
        """Writes what waits. Raises OutputError if the folder cannot be written to."""
        waiting, self._waiting = self._waiting, {}
        for rows in _by_length(waiting):
            self._write(rows)
        self._merge_small()

    def _stored(self, key: str) -> Row | None:
        if key not in self._locations:
            return None
        shard, position = self._locations[key]
        rows = self._rows(shard)
        return None if rows is None else rows[position].copy()

    def _write(self, rows: Mapping[str, Row]) -> None:
        name = f"{secrets.token_hex(8)}{SUFFIX}"
        with atomic_file(self.folder / name) as file:
            file.write(shard_bytes(rows))
        self._add(name, tuple(rows))

    def _add(self, name: str, keys: tuple[str, ...]) -> None:
        self._counts[name] = len(keys)
        self._locations |= {key: (name, position) for position, key in enumerate(keys)}

    def _forget(self, name: str) -> None:
        self._counts.pop(name, None)
        self._locations = {key: location for key, location in self._locations.items() if location[0] != name}

    def _list(self) -> None:
        """Reads the keys of shards that are new since the last time."""
        try:
            changed = os.stat(self.folder).st_mtime_ns
            if changed == self._listed_at:
                return
            names = {entry.name for entry in os.scandir(self.folder) if entry.name.endswith(SUFFIX)}
        except OSError:
            # there is no folder yet; writing to one that cannot be read raises
            return
        self._listed_at = changed
        for gone in self._counts.keys() - names:
            self._forget(gone)
        for name in sorted(names - self._counts.keys()):
            try:
                self._add(name, read_keys(self.folder / name))
            except FileNotFoundError:
                continue
            except BadShard as error:
                self._discard(name, error)

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
            self._discard(name, error)
            return None
        self._open.put(name, rows)
        return rows

    def _discard(self, name: str, error: BadShard) -> None:
        logger.warning("%s: %s; its embeddings are computed and stored again", self.folder / name, error)
        self._forget(name)
        if isinstance(error, CorruptShard):
            with suppress(OSError):
                os.unlink(self.folder / name)

    def _merge_small(self) -> None:
        """Many small shards become one, which is written before they are removed, so that no row is ever missing."""
        # shards of another version count no rows
        small = {name for name, count in self._counts.items() if 0 < count < SHARD_ROWS // MAX_SMALL}
        if len(small) <= MAX_SMALL:
            return
        keys = [key for key, (shard, _) in self._locations.items() if shard in small]
        rows = {key: row for key in keys if (row := self.get(key)) is not None}
        for same_length in _by_length(rows):
            self._write(same_length)
        # shards that could not be read just now are forgotten already, and their files stay
        for name in small & self._counts.keys():
            self._counts.pop(name)
            with suppress(OSError):
                os.unlink(self.folder / name)


def shard_bytes(rows: Mapping[str, Row]) -> bytes:
    """The file of a shard with these rows, which have one length."""
    from safetensors.numpy import save

    stacked = np.stack(list(rows.values())).astype(np.float32)  # [N, D]
    metadata = {"version": VERSION, "keys": json.dumps(list(rows)), "checksum": str(zlib.crc32(stacked.tobytes()))}
    return save({"rows": stacked}, metadata)


def read_keys(path: Path) -> tuple[str, ...]:
    """The keys of a shard's rows, from its header alone; raises BadShard and FileNotFoundError."""
    return _keys_of(_read(path, with_rows=False)[0])


def read_rows(path: Path) -> NDArray[np.float32]:
    """A shard's rows [N, D]; raises CorruptShard if they are not as written, BadShard and FileNotFoundError."""
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


def _by_length(rows: Mapping[str, Row]) -> Iterable[dict[str, Row]]:
    """The rows in groups of one length."""
    groups: dict[int, dict[str, Row]] = {}
    for key, row in rows.items():
        groups.setdefault(row.size, {})[key] = row.reshape(-1)
    return groups.values()
