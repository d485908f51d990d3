"""A picture on its way to the tower: what it is called by content, what is known of it already, and its pixels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError, PictureError
from ...imaging import Progress, content_hash, open_picture
from ..preparing.pictures import NamedPicture, Pictures, named_pictures
from ..preparing.preprocess import normalised, pixel_hash, prepare
from ..preparing.recipe import Recipe
from .batching import (
    LOOK_AHEAD,
    BatchSize,
    Gate,
    Memory,
    filled,
    first_size,
    given_size,
    prefetch,
    run_shrinking,
)
from .cache import EmbeddingCache, Row, row_key
from .devices import Placement
from .identity import Identity
from .image_features import FIELD_OF, FailedPicture, ImageFeatures, Stage, Want, check_wants
from .vision_states import PictureTower, VisionAbility, states_of

if TYPE_CHECKING:
    from PIL import Image


class Named(Protocol):
    """A picture that is not read yet."""

    @property
    def name(self) -> str:
        """What messages call it."""


P = TypeVar("P", bound=Named)


@dataclass(frozen=True)
class Prepared:
    """A picture as it comes out of its thread: with pixels, with rows that were known before, or with a reason."""

    index: int
    name: str
    #: Equal for equal content.
    key: str = ""
    #: uint8 [S, S, 3].
    pixels: Tensor | None = None
    known: Mapping[Want, Row] = field(default_factory=dict)
    #: Why it has no pixels; empty if all went well.
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Reader(Generic[P]):
    """Reads and prepares pictures; safe to use from several threads."""

    wants: Sequence[Want]
    #: A hash of a picture's content that needs no decoding; empty if there is none, and its pixels are hashed instead.
    content: Callable[[P], str]
    prepare: Callable[[P], Tensor]
    cache: EmbeddingCache
    #: Everything that the rows depend on beside the picture.
    cache_key: str

    def read(self, index: int, picture: P, is_computed: Callable[[str], bool]) -> Prepared:
        """The picture with what is known of it, or with its pixels; without either if ``is_computed`` for its key."""
        try:
            key = self.content(picture)
            known = self._known(key) if key else {}
            if key and (known or is_computed(key)):
                return Prepared(index, picture.name, key, known=known)
            pixels = self.prepare(picture)
        except InputError as error:
            reason = error.reason if isinstance(error, PictureError) else str(error)
            return Prepared(index, picture.name, reason=reason)
        if key:
            return Prepared(index, picture.name, key, pixels=pixels)
        key = pixel_hash(pixels)
        return Prepared(index, picture.name, key, pixels=pixels, known=self._known(key))

    def keep(self, key: str, rows: Mapping[Want, Row]) -> None:
        """Puts rows into the cache; those of tokens stay in memory, for a folder would grow by a megabyte a picture."""
        for want, row in rows.items():
            # a copy, for the row is a part of its whole batch
            self.cache.put({self._key(key, want): row.copy()}, keep=want == "embeds")

    def _known(self, key: str) -> Mapping[Want, Row]:
        """The wanted rows, if all of them were computed before."""
        found: dict[Want, Row] = {}
        for want in self.wants:
            row = self.cache.get(self._key(key, want))
            if row is None:
                return {}
            found[want] = row
        return found

    def _key(self, key: str, want: Want) -> str:
        return row_key(key, self.cache_key, want)


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


#: Bytes of decoded pictures that all threads together hold; a larger one is decoded alone.
DECODED_BYTES = 512 << 20
#: Larger files are not hashed as they are, but by their prepared pixels.
MOST_HASHED = 64 << 20


class Sight(Protocol):
    """A vision tower with everything around it."""

    @property
    def ability(self) -> VisionAbility:
        """What it gives."""

    @property
    def placement(self) -> Placement:
        """Where it computes."""

    def memory_bytes(self, batch: int) -> int:
        """About how much memory a batch needs beside the weights."""

    def prepare(self, picture: Image.Image | Tensor, recipe: Recipe) -> Tensor:
        """uint8 [H, W, 3], as the tower sees it before it is normalised; called in threads."""

    def states(self, prepared: Sequence[Tensor], recipe: Recipe, wants: Sequence[Want]) -> dict[Want, Tensor]:
        """The wanted states of prepared pictures, float32 on the processor."""


@dataclass(frozen=True, kw_only=True)
class VisionPart:
    """The sight of a tower that takes square pictures of one size."""

    tower: PictureTower
    ability: VisionAbility
    placement: Placement

    def memory_bytes(self, batch: int) -> int:
        """About how much memory a batch needs beside the weights."""
        return self.tower.memory_bytes(batch)

    def prepare(self, picture: Image.Image | Tensor, recipe: Recipe) -> Tensor:
        """uint8 [S, S, 3]."""
        return prepare(picture, recipe)

    def states(self, prepared: Sequence[Tensor], recipe: Recipe, wants: Sequence[Want]) -> dict[Want, Tensor]:
        """The wanted states, float32 on the processor."""
        pixels = normalised(prepared, recipe, self.placement.device)
        ability = self.ability
        return states_of(
            self.tower, pixels, wants, has_class_token=ability.has_class_token, registers=ability.registers
        )


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """How a run goes."""

    batch_size: int | None = None
    strict: bool = True
    progress: Progress | None = None
    recipe: Recipe | None = None


class ImageHalf:
    """Encodes pictures; remembers how many fit into a batch."""

    def __init__(self, part: Sight, identity: Identity, cache: EmbeddingCache, budget_bytes: int | None = None) -> None:
        self.part = part
        self._identity = identity
        self._cache = cache
        self._gate = Gate(DECODED_BYTES)
        self._size = first_size(part.memory_bytes(1), part.placement, budget_bytes)

    def encode(self, pictures: Pictures, wants: Sequence[str], options: ImageOptions) -> ImageFeatures:
        """See ``Encoder.encode_images``."""
        asked = check_wants(wants)
        absent = self.part.ability.absent(asked)
        given = tuple(want for want in asked if want not in absent)
        if not given:
            raise InputError(f"{self._identity.name}: {next(iter(absent.values()))}")
        recipe = options.recipe or self._identity.recipe
        if recipe is None:
            raise InputError(f"{self._identity.name} has no recipe for its pictures; give one")
        size = self._size if options.batch_size is None else given_size(options.batch_size, self.part.placement)
        # a draft of a JPEG is close to the whole, and not equal
        draft = (recipe.size, recipe.size) if recipe.resampling == "fast" else None
        source = named_pictures(pictures, draft=draft, strict=options.strict)
        result = ImageRun(self._job(given, recipe, size, options), source.total).work(source)
        if not result.kept and not result.failed:
            raise InputError("no pictures were given; give at least one")
        return self._features(result, absent, recipe, size)

    def _job(
        self, wants: Sequence[Want], recipe: Recipe, size: BatchSize, options: ImageOptions
    ) -> ImageJob[NamedPicture]:
        reader = Reader(
            wants=wants,
            content=file_content,
            prepare=lambda picture: self._prepare(picture, recipe),
            cache=self._cache,
            cache_key=f"{self._identity.cache_key} {recipe.key}",
        )
        return ImageJob(
            reader=reader,
            weigh=lambda picture: picture.held_bytes,
            forward=lambda batch: self._forward(batch, recipe, wants),
            memory=self.part.placement,
            size=size,
            strict=options.strict,
            progress=options.progress,
        )

    def _prepare(self, picture: NamedPicture, recipe: Recipe) -> Tensor:
        with self._gate.passing(decoded_bytes(picture)):
            return self.part.prepare(picture.load(), recipe)

    def _forward(self, batch: Sequence[Prepared], recipe: Recipe, wants: Sequence[Want]) -> Rows:
        part = self.part
        part.placement.ready(part.memory_bytes(len(batch)))
        states = part.states([one.pixels for one in batch if one.pixels is not None], recipe, wants)
        return {want: state.numpy() for want, state in states.items()}

    def _features(
        self, result: RunResult, absent: Mapping[Want, str], recipe: Recipe, size: BatchSize
    ) -> ImageFeatures:
        ability, identity = self.part.ability, self._identity
        reasons = {FIELD_OF[want]: reason for want, reason in absent.items()}
        if not result.kept:
            reasons = dict.fromkeys(FIELD_OF.values(), "no picture could be read; see the failed ones")
        return ImageFeatures(
            names=result.names,
            kept=result.kept,
            failed=result.failed,
            absent=reasons,
            notes=tuple(size.notes),
            grid=ability.grid,
            hidden_size=ability.width,
            projection_dim=ability.projection,
            num_tokens=ability.tokens,
            has_class_token=ability.has_class_token,
            registers=ability.registers,
            recipe=recipe,
            fingerprint=identity.fingerprint,
            space=identity.space,
            dtype=identity.dtype,
            **{FIELD_OF[want]: torch.from_numpy(rows) for want, rows in result.states.items()},
        )


def file_content(picture: NamedPicture) -> str:
    """The hash of a picture's file; empty if it has none, or none that can be read."""
    if picture.path is None:
        return ""
    try:
        is_large = picture.path.stat().st_size > MOST_HASHED
        return "" if is_large else content_hash(picture.path.read_bytes())
    except OSError:
        # loading says what is wrong with it
        return ""


def decoded_bytes(picture: NamedPicture) -> int:
    """The memory of a picture once it is decoded; raises PictureError for a file that cannot be opened."""
    if picture.path is None:
        return picture.held_bytes
    with open_picture(picture.path) as opened:
        pixels: int = opened.width * opened.height
    return 4 * pixels
