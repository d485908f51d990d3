"""What happens to a picture in its thread: read and hashed once, looked up, decoded, observed and prepared."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from torch import Tensor

from ...color_profiles import profile_problem
from ...decoding import DECODING, PROFILE
from ...errors import InputError, PictureError
from ..preparing.blank import pixel_statistics
from ..preparing.pictures import FileContent, NamedPicture, file_state
from ..preparing.preprocessing import Preprocessing, pixel_hash
from .batching import costing_one_picture
from .cache import EmbeddingCache, Row, row_key
from .image_features import Preparer, StateName
from .outcomes import IsKnown, Observe


@dataclass(eq=False)
class Computation:
    """The rows of one content, which all pictures of this content share."""

    #: Rows by name of the state, read-only; empty until they are computed.
    rows: Mapping[StateName, Row] = field(default_factory=dict)
    #: Why they cannot be computed.
    reason: str = ""


class ComputedRows:
    """Finds the rows of equal pictures; safe to use from several threads.

    cache: keeps them between runs. depends_on: everything that they depend on beside the picture. window: how many
    computations started last are found even if nobody refers to them any more; at least as many as pictures that were
    looked up and are not started yet.
    """

    def __init__(self, cache: EmbeddingCache, depends_on: str, wants: Sequence[StateName], window: int) -> None:
        self._cache = cache
        self._depends_on = depends_on
        self._wants = wants
        # what was handed over is dropped here too, so that an endless stream takes no more and more memory
        self._running: WeakValueDictionary[str, Computation] = WeakValueDictionary()
        self._latest: deque[Computation] = deque(maxlen=window)
        self._lock = Lock()

    def find(self, key: str) -> Computation | None:
        """The computation of a picture of this key, done or not; None unless there is one, or all rows are cached."""
        with self._lock:
            running = self._running.get(key)
        if running is not None:
            return running
        rows: dict[StateName, Row] = {}
        for want in self._wants:
            row = self._cache.get(row_key(key, self._depends_on, want))
            if row is None:
                return None
            rows[want] = row
        return Computation(rows)

    def start(self, key: str) -> tuple[Computation, bool]:
        """The computation of this key, and whether it is new, so that the caller must see to it."""
        with self._lock:
            running = self._running.get(key)
            if running is not None:
                return running, False
            started = self._running[key] = Computation()
            self._latest.append(started)
            return started, True

    def finish(self, computation: Computation, key: str, rows: Mapping[StateName, Row]) -> None:
        """Takes the rows of a picture, which may be views of a whole batch."""
        own = {want: row.copy() for want, row in rows.items()}
        for want, row in own.items():
            row.flags.writeable = False
            # token states stay out of the cache folder, which would grow by a megabyte per picture
            self._cache.put({row_key(key, self._depends_on, want): row}, persist=want == "embeds")
        computation.rows = own


@dataclass(eq=False)
class ReadPicture:
    """A picture after its thread: with pixels, with a computation of its content, or with the reason why with neither.

    A known one has none of them.
    """

    index: int
    name: str
    #: Equal for equal content.
    key: str = ""
    #: See ``Ok.status``.
    status: os.stat_result | None = None
    #: Whether the caller knows it.
    is_known: bool = False
    computation: Computation | None = None
    #: uint8 [H, W, 3], until it is computed.
    pixels: Tensor | None = None
    #: ``pixel_statistics`` [2], where they are wanted.
    statistics: Row | None = None
    observed: Any = None
    profile_problem: str = ""
    #: Empty if all went well.
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class PictureReader:
    """Reads pictures for a vision encoder; called in several threads at once."""

    vision: Preparer
    preprocessing: Preprocessing
    cache: EmbeddingCache
    computed: ComputedRows
    with_statistics: bool
    observe: Observe | None
    is_known: IsKnown | None

    def __call__(self, numbered: tuple[int, NamedPicture]) -> ReadPicture:
        """The picture; one that cannot be read has a reason."""
        index, picture = numbered
        read = ReadPicture(index, picture.name)
        try:
            with costing_one_picture(picture.name):
                self._read(read, picture)
        except InputError as error:
            reason = error.reason if isinstance(error, PictureError) else str(error)
            return ReadPicture(index, picture.name, reason=reason)
        return read

    def _read(self, read: ReadPicture, picture: NamedPicture) -> None:
        hashes = self.cache.file_hashes
        if hashes and picture.path and (status := _status(picture)):
            read.key, read.status = hashes.get(picture.path, status), status
            if read.key and self._needs_no_pixels(read):
                return
        content = picture.read()
        if content is None:
            # a file that is too large to be held, or no file: its pixels are hashed once they are prepared
            read.key, read.status, read.computation = "", _status(picture), None
        else:
            if hashes and picture.path and content.status:
                hashes.put(picture.path, content.status, content.hash)
            is_asked, read.key, read.status = content.hash == read.key, content.hash, content.status
            if not is_asked and self._needs_no_pixels(read):
                return
        self._decode(read, picture, content)

    def _needs_no_pixels(self, read: ReadPicture) -> bool:
        """Looks up what is known of the key; whether that is all that is wanted."""
        read.is_known = self.is_known is not None and self.is_known(read.key)
        if read.is_known:
            return True
        read.computation = self.computed.find(read.key)
        read.statistics = self.cache.get(statistics_key(read.key)) if self.with_statistics else None
        has_statistics = read.statistics is not None or not self.with_statistics
        return read.computation is not None and has_statistics and self.observe is None

    def _decode(self, read: ReadPicture, picture: NamedPicture, content: FileContent | None) -> None:
        with DECODING.acquire(picture.memory_bytes(self.preprocessing.bytes_per_pixel, content)):
            loaded = picture.load(content)
            if read.computation is None:
                read.pixels = self.vision.prepare(loaded, self.preprocessing)
                if not isinstance(loaded, Tensor) and PROFILE in loaded.info:
                    read.profile_problem = profile_problem(loaded)
            if not read.key and read.pixels is not None:
                read.key = pixel_hash(read.pixels)
                if self._needs_no_pixels(read):
                    return
            if self.with_statistics and read.statistics is None:
                read.statistics = pixel_statistics(loaded)
            if self.observe is not None:
                read.observed = self.observe(picture, content, loaded)
        if content is None and read.status and not _is_same(read.status, _status(picture)):
            read.status = None


def _status(picture: NamedPicture) -> os.stat_result | None:
    """The present status of its file; None without a file and for one that is gone, which reading then reports."""
    try:
        return os.stat(picture.path) if picture.path else None
    except (OSError, ValueError):
        return None


def _is_same(before: os.stat_result, after: os.stat_result | None) -> bool:
    return after is not None and file_state(before) == file_state(after)


def statistics_key(key: str) -> str:
    """The cache key of the ``pixel_statistics`` of a picture."""
    return row_key(key, "pixel statistics")
