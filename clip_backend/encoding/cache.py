"""What is kept between calls: a few encoders, by their files, and embeddings, by what they stand for."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cache as once
from pathlib import Path
from threading import Lock, RLock
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError, OutputError

logger = logging.getLogger("clip_grid")
Row = NDArray[np.float32]
V = TypeVar("V")
#: Bytes of embeddings held in memory: 80,000 of 768 numbers.
MEMORY_BYTES = 256 << 20
#: Encoders held in memory.
ENCODERS = 2


class LeastRecent(Generic[V]):
    """The values used last, as many as their weights allow; safe to use from several threads."""

    def __init__(self, most: int, weigh: Callable[[V], int] = lambda value: 1) -> None:
        self.most = most
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> V | None:
        """The value, which is now the one used last; None if it is not held."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Hashable, value: V) -> None:
        """Holds the value, and drops those used longest ago until the rest is light enough."""
        with self._lock:
            self._drop(key)
            self._values[key] = value
            self._weight += self._weigh(value)
            while self._weight > self.most and self._values:
                self._drop(next(iter(self._values)))

    def clear(self) -> None:
        """Holds nothing any more."""
        with self._lock:
            self._values.clear()
            self._weight = 0

    def _drop(self, key: Hashable) -> None:
        if key in self._values:
            self._weight -= self._weigh(self._values.pop(key))


class RowStore(Protocol):
    """A slower place for rows behind the one in memory, such as a folder."""

    def get(self, key: str) -> Row | None:
        """The row, or None."""

    def put(self, rows: Mapping[str, Row]) -> None:
        """Takes rows, which need not be stored before ``flush``."""

    def flush(self) -> None:
        """Stores what was taken."""


class EmbeddingCache:
    """Rows of numbers by a key that names all that they depend on; in memory, and behind that in a store if given."""

    def __init__(self, most_bytes: int = MEMORY_BYTES, store: RowStore | None = None) -> None:
        self._memory: LeastRecent[Row] = LeastRecent(most_bytes, lambda row: row.nbytes)
        self._store = store
        self._lock = RLock()
        self._is_told = False
        #: Rows that were found, and rows that were not.
        self.hits = 0
        self.misses = 0

    def get(self, key: str) -> Row | None:
        """The row, not to be written to; None if it is not known."""
        row = self._memory.get(key)
        with self._lock:
            if row is None and self._store and (row := self._store.get(key)) is not None:
                self._memory.put(key, row)
            self.hits += row is not None
            self.misses += row is None
        return row

    def put(self, rows: Mapping[str, Row], *, keep: bool = True) -> None:
        """Takes rows; those that are not to ``keep`` stay in memory alone."""
        for key, row in rows.items():
            self._memory.put(key, row)
        if keep and (store := self._store):
            self._store_by(lambda: store.put(rows))

    def clear(self) -> None:
        """Forgets what is in memory; what is stored stays."""
        self._memory.clear()

    def flush(self) -> None:
        """Stores what was taken, if there is a store; one that cannot be written costs time, not embeddings."""
        if self._store:
            self._store_by(self._store.flush)

    def _store_by(self, storing: Callable[[], None]) -> None:
        with self._lock:
            try:
                storing()
            except OutputError as error:
                # one warning is enough for a folder to which every batch would write
                logger.log(logging.DEBUG if self._is_told else logging.WARNING, "embeddings are not kept: %s", error)
                self._is_told = True


class EncoderCache(Generic[V]):
    """A few encoders; one is built when its files or options are new, and dropped when it was used longest ago."""

    def __init__(self, most: int = ENCODERS) -> None:
        self._encoders: LeastRecent[V] = LeastRecent(most)
        self._building = Lock()

    def get(self, files: Iterable[Path], options: Hashable, build: Callable[[], V]) -> V:
        """The encoder of these files, as they are now, and options; built if it is not held.

        Raises CheckpointError for a file that is gone, and what ``build`` raises.
        """
        key = (tuple(map(file_identity, files)), options)
        with self._building:
            encoder = self._encoders.get(key)
            if encoder is None:
                encoder = build()
                self._encoders.put(key, encoder)
            return encoder

    def clear(self) -> None:
        """Holds no encoder any more, so that its memory is free once nobody else uses it."""
        self._encoders.clear()


@once
def shared_encoders() -> EncoderCache[object]:
    """The encoders of this process."""
    return EncoderCache()


def file_identity(path: Path) -> tuple[str, int, int]:
    """Real path, bytes and time of change, which differ once a file was written to; CheckpointError if it is gone."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise CheckpointError(str(path), "it is gone or cannot be read; choose the model again") from error
    return os.path.realpath(path), status.st_size, status.st_mtime_ns


def row_key(*parts: object) -> str:
    """A key from everything that a row depends on; equal only for equal parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


#: Pieces of a file that are looked at, spread evenly from its beginning to its end, and their bytes.
PIECES = 512
PIECE = 4096


def sampled_digest(files: Sequence[Path]) -> str:
    """Of size and evenly spread pieces of each file: another for weights that were trained on, all of which change."""
    digest = hashlib.sha256()
    for file in files:
        try:
            _add(digest, file)
        except OSError as error:
            raise CheckpointError(str(file), "it is gone or cannot be read; choose the model again") from error
    return digest.hexdigest()


def _add(digest: hashlib._Hash, file: Path) -> None:
    with open(file, "rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        digest.update(size.to_bytes(8, "little"))
        step = max(PIECE, (size - PIECE) // (PIECES - 1))
        for start in (*range(0, size, step), max(0, size - PIECE)):
            opened.seek(start)
            digest.update(opened.read(PIECE))


#: A folder for embeddings, or one of ``OFF`` for none.
VARIABLE = "CLIP_GRID_CACHE"
OFF = ("off", "0", "none")


def default_cache_folder(environment: Mapping[str, str] = os.environ, *, platform: str = sys.platform) -> Path | None:
    """The folder, which need not exist; None if nothing is to be kept, or if the user has no home.

    The one that the variable CLIP_GRID_CACHE names, else clip-grid/embeddings in the platform's folder for caches.
    """
    named = environment.get(VARIABLE, "").strip()
    if named.lower() in OFF:
        return None
    if named:
        return Path(os.path.expanduser(named)).absolute()
    caches = _caches(environment, platform)
    return caches / "clip-grid" / "embeddings" if caches.is_absolute() else None


def _caches(environment: Mapping[str, str], platform: str) -> Path:
    """The platform's folder for caches; relative if the home is not known."""
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or _home("AppData/Local"))
    if platform == "darwin":
        return _home("Library/Caches")
    given = Path(environment.get("XDG_CACHE_HOME", ""))
    # the XDG specification has relative paths ignored
    return given if given.is_absolute() else _home(".cache")


def _home(below: str) -> Path:
    return Path(os.path.expanduser("~"), below)
