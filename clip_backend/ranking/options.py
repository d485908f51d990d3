"""The settings of ranking, declared once for Python, nodes and command line."""

from __future__ import annotations

from dataclasses import dataclass

from ...options import option
from ..matching.prompt_syntax import PROMPT_SYNTAX_HELP

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
