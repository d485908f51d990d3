"""Pictures to outcomes in a stream: read ahead in threads, computed in batches, handed over in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from ...errors import InputError, PictureError
from ...imaging import Progress
from ...log import logger
from ..preparing.pictures import NamedPictures, Pictures, named_pictures
from ..preparing.preprocessing import Preprocessing
from .batching import FP32_CURE, THREADS, USES_FP32, BatchSize, batch_size_for, prefetch, run_shrinking
from .cache import EmbeddingCache, Row
from .features import Identity
from .image_features import FailedPicture, StateName, VisionEncoder, check_wants
from .outcomes import IsKnown, Observe, Ok, Outcome
from .reading import ComputedRows, PictureReader, ReadPicture, statistics_key

#: Bytes of pictures in memory that wait to be prepared; it bounds those that a generator makes.
WAITING_BYTES = 256 << 20
#: Batches that are prepared while one is computed.
LOOK_AHEAD = 3
#: Pictures that may wait for one before them, such as known ones for a new one; then a batch is not filled up.
MAX_WAITING = 512
NOT_FINITE = f"the model's numbers for it are not finite; {FP32_CURE}"
NOT_FINITE_IN_FP32 = "the model's numbers for it are not finite, in fp32 too; its file is damaged, fetch it again"


class ImageEncoder:
    """Encodes pictures by one vision encoder; remembers between calls how many fit into a batch."""

    def __init__(
        self, vision: VisionEncoder, identity: Identity, cache: EmbeddingCache, budget_bytes: int | None = None
    ) -> None:
        self.vision, self.identity, self.cache = vision, identity, cache
        #: In which the tower computes: "fp32", "fp16" or "bf16".
        self.dtype = identity.dtype
        #: Notes for the user.
        self.notes: tuple[str, ...] = ()
        self._size = batch_size_for(vision.memory_bytes(1), vision.placement, budget_bytes)

    def run(
        self,
        pictures: Pictures,
        wants: Sequence[str],
        *,
        batch_size: int | None,
        preprocessing: Preprocessing | None,
        strict: bool = False,
        progress: Progress | None = None,
        observe: Observe | None = None,
        is_known: IsKnown | None = None,
        with_statistics: bool = False,
    ) -> ImageRun:
        """One run over pictures, see ``Encoder.encode_images`` and ``stream_images``; nothing is read before it starts.

        Raises InputError for a model that gives none of the wanted states, or has no preprocessing.
        """
        requested = check_wants(wants)
        absent = self.vision.capabilities.absent(requested)
        available = tuple(want for want in requested if want not in absent)
        if not available:
            raise InputError(f"{self.identity.name}: {next(iter(absent.values()))}")
        preprocessing = preprocessing or self.identity.preprocessing
        if preprocessing is None:
            raise InputError(f"{self.identity.name} has no preprocessing for its pictures; give one")
        size = self._size if batch_size is None else BatchSize.of(batch_size, self.vision.placement)
        # a draft of a JPEG is close to the full decode, but not equal
        draft = (preprocessing.size, preprocessing.size) if preprocessing.resampling == "fast" else None
        named = named_pictures(pictures, draft=draft, value_range=preprocessing.value_range, strict=strict)
        depends_on = f"{self.identity.cache_key} {preprocessing.key}"
        computed = ComputedRows(self.cache, depends_on, available, LOOK_AHEAD * size.size)
        reader = PictureReader(
            vision=self.vision, preprocessing=preprocessing, cache=self.cache, computed=computed,
            with_statistics=with_statistics, observe=observe, is_known=is_known,
        )  # fmt: skip
        return ImageRun(self, named, available, absent, size, reader, strict, progress)

    def use_fp32(self) -> bool:
        """Computes in fp32 from now on, where fp16 was not the caller's choice; returns whether that is new."""
        if self.vision.in_fp32 is None:
            return False
        self.vision = self.vision.in_fp32()
        self.dtype, self.notes = "fp32", (USES_FP32,)
        # its numbers need twice the memory
        self._size.size = max(1, self._size.size // 2)
        logger.warning("%s: %s", self.identity.name, USES_FP32)
        return True


@dataclass(eq=False)
class ImageRun:
    """One run over pictures: equal ones are computed once, and the given order is kept."""

    encoder: ImageEncoder
    pictures: NamedPictures
    #: The wanted states that the model gives, and why it does not give the others.
    wants: Sequence[StateName]
    absent: Mapping[StateName, str]
    size: BatchSize
    reader: PictureReader
    #: Whether the first picture that fails ends the run.
    strict: bool
    progress: Progress | None

    def __post_init__(self) -> None:
        #: Taken and not handed over yet, and those of them that wait for the next batch.
        self._order: deque[ReadPicture] = deque()
        self._batch: list[ReadPicture] = []
        self._taken = 0

    def outcomes(self) -> Generator[Outcome, None, None]:
        """Each picture, as soon as it and all before it are done.

        Raises PictureError for the first that fails if strict. Closing it stops the work within a batch.
        """
        source = prefetch(
            enumerate(self.pictures), self.reader, threads=THREADS, ahead=LOOK_AHEAD * self.size.size,
            size_of=lambda numbered: numbered[1].held_bytes, max_waiting_bytes=WAITING_BYTES,
        )  # fmt: skip
        try:
            with closing(source) as pictures:
                for picture in pictures:
                    self._take(picture)
                    if len(self._batch) >= self.size.size or len(self._order) >= MAX_WAITING:
                        self._compute_batch()
                    yield from self._done()
            self._compute_batch()
            yield from self._done()
            self._report(0)
        finally:
            # what was computed before an interruption is saved too
            self.encoder.cache.flush()

    def _take(self, picture: ReadPicture) -> None:
        """Puts the picture into the order, and into the batch if it must be computed."""
        self._taken += 1
        if picture.reason:
            self._refuse(picture, picture.reason)
        elif not picture.is_known:
            if picture.statistics is not None:
                self.encoder.cache.put({statistics_key(picture.key): picture.statistics})
            is_new = False
            if picture.computation is None:
                picture.computation, is_new = self.reader.computed.start(picture.key)
            if is_new:
                self._batch.append(picture)
            else:
                picture.pixels = None
        self._order.append(picture)

    def _done(self) -> Iterator[Outcome]:
        while self._order and _is_done(self._order[0]):
            yield _outcome(self._order.popleft())

    def _compute_batch(self) -> None:
        batch, self._batch = self._batch, []
        broken = self._compute(batch)
        if broken and self.encoder.use_fp32():
            broken = self._compute(broken)
        for picture in broken:
            reason = NOT_FINITE_IN_FP32 if self.encoder.dtype == "fp32" else NOT_FINITE
            self._refuse(picture, reason)
            if picture.computation:
                picture.computation.reason = reason
        for picture in batch:
            picture.pixels = None

    def _compute(self, batch: Sequence[ReadPicture]) -> list[ReadPicture]:
        """Keeps the rows of the batch; returns the pictures whose rows are not finite, which are not kept."""
        waiting, broken = len(batch), list[ReadPicture]()
        for part, rows in run_shrinking(batch, self._forward, self.size, self.encoder.vision.placement):
            broken += self._keep(part, rows)
            waiting -= len(part)
            self._report(waiting)
        return broken

    def _forward(self, batch: Sequence[ReadPicture]) -> Mapping[StateName, Row]:
        """The rows of a batch, [B, ...] by state."""
        vision = self.encoder.vision
        vision.placement.ready(vision.memory_bytes(len(batch)))
        pixels = [picture.pixels for picture in batch if picture.pixels is not None]
        states = vision.states(pixels, self.reader.preprocessing, self.wants)
        return {want: state.numpy() for want, state in states.items()}

    def _keep(self, batch: Sequence[ReadPicture], rows: Mapping[StateName, Row]) -> list[ReadPicture]:
        finite = np.logical_and.reduce([np.isfinite(row).reshape(len(batch), -1).all(1) for row in rows.values()])
        for place, picture in enumerate(batch):
            if finite[place] and picture.computation:
                own = {want: row[place] for want, row in rows.items()}
                self.reader.computed.finish(picture.computation, picture.key, own)
        return [picture for picture, is_finite in zip(batch, finite, strict=True) if not is_finite]

    def _refuse(self, picture: ReadPicture, reason: str) -> None:
        if self.strict:
            raise PictureError(picture.name, reason)

    def _report(self, waiting: int) -> None:
        if self.progress:
            total = self.pictures.total
            self.progress(self._taken - waiting, self._taken if total is None else total)


def _is_done(picture: ReadPicture) -> bool:
    computation = picture.computation
    return computation is None or bool(computation.rows or computation.reason)


def _outcome(picture: ReadPicture) -> Outcome:
    computation = picture.computation
    if picture.reason or (computation and computation.reason):
        reason = picture.reason or (computation.reason if computation else "")
        return FailedPicture(picture.index, picture.name, "read" if picture.reason else "encode", reason)
    return Ok(
        picture.index,
        picture.name,
        picture.key,
        rows=computation.rows if computation else {},
        observed=picture.observed,
        status=picture.status,
        statistics=picture.statistics,
        profile_problem=picture.profile_problem,
    )
