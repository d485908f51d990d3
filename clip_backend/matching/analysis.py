"""A result as one plain dict, under the names that other programs know."""

from __future__ import annotations

from typing import Any

from .result import MatchResult


def analysis_of(result: MatchResult) -> dict[str, Any]:
    """is_match, similarity_score (a cosine) and match_status, and all keys of ``MatchResult.to_dict``."""
    short = {"is_match": result.is_match, "similarity_score": result.cosine, "match_status": result.status}
    return short | result.to_dict()
