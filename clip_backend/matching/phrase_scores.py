"""How well each phrase of a text fits a picture, and which of them the picture lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..banks.captions import percentiles, unrelated
from ..features import Features
from ..scales import Floats
from .pairing import Pairing
from .phrases import Phrase
from .result import PhraseScore
from .scores import Background, Scores
from .verdict import lacks_evidence

#: A phrase that fits lies this much of the way from unrelated captions to the part of the text that fits best.
PRESENT_SHARE = 2 / 3


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fits:
    """Cosines of n pictures with a text and its k phrases."""

    #: Of the text [n, 1], and whether it is no evidence at all [n, 1].
    whole: Floats
    whole_lacks: NDArray[np.bool_]
    #: Of each phrase alone, and of the text without it [n, k].
    alone: Floats
    rest: Floats
    #: What each phrase reaches on noise [k].
    floor: Floats
    #: Of the pictures with the neutral captions [n, C].
    neutral: Floats


def phrase_scores(
    pairing: Pairing,
    scores: Scores,
    background: Background,
    phrased: Sequence[Sequence[Phrase]],
    read: Callable[[Sequence[str]], Features],
) -> dict[tuple[int, int], tuple[PhraseScore, ...]]:
    """The scores of the phrases of each pair, by the places of its picture and of its text.

    phrased: the phrases of each text of the pairing. read: the features of texts.
    The support of a phrase is the text's cosine less that of the text without it; where nothing is left without it,
    less that of the middle one of the neutral captions. A phrase is missing if its support is below 0 and, alone, it
    lies less than two thirds of the way from unrelated captions to whatever part of the text fits the picture best; or
    if neither the text nor the phrase is any evidence, as ``lacks_evidence`` has it.
    """
    wanted = dict.fromkeys(part for phrases in phrased for one in phrases for part in (one.text, one.rest) if part)
    features = read(tuple(wanted))
    place = {text: number for number, text in enumerate(wanted)}
    floors = background.floor(features)
    is_nothing = lacks_evidence(scores.cosine, scores.noise_floor, scores.percentile)
    found: dict[tuple[int, int], tuple[PhraseScore, ...]] = {}
    for number, phrases in enumerate(phrased):
        rows, column = pairing.pairs_of(number)
        own = [place[one.text] for one in phrases]
        pictures, neutral = pairing.images.select(rows), background.neutral[rows]
        fits = _Fits(
            whole=scores.cosine[rows, column, None],
            whole_lacks=is_nothing[rows, column, None],
            alone=pictures.similarity(features.select(own)),
            rest=_rest(pictures, features, [place[one.rest] for one in phrases if one.rest], neutral),
            floor=floors[own],
            neutral=neutral,
        )
        found |= {(row, number): told for row, told in zip(rows.tolist(), _told(phrases, fits), strict=True)}
    return found


def _rest(pictures: Features, features: Features, places: Sequence[int], neutral: Floats) -> Floats:
    """Cosines of what is left of the text without each phrase [n, k]."""
    if places:
        return pictures.similarity(features.select(places))
    middle: Floats = np.median(neutral, axis=1, keepdims=True)
    return middle


def _told(phrases: Sequence[Phrase], fits: _Fits) -> list[tuple[PhraseScore, ...]]:
    """Of each picture."""
    percentile = percentiles(fits.alone, fits.neutral)
    support = fits.whole - fits.rest
    columns = (fits.alone, percentile, support, _are_missing(fits, percentile, support))
    return [
        tuple(
            PhraseScore(text=phrase.text, cosine=cosine, percentile=beaten, support=kept, is_missing=missing)
            for phrase, cosine, beaten, kept, missing in zip(phrases, *row, strict=True)
        )
        for row in zip(*(values.tolist() for values in columns), strict=True)
    ]


def _are_missing(fits: _Fits, percentile: Floats, support: Floats) -> NDArray[np.bool_]:
    """bool [n, k]; see ``phrase_scores`` for the rule."""
    least = unrelated(fits.neutral)[:, None]
    best = np.concatenate([fits.whole, fits.alone, fits.rest], axis=1).max(axis=1, keepdims=True)
    falls_short = fits.alone < least + PRESENT_SHARE * (best - least)
    is_nothing = fits.whole_lacks & lacks_evidence(fits.alone, fits.floor, percentile)
    missing: NDArray[np.bool_] = ((support < 0) & falls_short) | is_nothing
    return missing
