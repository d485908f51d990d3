"""One run over pictures: prepared in threads ahead of the tower, each distinct one computed once, order kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Generic

import numpy as np

from ...errors import PictureError
from ..image_features import FailedPicture, Stage, Want
from .batching import LOOK_AHEAD, BatchSize, Memory, filled, prefetch, run_shrinking
from .cache import Row
from .reading import P, Prepared, Reader

Progress = Callable[[int, int], None]
#: Rows of a batch [B, ...], by state.
Rows = Mapping[Want, Row]

#: Bytes of pictures that wait to be prepared; it matters for those that a generator makes.
WAITING_BYTES = 256 << 20
#: Threads that read and prepare; each holds a decoded picture.
THREADS = min(8, os.cpu_count() or 1)
NOT_FINITE = "the model's numbers for it are not finite; choose dtype='fp32'"


@dataclass(frozen=True, kw_only=True)
class ImageJob(Generic[P]):
    """How the pictures of a run become rows."""

    reader: Reader[P]
    #: Bytes that a picture holds while it waits.
    weigh: Callable[[P], int]
    forward: Callable[[Sequence[Prepared]], Rows]
    memory: Memory
    size: BatchSize
    strict: bool = True
    progress: Progress | None = None


@dataclass(frozen=True)
class RunResult:
    """The rows of the pictures that went well, in the order in which they were given."""

    kept: tuple[int, ...]
    names: tuple[str, ...]
    #: [N, ...] by state.
    states: dict[Want, Row]
    failed: tuple[FailedPicture, ...]


class ImageRun(Generic[P]):
    """The rows by content, and which picture has which content."""

    def __init__(self, job: ImageJob[P], total: int | None = None) -> None:
        self._job = job
        self._total = total
        self._taken = 0
        self._order: list[Prepared] = []
        self._rows: dict[str, dict[Want, Row]] = {}
        self._broken: set[str] = set()
        self._failed: list[FailedPicture] = []

    def work(self, pictures: Iterable[P]) -> RunResult:
        """Computes all pictures. Raises PictureError for the first broken one if the job is strict."""
        job = self._job
        source = prefetch(
            enumerate(pictures), self._read, threads=THREADS, ahead=LOOK_AHEAD * job.size.size,
            weigh=lambda numbered: job.weigh(numbered[1]), most_weight=WAITING_BYTES,
        )  # fmt: skip
        try:
            with closing(source) as prepared:
                for batch in filled(self._unknown(prepared), lambda: job.size.size):
                    self._compute(batch)
            self._report(0)
        finally:
            # what was computed before an interruption is kept too
            job.reader.cache.flush()
        return self._result()

    def _read(self, numbered: tuple[int, P]) -> Prepared:
        return self._job.reader.read(*numbered, self._rows.__contains__)

    def _unknown(self, prepared: Iterable[Prepared]) -> Iterator[Prepared]:
        """Those that must be computed; the others are noted."""
        for picture in prepared:
            self._taken += 1
            if picture.reason:
                self._fail(picture, "read", picture.reason)
                continue
            # without the pixels, which are let go once they are computed
            self._order.append(Prepared(picture.index, picture.name, picture.key))
            if picture.key not in self._rows:
                self._rows[picture.key] = dict(picture.known)
                if not picture.known:
                    yield picture

    def _compute(self, batch: Sequence[Prepared]) -> None:
        left = len(batch)
        for part, rows in run_shrinking(batch, self._job.forward, self._job.size, self._job.memory):
            self._store(part, rows)
            left -= len(part)
            self._report(left)

    def _store(self, part: Sequence[Prepared], rows: Rows) -> None:
        finite = np.logical_and.reduce([np.isfinite(row).reshape(len(part), -1).all(1) for row in rows.values()])
        for place, picture in enumerate(part):
            if not finite[place]:
                self._broken.add(picture.key)
                if self._job.strict:
                    raise PictureError(picture.name, NOT_FINITE)
                continue
            own = {want: row[place] for want, row in rows.items()}
            self._rows[picture.key] = own
            self._job.reader.keep(picture.key, own)

    def _fail(self, picture: Prepared, stage: Stage, reason: str) -> None:
        if self._job.strict:
            raise PictureError(picture.name, reason)
        self._failed.append(FailedPicture(picture.index, picture.name, stage, reason))

    def _report(self, waiting: int) -> None:
        if self._job.progress:
            self._job.progress(self._taken - waiting, self._taken if self._total is None else self._total)

    def _result(self) -> RunResult:
        for picture in self._order:
            if picture.key in self._broken:
                self._fail(picture, "encode", NOT_FINITE)
        kept = [picture for picture in self._order if picture.key not in self._broken]
        wants = self._job.reader.wants if kept else ()
        states = {want: np.stack([self._rows[picture.key][want] for picture in kept]) for want in wants}
        failed = tuple(sorted(self._failed, key=lambda failure: failure.index))
        return RunResult(tuple(p.index for p in kept), tuple(p.name for p in kept), states, failed)
