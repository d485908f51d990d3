"""The sizes of towers, out of the shapes of their tensors."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from pathlib import Path

from ...errors import CheckpointError
from ..checkpoint_info import Family, TextShape, VisionShape
from .families import default_heads, default_image_size
from .layouts import TowerRow
from .safetensors_header import TensorEntry

Tensors = Mapping[str, TensorEntry]
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
