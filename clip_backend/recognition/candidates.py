"""The models in one set of tensors: a checkpoint may hold several, each under its prefix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..checkpoint_info import Family
from .layouts import FOREIGN_TEXT, REFUSED, TOWERS, RefusedRow, TowerRow
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
