"""Options and results of ranking."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from ...options import option
from ..matching.result import PROMPT_SYNTAX_HELP

TOP_K = "top k"
ABOVE_THRESHOLD = "above threshold"
KEEP = (TOP_K, ABOVE_THRESHOLD, "all")


@dataclass(frozen=True, kw_only=True)
class RankOptions:
    """Which pictures are kept, and in which order."""

    keep: str = option(
        TOP_K, "Which pictures are kept: the best k, all that reach the threshold, or all of them", choices=KEEP
    )
    k: int = option(1, "How many are kept by top k", low=1, high=1_000_000)
    threshold: float = option(
        0.25,
        "Worst score that is kept by above threshold: the least one, or the highest where the lowest is the best; "
        "a cosine unless scores were given",
        low=-1e9,
        high=1e9,
    )
    descending: bool = option(True, "The highest score is the best one and comes first")
    duplicates: float = option(
        0.0,
        "Keep only the best of near-duplicates: pictures whose cosine to each other is at least this; 0.98 finds "
        "copies of another size or file format, 0.95 also pictures of the same thing; 0 = keep them all",
        low=0,
        high=1,
    )
    prompt_syntax: bool = option(True, PROMPT_SYNTAX_HELP, advanced=True)


@dataclass(frozen=True, kw_only=True)
class RankedPicture:
    """One picture of a ranking."""

    #: Its index among the given pictures.
    index: int
    name: str
    #: On the ranking's scale; NaN for a picture that has none.
    score: float
    is_kept: bool
    #: Why it is not kept; empty if it is.
    reason: str = ""
    #: The index of the best of its near-duplicates; its own if it is the best or has none.
    group: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        score = self.score if isfinite(self.score) else None
        values = {"index": self.index, "path": self.name, "score": score, "is_kept": self.is_kept}
        return values | {"reason": self.reason, "group": self.group}


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Every picture, the best first; those without a score are last."""

    pictures: tuple[RankedPicture, ...]
    #: What the scores are: "cosine to 'a red circle'", "cosine to the mean of 2 reference pictures", or "given".
    scale: str
    #: The model's name; empty where no model was needed.
    model: str = ""
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """``ok``, or ``partial`` when a picture has no score."""
        return "ok" if all(isfinite(one.score) for one in self.pictures) else "partial"

    @property
    def kept(self) -> tuple[RankedPicture, ...]:
        """Those that are kept, in order."""
        return tuple(one for one in self.pictures if one.is_kept)

    @property
    def rejected(self) -> tuple[RankedPicture, ...]:
        """The others, in order."""
        return tuple(one for one in self.pictures if not one.is_kept)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        counts = {"kept": len(self.kept), "rejected": len(self.rejected)}
        head = {"status": self.status, "model": self.model, "scale": self.scale} | counts
        return head | {"images": [one.to_dict() for one in self.pictures], "notes": list(self.notes)}
