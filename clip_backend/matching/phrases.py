"""The phrases of a text, and which of them a picture lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..encoding.features import Features
from ..scoring.banks import percentiles, unrelated
from ..scoring.scales import Floats
from .result import PhraseScore
from .scores import Background, Pairing, Scores, lacks_evidence

#: A clause of more words than these is split before its prepositions too.
MOST_WORDS = 4
#: The end of a text with more phrases than these is one phrase.
MOST_PHRASES = 64
#: Not the comma of 1,000, the colon of 16:9 nor the stops of "5 p.m.".
_BETWEEN = re.compile(
    r"(?:[\n|;，。；：、！？]|(?<!\d),|,(?!\d)|[:!?](?=\s|$)|(?<=\w\w)\.(?=\s|$)|\s[-–—]+\s)[\s,.:;!?|]*"
)
_LINKS = (
    r"in\s+front\s+of|on\s+top\s+of|next\s+to|on|onto|in|into|inside|at|under|underneath|over|above|below|beneath|"
    r"near|behind|beside|beyond|between|among|against|across|along|around|through|by|with|"
    r"(?:and|while)(?=\s+(?:an?|the|his|her|their|its|some|many|one|two|three)\s)"
)
_VERBS = r"wearing|holding|carrying|riding|without"
#: Before a preposition or conjunction, which is left out of the phrase, or before a verb, which is a part of it.
_INSIDE = re.compile(rf"\s+((?:(?:{_LINKS})\s+)+)(?=\S)|\s+(?=(?:{_VERBS})\s)", re.IGNORECASE)
_LEADING = re.compile(rf"^(?:(?:{_LINKS})\s+)+(?=\S)", re.IGNORECASE)
_WORD = re.compile(r"\w")


@dataclass(frozen=True)
class Phrase:
    """A part of a text that can be scored alone."""

    text: str
    #: The text without it; empty if there is nothing else.
    rest: str


@dataclass(frozen=True)
class _Piece:
    """Words with what stands before them in the text: a preposition, or the end of the clause before."""

    before: str
    words: str
    #: The number of its clause.
    clause: int


def phrases_of(text: str) -> tuple[Phrase, ...]:
    """The phrases in their order: "a red circle" and "a blue ground" of "a red circle on a blue ground".

    A text is split at punctuation and line ends; a clause of more than four words is also split before prepositions,
    before conjunctions that an article follows, and before verbs such as wearing. A text that cannot be split is one
    phrase.
    """
    pieces = _limited(list(_pieces(text)), MOST_PHRASES)
    if len(pieces) < 2:
        return (Phrase(text.strip(), ""),)
    return tuple(
        Phrase(_without_link(piece.words), _joined([*pieces[:place], *pieces[place + 1 :]]))
        for place, piece in enumerate(pieces)
    )


def _pieces(text: str) -> Iterator[_Piece]:
    start, before = 0, ""
    ends = [(match.start(), match.end()) for match in _BETWEEN.finditer(text)]
    for number, (end, after) in enumerate([*ends, (len(text), len(text))]):
        clause = " ".join(text[start:end].split())
        if _WORD.search(clause):
            yield from _split_clause(clause, before, number)
            before = ""
        before = before or text[end:after]
        start = after


def _split_clause(clause: str, before: str, number: int) -> Iterator[_Piece]:
    if len(clause.split()) <= MOST_WORDS:
        yield _Piece(before, clause, number)
        return
    start = 0
    for match in _INSIDE.finditer(clause):
        if match.start() > start:
            yield _Piece(before, clause[start : match.start()], number)
            before, start = match[0], match.end()
    yield _Piece(before, clause[start:], number)


def _limited(pieces: list[_Piece], most: int) -> list[_Piece]:
    """At most so many; those that are too many become the last one."""
    if len(pieces) <= most:
        return pieces
    end = pieces[most - 1 :]
    return [*pieces[: most - 1], replace(end[0], words=_joined(end))]


def _joined(pieces: Sequence[_Piece]) -> str:
    """The pieces as a text; where the first of a clause is gone, the next one stands for it without its preposition."""
    text = _without_link(pieces[0].words)
    for last, piece in pairwise(pieces):
        is_orphan = piece.clause != last.clause and not _BETWEEN.match(piece.before)
        text += (", " if is_orphan else piece.before) + piece.words
    return text


def _without_link(words: str) -> str:
    return _LEADING.sub("", words)


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


def parts_of(phrased: Sequence[Sequence[Phrase]]) -> tuple[str, ...]:
    """Every text that the scores of these phrases need, each once."""
    parts = (part for phrases in phrased for one in phrases for part in (one.text, one.rest) if part)
    return tuple(dict.fromkeys(parts))


def phrase_scores(
    pairing: Pairing,
    scores: Scores,
    background: Background,
    phrased: Sequence[Sequence[Phrase]],
    parts: Sequence[str],
    features: Features,
) -> dict[tuple[int, int], tuple[PhraseScore, ...]]:
    """The scores of the phrases of each pair, by the row of its picture and the column of its text.

    phrased: the phrases of each text of the pairing. parts, features: the texts of ``parts_of`` and their features.
    The support of a phrase is the cosine of the whole text less that of the text without it; where nothing is left
    without it, less the median cosine of the neutral captions. A phrase is missing if its support is below 0 and its
    own cosine is less than two thirds of the way from unrelated captions to the part of the text that fits best; or if
    neither the text nor the phrase is evidence, see ``lacks_evidence``.
    """
    index = {text: number for number, text in enumerate(parts)}
    floors = background.floor(features)
    lacking = lacks_evidence(scores.cosine, scores.noise_floor, scores.percentile)
    result: dict[tuple[int, int], tuple[PhraseScore, ...]] = {}
    for number, phrases in enumerate(phrased):
        rows, column = pairing.pairs_of(number)
        own = [index[one.text] for one in phrases]
        pictures, neutral = pairing.images.select(rows), background.neutral[rows]
        fits = _Fits(
            whole=scores.cosine[rows, column, None],
            whole_lacks=lacking[rows, column, None],
            alone=pictures.similarity(features.select(own)),
            rest=_rest(pictures, features, [index[one.rest] for one in phrases if one.rest], neutral),
            floor=floors[own],
            neutral=neutral,
        )
        result |= {(row, number): one for row, one in zip(rows.tolist(), _scored(phrases, fits), strict=True)}
    return result


def _rest(pictures: Features, features: Features, indices: Sequence[int], neutral: Floats) -> Floats:
    """Cosines of the text without each phrase [n, k]; the median of the neutral captions [n, 1] if nothing is left."""
    if indices:
        return pictures.similarity(features.select(indices))
    middle: Floats = np.median(neutral, axis=1, keepdims=True)
    return middle


def _scored(phrases: Sequence[Phrase], fits: _Fits) -> list[tuple[PhraseScore, ...]]:
    """The scores of the phrases for each of the n pictures."""
    percentile = percentiles(fits.alone, fits.neutral)
    support = fits.whole - fits.rest
    columns = (fits.alone, percentile, support, _are_missing(fits, percentile, support))
    return [
        tuple(
            PhraseScore(text=phrase.text, cosine=cosine, percentile=beaten, support=share, is_missing=missing)
            for phrase, cosine, beaten, share, missing in zip(phrases, *row, strict=True)
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
