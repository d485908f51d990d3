"""The models in a state dict, each below a prefix, by the names of its tensors; and their sizes, by the shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path

from ...errors import CheckpointError
from .info import Family, TextShape, VisionShape
from .layouts import ENCODERS, EncoderLayout
from .properties import default_heads
from .safetensors_header import Tensors
from .unsupported import UNSUPPORTED, UnsupportedLayout

LONGCLIP_CONTEXT = 248
SIGLIP2_VOCABULARY = 256_000
_SIGLIP2_G_WIDTH = 1536
_DINOV3_IMAGE_SIZE = 224
_RGB = 3
#: The tensors by which layouts are looked for.
_MARKERS = tuple(
    dict.fromkeys((*(row.embedding for row in ENCODERS), *(name for row in UNSUPPORTED for name in row.tensors)))
)
_TEXT_PROJECTIONS = ("text_projection", "text.text_projection", "text.text_projection.weight")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One model of a state dict: its encoders, or the layout that is not supported."""

    prefix: str
    layout: str
    family: Family
    vision: EncoderLayout | None = None
    text: EncoderLayout | None = None
    unsupported: UnsupportedLayout | None = None

    @property
    def encoders(self) -> tuple[EncoderLayout, ...]:
        """The encoders that are there and supported."""
        return tuple(row for row in (self.vision, self.text) if row)

    def sizes(self, path: Path, tensors: Tensors) -> tuple[Family, VisionShape | None, TextShape | None]:
        """The member of the family, and the sizes of its encoders.

        Raises CheckpointError, with the path, if tensors are missing or contradict each other.
        """
        family = _member(self, tensors)
        vision = EncoderReader(path, tensors, self.prefix, self.vision).vision(family) if self.vision else None
        text = EncoderReader(path, tensors, self.prefix, self.text).text(family) if self.text else None
        return family, vision, text

    def projections(self, tensors: Tensors) -> dict[str, int]:
        """The length of the embeddings of each encoder that has a projection."""
        prefix, sizes = self.prefix, {row.part: _projection(row, self.prefix, tensors) for row in self.encoders}
        if row := self.unsupported:
            vision = tensors.get(prefix + row.projection) if row.projection else None
            text = next((tensors[prefix + name] for name in _TEXT_PROJECTIONS if prefix + name in tensors), None)
            if vision and len(vision.shape) == 2:
                sizes["vision"] = vision.shape[-1 if row.is_transposed else 0]
            if text and len(text.shape) == 2:
                sizes["text"] = text.shape[0 if text.name.endswith(".weight") else -1]
        return {part: size for part, size in sizes.items() if size}


def find_candidates(tensors: Tensors) -> list[Candidate]:
    """Every model in these tensors, the best for comparing pictures with texts first."""
    prefixes = dict.fromkeys(prefix for name in tensors for prefix in _prefixes(name))
    candidates = [candidate for prefix in prefixes for candidate in _below(prefix, tensors)]
    ranked = sorted(candidates, key=lambda candidate: _rank(candidate, tensors), reverse=True)
    # what seems to be a model may be a part of one that is not supported
    wholes = [one for one in ranked if one.unsupported and one.prefix != ranked[0].prefix]
    whole = next((one for one in wholes if ranked[0].prefix.startswith(one.prefix)), None)
    return [whole, *(one for one in ranked if one is not whole)] if whole else ranked


def _prefixes(name: str) -> Iterator[str]:
    """The prefixes with which this name would be that of a marker."""
    if name.endswith(_MARKERS):
        for marker in _MARKERS:
            prefix = name.removesuffix(marker)
            if len(prefix) < len(name) and (not prefix or prefix.endswith(".")):
                yield prefix


def _below(prefix: str, tensors: Tensors) -> Iterator[Candidate]:
    for unsupported in UNSUPPORTED:
        if any(prefix + name in tensors for name in unsupported.tensors) and _fits(unsupported, prefix, tensors):
            layout, family = unsupported.layout, unsupported.family
            yield Candidate(prefix=prefix, layout=layout, family=family, unsupported=unsupported)
            return
    rows = [row for row in ENCODERS if prefix + row.embedding in tensors and not prefix.endswith(row.not_below)]
    rows = [row for row in rows if _fits(row, prefix, tensors)]
    for layout in dict.fromkeys(row.layout for row in rows):
        # of two rows for one part the first is the more particular
        parts = {row.part: row for row in reversed(rows) if row.layout == layout}
        vision, text = parts.get("vision"), parts.get("text")
        family = (vision or text or rows[0]).family
        yield Candidate(prefix=prefix, layout=layout, family=family, vision=vision, text=text)


def _fits(row: EncoderLayout | UnsupportedLayout, prefix: str, tensors: Tensors) -> bool:
    has_needed = all(prefix + name in tensors for name in row.needs)
    return has_needed and not any(prefix + name in tensors for name in row.lacks)


def _rank(candidate: Candidate, tensors: Tensors) -> tuple[int, int]:
    """Sort key: number of encoders with a projection, then its length; unsupported last, the whole file first."""
    sizes = candidate.projections(tensors).values()
    return (-1, -len(candidate.prefix)) if candidate.unsupported else (len(sizes), max(sizes, default=0))


def with_prefix(candidates: Iterable[Candidate], prefix: str) -> Candidate | None:
    """The model with this prefix; its vision encoder alone where the prefix goes on with ``visual.``."""
    for candidate in candidates:
        known = {candidate.prefix, candidate.prefix.rstrip(".")}
        known |= {f"{candidate.prefix}{row.embedding.rsplit('.', 2)[0]}." for row in candidate.encoders}
        if prefix in known:
            is_vision_only = candidate.vision is not None and prefix == f"{candidate.prefix}visual."
            return replace(candidate, text=None) if is_vision_only else candidate
    return None


