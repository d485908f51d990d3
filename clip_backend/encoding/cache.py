"""Caches between calls: the encoders used last, by their files, and embeddings, by all that they depend on."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cache as once
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, OutputError
from ...log import logger
from ..checkpoints.weight_files import file_states

if TYPE_CHECKING:
    from .disk_store import DiskStore
    from .file_hashes import FileHashes

Row = NDArray[np.float32]
V = TypeVar("V")
#: Bytes of embeddings in memory: 80,000 of 768 dimensions.
MEMORY_BYTES = 256 << 20
#: Encoders in memory.
ENCODERS = 2


class LruCache(Generic[V]):
    """The values used last, up to a total size; safe to use from several threads.

    size_of: the size of a value; without it the values are counted.
    """

    def __init__(self, max_size: int, size_of: Callable[[V], int] = lambda value: 1) -> None:
        self._max_size = max_size
        self._size_of = size_of
        self._size = 0
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> V | None:
        """The value, which is now the one used last; None if it is not cached."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Hashable, value: V) -> None:
        """Adds the value, and drops those used longest ago until the rest fits."""
        with self._lock:
            self._drop(key)
            self._values[key] = value
            self._size += self._size_of(value)
            while self._size > self._max_size and self._values:
                self._drop(next(iter(self._values)))

    def discard(self, value: V) -> None:
        """Drops the value, if it is cached."""
        with self._lock:
            for key in [key for key, known in self._values.items() if known is value]:
                self._drop(key)

    def clear(self) -> None:
        """Drops all values."""
        with self._lock:
            self._values.clear()
            self._size = 0

    def _drop(self, key: Hashable) -> None:
        if key in self._values:
            self._size -= self._size_of(self._values.pop(key))


class EmbeddingCache:
    """Rows of numbers by a key of all that they depend on (``row_key``), in memory and optionally in a folder."""

    def __init__(
        self, max_bytes: int = MEMORY_BYTES, store: DiskStore | None = None, file_hashes: FileHashes | None = None
    ) -> None:
        #: The hashes of files whose rows may be in the store.
        self.file_hashes = file_hashes
        self._memory: LruCache[Row] = LruCache(max_bytes, lambda row: row.nbytes)
        self._store = store
        self._lock = RLock()
        self._has_warned = False
        #: How many rows were found, and how many were not.
        self.hits = 0
        self.misses = 0

    def get(self, key: str) -> Row | None:
        """The row, not to be written to; None if it is not cached."""
        row = self._memory.get(key)
        with self._lock:
            if row is None and self._store and (row := self._store.get(key)) is not None:
                self._memory.put(key, row)
            self.hits += row is not None
            self.misses += row is None
        return row

    def put(self, rows: Mapping[str, Row], *, persist: bool = True) -> None:
        """Adds rows; without ``persist`` in memory alone."""
        for key, row in rows.items():
            self._memory.put(key, row)
        if persist and (store := self._store):
            self._write(lambda: store.put(rows))

    def clear(self) -> None:
        """Drops what is in memory; what is stored stays."""
        self._memory.clear()

    def flush(self) -> None:
        """Stores what was added; a store that cannot be written to costs a warning, not embeddings."""
        if self._store:
            self._write(self._store.flush)
        if self.file_hashes:
            self.file_hashes.flush()

    def _write(self, write: Callable[[], None]) -> None:
        with self._lock:
            try:
                write()
            except OutputError as error:
                # one warning is enough for a folder to which every batch would write
                logger.log(logging.DEBUG if self._has_warned else logging.WARNING, "embeddings are not kept: %s", error)
                self._has_warned = True


