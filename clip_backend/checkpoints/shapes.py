"""The models in one set of tensors: a checkpoint may hold several, each under its prefix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path

from ...errors import CheckpointError
from .info import Family, TextShape, VisionShape
from .layouts import FOREIGN_TEXT, REFUSED, TOWERS, RefusedRow, TowerRow
from .properties import default_heads, default_image_size
from .safetensors_header import TensorEntry

Tensors = Mapping[str, TensorEntry]
_SENTINELS = tuple({row.names.embedding for row in TOWERS} | {row.sentinel for row in REFUSED})
_TEXT_PROJECTIONS = ("text_projection", "text.text_projection", "text.text_projection.weight")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One model: its towers below a prefix, or why it is refused."""

    prefix: str
    layout: str
    family: Family
    vision: TowerRow | None = None
    text: TowerRow | None = None
    #: The row that refuses it.
    refused: RefusedRow | None = None
    #: Whether a text tower is there that nobody reads.
    has_foreign_text: bool = False

    @property
    def rows(self) -> tuple[TowerRow, ...]:
        """The towers that are there."""
        return tuple(row for row in (self.vision, self.text) if row)


def find_candidates(tensors: Tensors) -> list[Candidate]:
    """Every model in these tensors, the best for comparing pictures with text first."""
    prefixes = dict.fromkeys(prefix for name in tensors for prefix in _prefixes(name))
    found = [candidate for prefix in prefixes for candidate in _below(prefix, tensors)]
    return sorted(found, key=lambda candidate: _worth(candidate, tensors), reverse=True)


def matching(candidates: Iterable[Candidate], prefix: str) -> Candidate | None:
    """The model that a user means by a prefix; that of a picture tower may end with ``visual.``."""
    for candidate in candidates:
        known = {candidate.prefix, candidate.prefix.rstrip(".")}
        known |= {f"{candidate.prefix}{row.names.embedding.rsplit('.', 2)[0]}." for row in candidate.rows}
        if prefix in known:
            return candidate
    return None


def part_of(candidate: Candidate, prefix: str) -> Candidate:
    """The picture tower alone where the prefix names it, else the candidate."""
    if candidate.vision and candidate.text and prefix == f"{candidate.prefix}visual.":
        return replace(candidate, text=None)
    return candidate


def projection_size(row: TowerRow, prefix: str, tensors: Tensors) -> int:
    """The length of the embeddings of a tower; 0 without a projection."""
    entry = tensors.get(prefix + row.names.projection) if row.names.projection else None
    if entry is None or len(entry.shape) < 2:
        return 0
    is_pooling = row.part == "vision" and row.family == "siglip"
    return entry.shape[-1] if is_pooling or row.names.is_transposed else entry.shape[0]


def refused_projections(candidate: Candidate, tensors: Tensors) -> tuple[int, int]:
    """The lengths of the embeddings of picture and text in a model that is refused; 0 for what is not there."""
    row = candidate.refused
    vision = tensors.get(candidate.prefix + row.projection) if row and row.projection else None
    text = next(
        (tensors[candidate.prefix + name] for name in _TEXT_PROJECTIONS if candidate.prefix + name in tensors), None
    )
    vision_size = vision.shape[-1 if row and row.is_transposed else 0] if vision and len(vision.shape) == 2 else 0
    if text is None or len(text.shape) != 2:
        return vision_size, 0
    return vision_size, text.shape[0 if text.name.endswith(".weight") else -1]


def _prefixes(name: str) -> Iterable[str]:
    if name.endswith(_SENTINELS):
        for sentinel in _SENTINELS:
            prefix = name.removesuffix(sentinel)
            if len(prefix) < len(name) and (not prefix or prefix.endswith(".")):
                yield prefix


def _below(prefix: str, tensors: Tensors) -> Iterable[Candidate]:
    rows = [row for row in TOWERS if _is_there(row, prefix, tensors)]
    refused = next((row for row in REFUSED if _is_refused(row, prefix, tensors)), None)
    if refused:
        yield Candidate(prefix=prefix, layout=refused.layout, family=refused.family, refused=refused)
        return
    for layout in dict.fromkeys(row.layout for row in rows):
        vision = next((row for row in rows if row.layout == layout and row.part == "vision"), None)
        text = next((row for row in rows if row.layout == layout and row.part == "text"), None)
        foreign = text is None and any(prefix + name in tensors for name in FOREIGN_TEXT)
        family = (vision or text or rows[0]).family
        yield Candidate(prefix=prefix, layout=layout, family=family, vision=vision, text=text, has_foreign_text=foreign)


def _is_there(row: TowerRow, prefix: str, tensors: Tensors) -> bool:
    if row.not_below and prefix.endswith(row.not_below):
        return False
    return prefix + row.names.embedding in tensors and _fits(row.needs, row.lacks, prefix, tensors)


def _is_refused(row: RefusedRow, prefix: str, tensors: Tensors) -> bool:
    return prefix + row.sentinel in tensors and _fits(row.needs, row.lacks, prefix, tensors)


def _fits(needs: tuple[str, ...], lacks: tuple[str, ...], prefix: str, tensors: Tensors) -> bool:
    return all(prefix + name in tensors for name in needs) and not any(prefix + name in tensors for name in lacks)