def _projection(row: EncoderLayout, prefix: str, tensors: Tensors) -> int:
    entry = tensors.get(prefix + row.projection) if row.projection else None
    if entry is None or len(entry.shape) < 2:
        return 0
    is_pooling_head = row.part == "vision" and row.family == "siglip"
    return entry.shape[-1] if is_pooling_head or row.is_transposed else entry.shape[0]


def _member(candidate: Candidate, tensors: Tensors) -> Family:
    """The member of a family, by shapes that only this member has."""
    embeddings = {row.part: tensors[candidate.prefix + row.embedding].shape for row in candidate.encoders}
    if candidate.family == "siglip":
        vision, text = embeddings.get("vision", ()), embeddings.get("text", ())
        if len(vision) == 2:
            return "naflex"
        return "siglip2" if text[:1] == (SIGLIP2_VOCABULARY,) or vision[:1] == (_SIGLIP2_G_WIDTH,) else "siglip"
    if candidate.family == "clip" and candidate.text:
        positions = tensors.get(candidate.prefix + candidate.text.position)
        if positions and positions.shape[-2:-1] == (LONGCLIP_CONTEXT,):
            return "longclip"
    return candidate.family


class EncoderReader:
    """Reads the sizes of one encoder; CheckpointError if tensors are missing or contradict others."""

    def __init__(self, path: Path, tensors: Tensors, prefix: str, row: EncoderLayout) -> None:
        self._path, self._tensors, self._prefix, self._row = path, tensors, prefix, row
        self._norm, _, self._fc1 = row.block

    def vision(self, family: Family) -> VisionShape:
        """The sizes of a vision encoder."""
        row = self._row
        width, patch = self._patches()
        has_class_token = bool(row.class_token) and self._prefix + row.class_token in self._tensors
        if row.position:
            tokens = self._positions(width)
            grid = isqrt(max(tokens - has_class_token, 0))
            if grid * grid != tokens - has_class_token or not grid:
                raise self._misfit(row.position)
            # 27 patches of 14 px are 378 px; SigLIP's pictures have 384, of which the last six are cut off
            is_384 = family in ("siglip", "siglip2") and (grid, patch) == (27, 14)
            image_size = 384 if is_384 else grid * patch
        else:
            image_size = _DINOV3_IMAGE_SIZE
            tokens = (image_size // patch) ** 2 + has_class_token
        sizes = self._sizes(family, width)
        return VisionShape(**sizes, patch=patch, tokens=tokens, image_size=image_size, has_class_token=has_class_token)

    def text(self, family: Family) -> TextShape:
        """The sizes of a text encoder."""
        vocabulary, width = self._shape(self._row.embedding, 2)
        return TextShape(**self._sizes(family, width), context=self._positions(width), vocabulary=vocabulary)

    def _sizes(self, family: Family, width: int) -> dict[str, int]:
        """What both kinds of encoders have."""
        layers = self._layers(width)
        mlp, columns = self._shape(f"{self._row.blocks}0.{self._fc1}", 2)
        if columns != width:
            raise self._misfit(self._fc1)
        if self._fc1.endswith("weights_in.weight"):
            mlp //= 2  # DINOv2 of transformers 4 has both matrices of a gated MLP in one
        return {"width": width, "layers": layers, "heads": default_heads(family, self._row.part, width), "mlp": mlp}

    def _patches(self) -> tuple[int, int]:
        """Width and side of a patch: of a convolution, or of a matrix that takes flat patches."""
        shape = self._shape(self._row.embedding)
        if len(shape) == 2:
            side = isqrt(shape[1] // _RGB)
            if side and side * side * _RGB == shape[1]:
                return shape[0], side
        elif len(shape) == 4 and shape[1] == _RGB and shape[2] == shape[3]:
            return shape[0], shape[2]
        raise self._misfit(self._row.embedding)

    def _positions(self, width: int) -> int:
        shape = self._shape(self._row.position)
        if len(shape) not in (2, 3) or shape[-1] != width or (len(shape) == 3 and shape[0] != 1):
            raise self._misfit(self._row.position)
        return shape[-2]

    def _layers(self, width: int) -> int:
        start = self._prefix + self._row.blocks
        numbers = {name[len(start) :].split(".", 1)[0] for name in self._tensors if name.startswith(start)}
        blocks = {int(number) for number in numbers if number.isascii() and number.isdigit() and len(number) < 5}
        count = max(blocks, default=-1) + 1
        if len(blocks) != count or not count:
            missing = next(number for number in range(count + 1) if number not in blocks)
            raise self._missing(f"{self._row.blocks}{missing}")
        if self._shape(f"{self._row.blocks}{count - 1}.{self._norm}") != (width,):
            raise self._misfit(self._norm)
        return count

    def _shape(self, name: str, dimensions: int | None = None) -> tuple[int, ...]:
        entry = self._tensors.get(self._prefix + name)
        if entry is None:
            raise self._missing(name)
        if not all(entry.shape) or dimensions not in (None, len(entry.shape)):
            raise self._misfit(name)
        return entry.shape

    def _missing(self, name: str) -> CheckpointError:
        reason = f"lacks {self._prefix}{name} of its layout {self._row.layout}; it is incomplete, fetch it again"
        return CheckpointError(str(self._path), reason)

    def _misfit(self, name: str) -> CheckpointError:
        entry = self._tensors.get(self._prefix + name)
        shape = f" {list(entry.shape)}" if entry else ""
        reason = f"the shape{shape} of {self._prefix}{name} does not fit the rest; it is damaged or another model"
        return CheckpointError(str(self._path), reason)
