"""What is asked of an index, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from ...errors import InputError
from .diversity import NEAR
from .index import IndexedPicture, IndexState
from .vectors import Vectors


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A text or picture that hits are to be like, or unlike."""

    kind: Literal["text", "picture"]
    #: The text, or the name of the picture.
    name: str
    #: Unit vector [dim] of the index's space.
    vector: Vectors
    #: How much it counts beside the others; negative for what hits are to be unlike.
    weight: float = 1.0
    #: For a text: unit vectors [B, dim] of the bank's texts of its length, against which its cosines are standardised.
    bank: Vectors | None = None
    #: For a picture: the hash of its content, so that it is not a hit itself.
    hash: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Query:
    """What is asked of an index. Without parts and keywords, hits are the newest pictures that pass the filter."""

    parts: Sequence[Part] = ()
    #: Words that the prompt has; fused with the parts by reciprocal ranks.
    keywords: str = ""
    #: A filter; see ``filters``. Without it, and unless it says anything of missing, pictures whose files are all
    #: missing are left out.
    where: str = ""
    top: int = 12
    #: Ids of pictures that are no hits.
    exclude: Iterable[int] = ()
    #: 0 for the best hits, up to 1 for hits that differ from each other as much as possible.
    diversity: float = 0.0
    #: The least cosine of near-duplicates, which become a group; 0 for no groups.
    duplicates: float = NEAR
    #: Whether only the best of a group is a hit.
    collapse: bool = False

    def check(self, state: IndexState) -> None:
        """Raises InputError for numbers out of range and for parts of another size than the index's vectors."""
        if self.top < 1:
            raise InputError(f"top is {self.top}; it must be at least 1")
        for name, value in (("diversity", self.diversity), ("duplicates", self.duplicates)):
            if not 0 <= value <= 1:
                raise InputError(f"{name} is {value}; it must be within 0 and 1")
        for part in self.parts:
            if part.vector.shape != (state.dim,):
                raise InputError(
                    f"the vector of {part.name!r} has the shape {list(part.vector.shape)}, and the index holds vectors "
                    f"of {state.dim} dimensions, of {state.model}; use that model"
                )
            if not isfinite(part.weight):
                raise InputError(f"the weight of {part.name!r} is {part.weight}; it must be a number")


@dataclass(frozen=True)
class PartScore:
    """How a hit fits one part of a query."""

    kind: str
    name: str
    weight: float
    cosine: float
    #: Standard deviations of the cosine above the mean of the whole index.
    z: float
    #: What is compared with the line of weak hits, see ``strength``; None where too few pictures can tell.
    strength: float | None


@dataclass(frozen=True)
class Hit:
    """A picture that was found."""

    picture: IndexedPicture
    #: Higher is better: the weighted sum of the parts' z; with keywords, the sum of reciprocal ranks.
    score: float
    #: The share of the index that fits the parts worse, 0..100; None without parts.
    percentile: float | None
    parts: tuple[PartScore, ...]
    #: Its rank by the parts, from 1, and by keywords; None where that did not find it.
    meaning_rank: int | None
    keyword_rank: int | None
    #: Whether it lies below the line: it does not have the keywords, and a part with a positive weight is weaker than
    #: a match, or one with a negative weight is a match.
    is_weak: bool
    #: The picture that is the best hit of its near-duplicates.
    group: int

    @property
    def z(self) -> float | None:
        """The weighted mean of the parts' z; None without parts."""
        if not self.parts:
            return None
        weights = sum(abs(part.weight) for part in self.parts) or 1.0
        return sum(part.weight * part.z for part in self.parts) / weights

    @property
    def found_by(self) -> str:
        """What found it: "meaning", "keywords" or both; empty for one that is among the newest."""
        how = {"meaning": self.meaning_rank, "keywords": self.keyword_rank}
        return " and ".join(name for name, rank in how.items() if rank is not None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        return {
            "id": self.picture.id,
            "path": self.picture.path,
            "paths": [vars(one) for one in self.picture.paths],
            "width": self.picture.width,
            "height": self.picture.height,
            "score": self.score,
            "z": self.z,
            "percentile": self.percentile,
            "parts": [vars(one) for one in self.parts],
            "meaning_rank": self.meaning_rank,
            "keyword_rank": self.keyword_rank,
            "is_weak": self.is_weak,
            "group": self.group,
        }


@dataclass(frozen=True)
class Hits:
    """The answer of an index."""

    hits: tuple[Hit, ...]
    #: Pictures of the index, and those of them that passed the filter.
    total: int
    passed: int
    model: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        return {
            "hits": [hit.to_dict() for hit in self.hits],
            "total": self.total,
            "passed": self.passed,
            "model": self.model,
        }
