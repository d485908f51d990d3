"""The phrases of a text against pictures: which part of the text is shown, which is missing, and which is unclear."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..encoding.features import Features
from ..scoring.banks import LengthClass
from ..scoring.scales import Float32s, deviations, percentiles, z_scores
from .result import PhraseScore, PhraseStatus
from .scores import Pairing, Scores
from .texts import Phrase, phrases_of

#: A phrase whose own z is below the first is missing, and below the second if the text fits no worse without it; from
#: the third on it is shown. Of nouns by OpenAI B/16, 2.4 % of the salient ones and 89 % of the absent ones are missing.
MISSING_Z, UNSUPPORTED_Z, SHOWN_Z = 0.5, 1.5, 2.0
#: Support below the first is none, and above the second it shows the phrase, in standard deviations.
NO_SUPPORT, SUPPORT = -0.1, 0.2
_STATUS: tuple[PhraseStatus, ...] = ("unclear", "shown", "missing")
#: What CLIP cannot judge: "no hat" is close to "hat".
_NEGATION = re.compile(
    r"\b(?:no|not|non|never|none|nobody|nothing|neither|nor|without|lacking|\w+n['’]t)\b", re.IGNORECASE
)
#: How good a picture is, as prompts ask for it, and what only links such words.
_QUALITY = re.compile(
    r"\b(?:masterpiece|best|high(?:est)?|good|great|amazing|perfect|top|ultra|super|extremely|highly|very|insanely|"
    r"quality|resolution|res|high-?res|hi-?res|absurd-?res|[248]k|16k|u?hd|hdr|full|detail(?:s|ed)?|"
    r"ultra-?detailed|hyper-?detailed|intricate|sharp|focus|trending|artstation|deviantart|pixiv|featured|award|"
    r"winning|award-winning|stunning|beautiful|aesthetic|professional|newest|raw|photo(?=\s*$)|score_\d(?:_up)?|"
    r"and|on|of|in|a|an|the)\b",
    re.IGNORECASE,
)
_TELLS_QUALITY = re.compile(
    r"\b(?:masterpiece|quality|resolution|high-?res|hi-?res|absurd-?res|[248]k|16k|u?hd|hdr|detail(?:s|ed)|"
    r"ultra-?detailed|hyper-?detailed|sharp focus|trending|award|winning|award-winning|stunning|aesthetic|"
    r"raw photo|score_\d(?:_up)?)\b",
    re.IGNORECASE,
)
#: CLIP does not count: "two cats" is judged as "cats", and "1girl" as "girl".
_COUNT = re.compile(
    r"(?<![\w:./-])(?:\d{1,3}\+?(?:(?=(?:girl|boy|other)s?\b)|(?=\s+[^\W\d]))(?!\s+(?:mm|cm|m|km|px|bit|fps|years?|am|pm|"
    r"degrees?|percent)\b)|(?:a\s+)?(?:pair|couple|dozen)s?\s+of\b|"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|a\s+dozen|several)(?=\s))\s*",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w")


def judged_phrases(text: str) -> tuple[Phrase, ...]:
    """The phrases of a text that CLIP can judge: without counts, quality words such as "masterpiece", and negations."""
    return tuple(
        replace(phrase, text=words)
        for phrase in phrases_of(text)
        if not _NEGATION.search(phrase.text) and (words := _judged_words(phrase.text))
    )


def _judged_words(phrase: str) -> str:
    """The phrase without counts; empty if it says nothing but how good the picture is."""
    if _TELLS_QUALITY.search(phrase) and not _WORD.search(_QUALITY.sub("", phrase)):
        return ""
    words = _COUNT.sub("", phrase).strip()
    return words if _WORD.search(words) else ""


def parts_of(phrased: Sequence[Sequence[Phrase]]) -> tuple[str, ...]:
    """Every text that the scores of these phrases need, each once."""
    parts = (part for phrases in phrased for one in phrases for part in (one.text, one.rest) if part)
    return tuple(dict.fromkeys(parts))


def phrase_scores(
    pairing: Pairing,
    scores: Scores,
    bank_cosines: Mapping[LengthClass, Float32s],
    phrased: Sequence[Sequence[Phrase]],
    features: Features | None,
) -> dict[tuple[int, int], tuple[PhraseScore, ...]]:
    """The scores of the phrases of each pair, by the row of its picture and the column of its text.

    phrased: the phrases of each text of the pairing. features: of the texts of ``parts_of``, which are its ids; None
    without any.
    """
    result: dict[tuple[int, int], tuple[PhraseScore, ...]] = {}
    if features is None:
        return result
    index = {text: number for number, text in enumerate(features.ids)}
    for number, phrases in enumerate(phrased):
        if phrases:
            rows, column = pairing.pairs_of(number)
            pictures = pairing.images.select(rows)
            fits = _Fits(
                whole=scores.cosine[rows, column, None],
                alone=pictures.similarity(features.select([index[one.text] for one in phrases])),
                rest=_rest(pictures, features, [index.get(one.rest) for one in phrases]),
                short=bank_cosines["short"][rows],
                long=bank_cosines["long"][rows],
            )
            result |= {(row, number): one for row, one in zip(rows.tolist(), fits.scored(phrases), strict=True)}
    return result


def _rest(pictures: Features, features: Features, places: Sequence[int | None]) -> Float32s | None:
    """Cosines of the text without each phrase [n, k]; None for a text that is one phrase."""
    return (
        pictures.similarity(features.select([place for place in places if place is not None]))
        if all(place is not None for place in places)
        else None
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fits:
    """Cosines of n pictures with a text and its k phrases."""

    #: Of the text [n, 1].
    whole: Float32s
    #: Of each phrase alone, and of the text without it [n, k].
    alone: Float32s
    rest: Float32s | None
    #: Of the pictures with the bank's texts [n, B].
    short: Float32s
    long: Float32s

    def scored(self, phrases: Sequence[Phrase]) -> Iterator[tuple[PhraseScore, ...]]:
        """The scores of the phrases for each of the n pictures."""
        z = z_scores(self.alone, self.short)
        support = np.zeros_like(z) if self.rest is None else (self.whole - self.rest) / deviations(self.long)
        columns = (self.alone, z, percentiles(self.alone, self.short), support, _status_codes(z, support))
        for row in zip(*(values.tolist() for values in columns), strict=True):
            yield tuple(
                PhraseScore(
                    text=phrase.text, cosine=cosine, z=own, percentile=beaten, support=share, status=_STATUS[code]
                )
                for phrase, cosine, own, beaten, share, code in zip(phrases, *row, strict=True)
            )


def _status_codes(z: Float32s, support: Float32s) -> NDArray[np.intp]:
    """Places in ``_STATUS`` [n, k]."""
    is_missing = (z < MISSING_Z) | ((z < UNSUPPORTED_Z) & (support < NO_SUPPORT))
    is_shown = (z >= SHOWN_Z) | (support > SUPPORT)
    codes: NDArray[np.intp] = np.select([is_missing, is_shown], [2, 1], 0)
    return codes