class EncoderCache(Generic[V]):
    """The encoders used last; one is built when its files or options are new."""

    def __init__(self, max_encoders: int = ENCODERS) -> None:
        self._encoders: LruCache[V] = LruCache(max_encoders)
        self._building = Lock()

    def get(self, files: Iterable[Path], options: Hashable, build: Callable[[], V]) -> V:
        """The encoder of these files, as they are now, and options; built if it is not cached.

        Raises CheckpointError for a file that is gone, and what ``build`` raises.
        """
        key = (tuple(map(file_identity, files)), options)
        with self._building:
            encoder = self._encoders.get(key)
            if encoder is None:
                encoder = build()
                self._encoders.put(key, encoder)
            return encoder

    def discard(self, encoder: V) -> None:
        """Drops the encoder, if it is cached; its memory is freed once nothing else refers to it."""
        self._encoders.discard(encoder)

    def clear(self) -> None:
        """Drops all encoders, whose memory is freed once nothing else refers to them."""
        self._encoders.clear()


@once
def shared_encoders() -> EncoderCache[object]:
    """The cache of this process, for all who bring none of their own."""
    return EncoderCache()


def file_identity(path: Path) -> tuple[object, ...]:
    """Real path and state, one of which differs once a file was written to; raises CheckpointError if it is gone."""
    return (os.path.realpath(path), *file_states([path]))


def row_key(*parts: object) -> str:
    """A cache key of everything that a row depends on; equal only for equal parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


#: The environment variable with a folder for embeddings, or with one of ``OFF`` for none.
VARIABLE = "CLIP_GRID_CACHE"
OFF = ("off", "0", "none")
#: The environment variable with the largest size of what is stored there, in GB.
SIZE_VARIABLE = "CLIP_GRID_CACHE_SIZE"
#: That size where nobody names one, and the bytes of a GB.
CACHE_GB, GB = 4.0, 1_000_000_000


def default_cache_folder(environment: Mapping[str, str] = os.environ, *, platform: str = sys.platform) -> Path | None:
    """The folder for embeddings, which need not exist; None if it is switched off, or without a home directory.

    It is the one in CLIP_GRID_CACHE, else clip-grid/embeddings in the platform's cache folder.
    """
    named = environment.get(VARIABLE, "").strip()
    if named.lower() in OFF:
        return None
    if named:
        return Path(os.path.expanduser(named)).absolute()
    folder = platform_folder("cache", environment, platform=platform)
    return folder / "embeddings" if folder.is_absolute() else None


#: Below the home directory of Windows and macOS; elsewhere the variable of the XDG specification, and its default.
_PLATFORM_FOLDERS = {
    "cache": ("AppData/Local", "Library/Caches", "XDG_CACHE_HOME", ".cache"),
    "data": ("AppData/Local", "Library/Application Support", "XDG_DATA_HOME", ".local/share"),
}


def platform_folder(
    kind: Literal["cache", "data"], environment: Mapping[str, str] = os.environ, *, platform: str = sys.platform
) -> Path:
    """This program's folder for what can be made again ("cache") or for data; relative without a home directory."""
    home = Path(os.path.expanduser("~"))
    windows, mac, variable, other = _PLATFORM_FOLDERS[kind]
    if platform == "win32":
        parent = Path(environment.get("LOCALAPPDATA") or home / windows)
    elif platform == "darwin":
        parent = home / mac
    else:
        xdg = Path(environment.get(variable, ""))
        # the XDG specification has relative paths ignored
        parent = xdg if xdg.is_absolute() else home / other
    return parent / "clip-grid"


def cache_bytes(size_gb: float | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """The largest size of the file with embeddings: as given, else as in CLIP_GRID_CACHE_SIZE, else 4 GB.

    Raises InputError for what is no number above 0.
    """
    named = environment.get(SIZE_VARIABLE, "").strip()
    name, value = ("cache_gb", size_gb) if size_gb is not None or not named else (SIZE_VARIABLE, named)
    try:
        size = CACHE_GB if value is None else float(value)
    except ValueError:
        size = math.nan
    if not 0 < size < math.inf:
        raise InputError(f"{name} is {value!r}; give the size in GB, a number above 0 such as 4")
    return int(size * GB)
