"""The half of an encoder that sees: pictures of any kind to ``ImageFeatures``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from ...errors import InputError
from ...imaging import content_hash, open_picture
from ..image_features import FIELD_OF, ImageFeatures, Want, check_wants
from ..placement import Placement
from ..preparing.pictures_in import NamedPicture, Pictures, named_pictures
from ..preparing.preprocess import normalised, prepare
from ..preparing.recipe import Recipe
from .batching import BatchSize, batch_for
from .cache import EmbeddingCache
from .gate import Gate
from .identity import Identity
from .image_run import ImageJob, ImageRun, Progress, Rows, RunResult
from .reading import Prepared, Reader
from .vision_states import PictureTower, VisionAbility, states_of

if TYPE_CHECKING:
    from PIL import Image

#: Bytes that a batch may need beside the weights, and the most in a batch; a larger one is no faster.
CPU_BUDGET, CPU_MOST = 512 << 20, 32
DEVICE_BUDGET, DEVICE_MOST = 2 << 30, 128
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


def first_size(bytes_each: int, placement: Placement, budget_bytes: int | None) -> BatchSize:
    """The batches to begin with, by the budget or, without one, by what suits the device."""
    on_cpu = placement.device.type == "cpu"
    budget, most = (CPU_BUDGET, CPU_MOST) if on_cpu else (DEVICE_BUDGET, DEVICE_MOST)
    return BatchSize(batch_for(bytes_each, budget_bytes or budget, most), on_cpu=on_cpu)


def given_size(batch_size: int, placement: Placement) -> BatchSize:
    """The batches that a caller wants; raises InputError for less than one."""
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; it must be at least 1")
    return BatchSize(batch_size, on_cpu=placement.device.type == "cpu")
