"""From scores to places: the order, what is kept of it, and why the rest is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..features import Vectors
from .duplicates import Places, near_duplicates
from .options import ABOVE_THRESHOLD, TOP_K, RankOptions
from .result import RankedPicture

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """N pictures that are to be ranked."""

    names: tuple[str, ...]
    #: float64 [N]; not finite for a picture that has none.
    scores: Scores
    #: Unit rows, float32 [N, D]; those of pictures without a score are not looked at. None if they are not known.
    vectors: Vectors | None = None
    #: Why a picture has no score, by its place; where it is not told, the score itself is.
    failures: Mapping[int, str] = field(default_factory=dict)


def ranked(candidates: Candidates, options: RankOptions) -> tuple[RankedPicture, ...]:
    """Every picture, the best first; raises InputError if none has a score, or near-duplicates cannot be told."""
    order = best_first(candidates.scores, options.descending)
    reasons = _without_score(candidates)
    if len(reasons) == len(order):
        raise InputError(f"none of the {len(order)} pictures has a score ({candidates.names[0]}: {reasons[0]})")
    groups = _groups(candidates, order[: len(order) - len(reasons)], options.duplicates)
    reasons |= _duplicates(candidates, groups)
    reasons |= _not_wanted([place for place in order.tolist() if place not in reasons], candidates.scores, options)
    return tuple(_placed(candidates, place, reasons.get(place, ""), int(groups[place])) for place in order.tolist())


def best_first(scores: Scores, descending: bool) -> Places:
    """The places of the scores in order, int [N]: ties as they were given, and what is not finite last."""
    keys = np.where(np.isfinite(scores), -scores if descending else scores, np.inf)
    return np.argsort(keys, kind="stable")


def _without_score(candidates: Candidates) -> dict[int, str]:
    missing = np.flatnonzero(~np.isfinite(candidates.scores)).tolist()
    return {place: candidates.failures.get(place) or f"its score is {candidates.scores[place]}" for place in missing}


def _groups(candidates: Candidates, order: Places, least: float) -> Places:
    """The place of the best near-duplicate of each picture, int [N]; order: the places of those that have a score."""
    groups = np.arange(len(candidates.names), dtype=np.intp)
    if least == 0:
        return groups
    if candidates.vectors is None:
        raise InputError(
            "near-duplicates cannot be told by scores alone; give the features of the pictures, or set duplicates to 0"
        )
    # in order, the first of a group is its best
    groups[order] = order[near_duplicates(candidates.vectors[order], least)]
    return groups


def _duplicates(candidates: Candidates, groups: Places) -> dict[int, str]:
    """Why each picture that is not the best of its group is rejected."""
    if candidates.vectors is None:
        return {}
    others = np.flatnonzero(groups != np.arange(len(groups)))
    cosines = (candidates.vectors[others] * candidates.vectors[groups[others]]).sum(axis=1)
    return {
        place: f"near-duplicate of {candidates.names[groups[place]]} (cosine {cosine:.3f})"
        for place, cosine in zip(others.tolist(), cosines.tolist(), strict=True)
    }


def _not_wanted(order: Sequence[int], scores: Scores, options: RankOptions) -> dict[int, str]:
    """Why pictures are rejected of which each alone might be kept; order: their places, the best first."""
    if options.keep == TOP_K:
        reason = "not the best" if options.k == 1 else f"not among the best {options.k}"
        return dict.fromkeys(order[options.k :], reason)
    if options.keep == ABOVE_THRESHOLD:
        side = "below" if options.descending else "above"
        sign = 1 if options.descending else -1
        short = [place for place in order if sign * scores[place] < sign * options.threshold]
        return {place: f"its score {scores[place]:g} is {side} the threshold {options.threshold:g}" for place in short}
    return {}


def _placed(candidates: Candidates, place: int, reason: str, group: int) -> RankedPicture:
    score = float(candidates.scores[place])
    return RankedPicture(
        index=place, name=candidates.names[place], score=score, is_kept=not reason, reason=reason, group=group
    )
