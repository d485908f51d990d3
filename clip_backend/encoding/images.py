"""Pictures to embeddings and token states: each is named, looked up in the cache, prepared in a thread and computed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ...color_profiles import profile_problem, profiles_note
from ...decoding import DECODING, PROFILE
from ...errors import InputError, PictureError
from ...imaging import Progress
from ...log import logger
from ..preparing.blank import pixel_statistics
from ..preparing.pictures import FileContent, NamedPicture, NamedPictures, Pictures, named_pictures
from ..preparing.preprocessing import Preprocessing, pixel_hash
from .batching import (
    FP32_CURE,
    USES_FP32,
    BatchSize,
    batch_size_for,
    batched,
    costing_one_picture,
    prefetch,
    run_shrinking,
)
from .cache import EmbeddingCache, Row, row_key
from .features import Identity
from .image_features import (
    FIELD_OF,
    FailedPicture,
    ImageFeatures,
    Stage,
    StateName,
    VisionEncoder,
    check_wants,
)

#: Bytes of pictures in memory that wait to be prepared; it bounds those that a generator makes.
WAITING_BYTES = 256 << 20
#: Batches that are prepared while one is computed.
LOOK_AHEAD = 3
#: Threads that read and prepare; each holds a decoded picture.
THREADS = min(8, os.cpu_count() or 1)
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

    def encode(
        self,
        pictures: Pictures,
        wants: Sequence[str],
        *,
        batch_size: int | None,
        strict: bool,
        progress: Progress | None,
        preprocessing: Preprocessing | None,
        with_statistics: bool = False,
    ) -> ImageFeatures:
        """See ``Encoder.encode_images``."""
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
        run = ImageRun(self, available, preprocessing, size, strict, progress, with_statistics)
        named = named_pictures(pictures, draft=draft, value_range=preprocessing.value_range, strict=strict)
        return run.encode(named, absent)

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


@dataclass(frozen=True)
class Prepared:
    """A picture after its thread: with pixels, with rows from the cache, or with the reason why it has neither."""

    index: int
    name: str
    #: Equal for equal content.
    key: str = ""
    #: uint8 [H, W, 3].
    pixels: Tensor | None = None
    cached: Mapping[StateName, Row] = field(default_factory=dict)
    #: ``pixel_statistics`` [2], where they are wanted.
    statistics: Row | None = None
    #: Empty if all went well.
    reason: str = ""
    #: Why its color profile was not used, if it was not.
    profile_problem: str = ""


@dataclass
class ImageRun:
    """One call of ``encode_images``: distinct pictures are computed once, and the given order is kept."""

    encoder: ImageEncoder
    wants: Sequence[StateName]
    preprocessing: Preprocessing
    size: BatchSize
    strict: bool
    progress: Progress | None
    with_statistics: bool = False
    _order: list[Prepared] = field(default_factory=list)
    #: By the key of a picture; empty until it is computed, and if its numbers are not finite.
    _rows: dict[str, dict[StateName, Row]] = field(default_factory=dict)
    #: ``pixel_statistics`` by the key of a picture.
    _statistics: dict[str, Row] = field(default_factory=dict)
    _failed: list[FailedPicture] = field(default_factory=list)
    _profile_problems: dict[str, str] = field(default_factory=dict)
    _taken: int = 0
    _total: int | None = None

    @cached_property
    def _cache_key(self) -> str:
        """Everything that the rows depend on beside the picture."""
        return f"{self.encoder.identity.cache_key} {self.preprocessing.key}"

    def encode(self, pictures: NamedPictures, absent: Mapping[StateName, str]) -> ImageFeatures:
        """The features of all pictures; absent: why some wanted states are not there.

        Raises PictureError for the first broken picture if strict, and InputError without pictures.
        """
        self._total = pictures.total
        source = prefetch(
            enumerate(pictures), self._prepared, threads=THREADS, ahead=LOOK_AHEAD * self.size.size,
            size_of=lambda numbered: numbered[1].held_bytes, max_waiting_bytes=WAITING_BYTES,
        )  # fmt: skip
        try:
            with closing(source) as prepared:
                for batch in batched(self._uncached(prepared), lambda: self.size.size):
                    broken = self._compute(batch)
                    if broken and self.encoder.use_fp32():
                        broken = self._compute(broken)
                    if broken and self.strict:
                        raise PictureError(broken[0].name, self._not_finite)
            self._report(0)
        finally:
            # what was computed before an interruption is saved too
            self.encoder.cache.flush()
        return self._features(absent)

    def _prepared(self, numbered: tuple[int, NamedPicture]) -> Prepared:
        """The picture with its rows from the cache or its pixels; runs in a thread.

        It has neither if a picture of equal content is computed already.
        """
        index, picture = numbered
        try:
            with costing_one_picture(picture.name):
                key, cached, content = self._found(picture)
                statistics = self._cached_statistics(key)
                is_computed = bool(key and (cached or key in self._rows))
                if is_computed and (statistics is not None or not self.with_statistics):
                    return Prepared(index, picture.name, key, cached=cached, statistics=statistics)
                with DECODING.acquire(picture.memory_bytes(self.preprocessing.bytes_per_pixel, content)):
                    loaded = picture.load(content)
                    if self.with_statistics and statistics is None:
                        statistics = pixel_statistics(loaded)
                    if is_computed:
                        return Prepared(index, picture.name, key, cached=cached, statistics=statistics)
                    pixels = self.encoder.vision.prepare(loaded, self.preprocessing)
        except InputError as error:
            reason = error.reason if isinstance(error, PictureError) else str(error)
            return Prepared(index, picture.name, reason=reason)
        if not key:
            key = pixel_hash(pixels)
            cached = self._cached(key)
        problem = "" if isinstance(loaded, Tensor) or PROFILE not in loaded.info else profile_problem(loaded)
        return Prepared(
            index, picture.name, key, pixels=pixels, cached=cached, statistics=statistics, profile_problem=problem
        )

    def _cached_statistics(self, key: str) -> Row | None:
        if not (key and self.with_statistics):
            return None
        own = self._statistics.get(key)
        return self.encoder.cache.get(_statistics_key(key)) if own is None else own

    def _found(self, picture: NamedPicture) -> tuple[str, Mapping[StateName, Row], FileContent | None]:
        """The hash of a file, its rows from the cache, and its content if it had to be read.

        The hash is empty for what is no file and for a file that is known by its pixels.
        """
        known = self.encoder.cache.file_hashes
        key = known.get(picture.path) if known and picture.path else ""
        cached = self._cached(key) if key else {}
        if key and (cached or key in self._rows):
            return key, cached, None
        content = picture.read()
        if content is None or picture.path is None:
            return "", {}, None
        if known and content.status:
            known.put(picture.path, content.status, content.hash)
        return content.hash, cached if content.hash == key else self._cached(content.hash), content

    def _cached(self, key: str) -> Mapping[StateName, Row]:
        """The wanted rows from the cache; empty unless all of them are there."""
        rows: dict[StateName, Row] = {}
        for want in self.wants:
            row = self.encoder.cache.get(row_key(key, self._cache_key, want))
            if row is None:
                return {}
            rows[want] = row
        return rows

    def _uncached(self, prepared: Iterable[Prepared]) -> Iterator[Prepared]:
        """The pictures that must be computed; the others are recorded."""
        for picture in prepared:
            self._taken += 1
            if picture.reason:
                self._fail(picture, "read", picture.reason)
                continue
            if picture.statistics is not None and picture.key not in self._statistics:
                self._statistics[picture.key] = picture.statistics
                self.encoder.cache.put({_statistics_key(picture.key): picture.statistics})
            if picture.profile_problem:
                self._profile_problems[picture.name] = picture.profile_problem
            # without the pixels, which are dropped once they are computed
            self._order.append(Prepared(picture.index, picture.name, picture.key))
            if picture.key not in self._rows:
                self._rows[picture.key] = dict(picture.cached)
                if not picture.cached:
                    yield picture

    def _compute(self, batch: Sequence[Prepared]) -> list[Prepared]:
        """Keeps the rows of the batch; returns the pictures whose rows are not finite, which are not kept."""
        waiting, broken = len(batch), list[Prepared]()
        for part, rows in run_shrinking(batch, self._forward, self.size, self.encoder.vision.placement):
            broken += self._store(part, rows)
            waiting -= len(part)
            self._report(waiting)
        return broken

    def _forward(self, batch: Sequence[Prepared]) -> Mapping[StateName, Row]:
        """The rows of a batch, [B, ...] by state."""
        self.encoder.vision.placement.ready(self.encoder.vision.memory_bytes(len(batch)))
        pixels = [one.pixels for one in batch if one.pixels is not None]
        states = self.encoder.vision.states(pixels, self.preprocessing, self.wants)
        return {want: state.numpy() for want, state in states.items()}

    def _store(self, batch: Sequence[Prepared], rows: Mapping[StateName, Row]) -> list[Prepared]:
        """Keeps the rows that are finite; returns the pictures of the others."""
        finite = np.logical_and.reduce([np.isfinite(row).reshape(len(batch), -1).all(1) for row in rows.values()])
        broken = []
        for place, picture in enumerate(batch):
            if not finite[place]:
                broken.append(picture)
                continue
            key = picture.key
            self._rows[key] = {want: row[place] for want, row in rows.items()}
            for want, row in rows.items():
                # a copy, because the row is a view of the whole batch; token states stay out of the cache folder, which
                # would grow by a megabyte per picture
                copy = {row_key(key, self._cache_key, want): row[place].copy()}
                self.encoder.cache.put(copy, persist=want == "embeds")
        return broken

    @property
    def _not_finite(self) -> str:
        return NOT_FINITE_IN_FP32 if self.encoder.dtype == "fp32" else NOT_FINITE

    def _fail(self, picture: Prepared, stage: Stage, reason: str) -> None:
        if self.strict:
            raise PictureError(picture.name, reason)
        self._failed.append(FailedPicture(picture.index, picture.name, stage, reason))

    def _report(self, waiting: int) -> None:
        if self.progress:
            self.progress(self._taken - waiting, self._taken if self._total is None else self._total)

    def _features(self, absent: Mapping[StateName, str]) -> ImageFeatures:
        for picture in self._order:
            if not self._rows[picture.key]:
                self._fail(picture, "encode", self._not_finite)
        kept = [picture for picture in self._order if self._rows[picture.key]]
        if not kept and not self._failed:
            raise InputError("no pictures were given; give at least one")
        states = {want: [self._rows[picture.key][want] for picture in kept] for want in self.wants if kept}
        reasons = {FIELD_OF[want]: reason for want, reason in absent.items()}
        if not kept:
            reasons = dict.fromkeys(FIELD_OF.values(), "no picture could be read; see the failed ones")
        profiles = [profiles_note(self._profile_problems)] if self._profile_problems else []
        able, identity = self.encoder.vision.capabilities, self.encoder.identity
        return ImageFeatures(
            names=tuple(picture.name for picture in kept),
            kept=tuple(picture.index for picture in kept),
            failed=tuple(sorted(self._failed, key=lambda failure: failure.index)),
            absent=reasons,
            notes=(*self.encoder.notes, *self.size.notes, *profiles),
            grid=able.grid,
            hidden_size=able.width,
            projection_dim=able.projection,
            num_tokens=able.tokens,
            has_class_token=able.has_class_token,
            registers=able.registers,
            preprocessing=self.preprocessing,
            fingerprint=identity.fingerprint,
            space=identity.space,
            dtype=self.encoder.dtype,
            statistics=np.stack([self._statistics[picture.key] for picture in kept])
            if kept and self.with_statistics
            else None,
            **{FIELD_OF[want]: torch.from_numpy(np.stack(rows)) for want, rows in states.items()},
        )


def _statistics_key(key: str) -> str:
    return row_key(key, "pixel statistics")