def _worth(candidate: Candidate, tensors: Tensors) -> tuple[bool, int, int]:
    """Loadable first, then by the number of towers with a projection, then by its length."""
    sizes = [projection_size(row, candidate.prefix, tensors) for row in candidate.rows]
    return candidate.refused is None, sum(size > 0 for size in sizes), max(sizes, default=0)


_COLOURS = 3
_MOST_BLOCKS = 10_000


class TowerReader:
    """One tower of a file, of which shapes are asked."""

    def __init__(self, path: Path, tensors: Tensors, prefix: str, row: TowerRow) -> None:
        self._path, self._tensors, self._prefix, self._row = path, tensors, prefix, row
        self.names = row.names

    def vision(self, family: Family) -> VisionShape:
        """The picture tower; CheckpointError if its tensors do not fit each other."""
        width, patch = self._patches()
        has_class = bool(self.names.class_token) and self._prefix + self.names.class_token in self._tensors
        tokens = self._rows_of_positions(width) if self.names.position else None
        if tokens is None:
            image_size = default_image_size(family)
            tokens = (image_size // patch) ** 2 + has_class
        else:
            image_size = self._image_size(family, tokens - has_class, patch)
        return VisionShape(
            width=width,
            layers=self._layers(width),
            heads=default_heads(family, "vision", width),
            mlp=self._mlp(width),
            patch=patch,
            tokens=tokens,
            image_size=image_size,
            has_class_token=has_class,
        )

    def text(self, family: Family) -> TextShape:
        """The text tower; CheckpointError if its tensors do not fit each other."""
        vocabulary, width = self._shape(self.names.embedding, 2)
        return TextShape(
            width=width,
            layers=self._layers(width),
            heads=default_heads(family, "text", width),
            mlp=self._mlp(width),
            context=self._rows_of_positions(width),
            vocabulary=vocabulary,
        )

    def _patches(self) -> tuple[int, int]:
        """Width and side of a patch; a matrix takes flat patches of any picture's size, a convolution square ones."""
        shape = self._shape(self.names.embedding)
        if len(shape) == 2:
            return shape[0], self._side(shape[1], _COLOURS)
        if len(shape) != 4 or shape[1] != _COLOURS or shape[2] != shape[3]:
            raise self._odd(self.names.embedding)
        return shape[0], shape[2]

    def _side(self, numbers: int, colours: int) -> int:
        side = isqrt(numbers // colours)
        if side * side * colours != numbers or not side:
            raise self._odd(self.names.embedding)
        return side

    def _image_size(self, family: Family, patches: int, patch: int) -> int:
        grid = isqrt(max(patches, 0))
        if grid * grid != patches or not grid:
            raise self._odd(self.names.position)
        # 27 patches of 14 px are 378 px; SigLIP's own pictures have 384 of which the last six are never seen
        is_384 = family in ("siglip", "siglip2") and (grid, patch) == (27, 14)
        return 384 if is_384 else grid * patch

    def _rows_of_positions(self, width: int) -> int:
        shape = self._shape(self.names.position)
        if len(shape) not in (2, 3) or shape[-1] != width or (len(shape) == 3 and shape[0] != 1):
            raise self._odd(self.names.position)
        return shape[-2]

    def _layers(self, width: int) -> int:
        start = self._prefix + self.names.blocks
        numbers = {name[len(start) :].split(".", 1)[0] for name in self._tensors if name.startswith(start)}
        blocks = {int(number) for number in numbers if number.isascii() and number.isdigit() and len(number) < 5}
        count = max(blocks, default=-1) + 1
        if len(blocks) != count or not count or count > _MOST_BLOCKS:
            missing = next(number for number in range(count + 1) if number not in blocks)
            raise self._incomplete(f"{self.names.blocks}{missing}")
        if self._shape(f"{self.names.blocks}{count - 1}.{self.names.norm}") != (width,):
            raise self._odd(self.names.norm)
        return count

    def _mlp(self, width: int) -> int:
        rows, columns = self._shape(f"{self.names.blocks}0.{self.names.fc1}", 2)
        if columns != width:
            raise self._odd(self.names.fc1)
        # DINOv2 of transformers 4 has gate and value in one matrix
        return rows // 2 if self.names.fc1.endswith("weights_in.weight") else rows

    def _shape(self, name: str, dimensions: int | None = None) -> tuple[int, ...]:
        entry = self._tensors.get(self._prefix + name)
        if entry is None:
            raise self._incomplete(name)
        if not all(entry.shape) or dimensions not in (None, len(entry.shape)):
            raise self._odd(name)
        return entry.shape

    def _incomplete(self, name: str) -> CheckpointError:
        reason = f"lacks {self._prefix}{name} of its layout {self._row.layout}; it is incomplete, fetch it again"
        return CheckpointError(str(self._path), reason)

    def _odd(self, name: str) -> CheckpointError:
        entry = self._tensors.get(self._prefix + name)
        shape = f" {list(entry.shape)}" if entry else ""
        reason = f"the shape{shape} of {self._prefix}{name} does not fit the rest; it is damaged or another model"
        return CheckpointError(str(self._path), reason)
