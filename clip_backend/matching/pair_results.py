"""From arrays of scores to a result for each pair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

from ..scales import clip_score
from .pairing import Pairing
from .result import MatchResult, PhraseScore
from .scores import Scores
from .verdict import Limit, reason_of, verdicts

#: By the places of a picture and of a text in a pairing.
Phrases = Mapping[tuple[int, int], tuple[PhraseScore, ...]]


@dataclass(frozen=True, kw_only=True)
class Named:
    """What the rows and columns of a run are called."""

    #: The name of each picture that could be read, and its place among those that were given.
    pictures: Sequence[str]
    kept: Sequence[int]
    #: All texts as they were given, and what was not read of each.
    texts: Sequence[str]
    dropped: Sequence[str]
    model: str


def results_of(
    pairing: Pairing, scores: Scores, limit: Limit, *, phrases: Phrases, named: Named
) -> Iterator[MatchResult]:
    """A result for each pair, row by row."""
    numbers: tuple[Iterable[float], ...] = (
        scores.cosine.ravel().tolist(),
        clip_score(scores.cosine).ravel().tolist(),
        scores.probability.ravel().tolist(),
        scores.percentile.ravel().tolist(),
        scores.noise_floor.ravel().tolist(),
    )
    ranks: Iterable[float | None] = repeat(None)
    if scores.picture_percentile is not None:
        ranks = scores.picture_percentile.ravel().tolist()
    told = zip(pairing.places(), verdicts(scores, limit), ranks, *numbers, strict=False)
    for (row, column), verdict, rank, cosine, scaled, probability, percentile, floor in told:
        text = named.kept[row] if pairing.is_paired else column
        yield MatchResult(
            image=named.pictures[row],
            image_index=named.kept[row],
            text=named.texts[text],
            text_index=text,
            cosine=cosine,
            clip_score=scaled,
            probability=probability,
            probability_scale=scores.probability_scale,
            percentile=percentile,
            noise_floor=floor,
            verdict=verdict,
            threshold=limit.threshold,
            threshold_scale=limit.scale,
            reason=reason_of(verdict, cosine, floor, percentile),
            phrases=phrases.get((row, column), ()),
            dropped=named.dropped[text],
            picture_percentile=rank,
            model=named.model,
        )
