"""Whether pictures show what texts say: scores on every scale, and a verdict for each pair of picture and text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...imaging import Progress
from ...options import SLOT, check_templates
from ..encoding.features import Features, TextFeatures
from ..encoding.image_features import ImageFeatures
from ..preparing.blank import emptiness_of_each
from ..preparing.pictures import Pictures, named_pictures
from ..scoring.scales import (
    Float32s,
    LengthClass,
    assumed_notes,
    deviations,
    encoded_bank,
    is_sigmoid,
    length_class,
    percentiles,
    z_scores,
)
from .result import AUTO, CUSTOM, Limit, Matches, MatchOptions, MatchResult, PhraseScore, PhraseStatus
from .scores import Calibrated, Pairing, Scores, limit_of, mode_of, reason_of, scores_of, verdicts
from .texts import Phrase, check_texts, phrases_of, plain_texts

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

#: More pairs get no phrases, which would take more memory than everything else.
MOST_PHRASED = 20_000
#: The phrases of a pair, by the row of its picture and the column of its text.
Phrases = Mapping[tuple[int, int], tuple[PhraseScore, ...]]


def match_pictures(
    encoder: Encoder,
    pictures: Pictures,
    texts: str | Sequence[str],
    *,
    options: MatchOptions | None = None,
    calibration: Calibrated | None = None,
    progress: Progress | None = None,
) -> Matches:
    """A result for each pair of picture and text, in the order of the pictures and then of the texts.

    options: None for the defaults. calibration: gives the probabilities, and the verdicts too unless a threshold or a
    preset was chosen. progress: as for ``Encoder.encode_images``.
    A picture that cannot be read is in ``failed``, and its pairs are left out; the others keep their indices.
    Raises InputError for no pictures or texts, for a text that is empty or holds nothing but prompt syntax, for
    numbers of pictures and texts that do not fit the mode, and for a calibration of another model.
    """
    options = options or MatchOptions()
    originals = check_texts(texts)
    plain = plain_texts(originals, prompt_syntax=options.prompt_syntax)
    run = _Run(
        encoder=encoder,
        options=options,
        calibration=calibration,
        limit=limit_of(options, is_calibrated=calibration is not None),
        originals=originals,
        plain=plain.texts,
    )
    check_templates((options.template,))
    if calibration is not None:
        calibration.check(encoder, options)
    if not isinstance(pictures, Iterator):
        # wrong numbers are refused before anything is encoded
        mode_of(options.mode, named_pictures(pictures, strict=False).total or 0, len(originals))
    features = run.encode(run.plain)
    images = encoder.encode_images(pictures, strict=False, progress=progress, with_statistics=True)
    shape = len(images.kept) + len(images.failed), len(originals)
    mode = mode_of(options.mode, *shape)
    results, notes = run.results(images, features, is_paired=mode == "pairs") if images.kept else ((), ())
    return Matches(
        results=results,
        mode=mode,
        shape=shape,
        failed=images.failed,
        model=encoder.identity.name,
        notes=tuple(dict.fromkeys((*plain.notes, *images.notes, *features.notes, *notes))),
    )


@dataclass(frozen=True, kw_only=True)
class _Run:
    """The texts of one call and how they are judged."""

    encoder: Encoder
    options: MatchOptions
    calibration: Calibrated | None
    limit: Limit
    #: The texts as given, and without prompt syntax.
    originals: tuple[str, ...]
    plain: tuple[str, ...]

    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """The features of texts, each inside the template of the options; the ids are the texts."""
        filled = [self.options.template.replace(SLOT, text) for text in texts]
        return replace(self.encoder.encode_texts(filled, long_text=self.options.long_text), ids=tuple(texts))

    def results(
        self, images: ImageFeatures, features: TextFeatures, *, is_paired: bool
    ) -> tuple[tuple[MatchResult, ...], tuple[str, ...]]:
        """The results of the pictures that could be read, and the notes."""
        indices = images.kept if is_paired else range(len(self.plain))
        pairing = Pairing(
            images=images.to_features(),
            texts=features.select(indices),
            is_paired=is_paired,
            classes=[length_class(self.plain[index]) for index in indices],
        )
        options = self.options
        bank = encoded_bank(self.encoder, template=options.template, long_text=options.long_text)
        bank_cosines = bank.cosines(pairing.images)
        scores = scores_of(pairing, bank_cosines, self.encoder, self.calibration)
        dropped = features.dropped or ("",) * len(self.originals)
        notes = [*_threshold_notes(options), *self._notes(scores, dropped)]
        phrases: Phrases = {}
        if options.phrases and scores.cosine.size > MOST_PHRASED:
            notes.append(_phrases_note(scores.cosine.size))
        elif options.phrases:
            phrased = [judged_phrases(self.plain[index]) for index in indices]
            parts = parts_of(phrased)
            phrases = phrase_scores(pairing, scores, bank_cosines, phrased, self.encode(parts) if parts else None)
        return tuple(self._each(pairing, scores, images, phrases, dropped)), tuple(notes)

    def _each(
        self, pairing: Pairing, scores: Scores, images: ImageFeatures, phrases: Phrases, dropped: Sequence[str]
    ) -> Iterator[MatchResult]:
        """A result for each pair, row by row."""
        empty = emptiness_of_each(images.statistics, len(images.kept))
        judged = zip(verdicts(scores, self.limit, empty), scores.on(self.limit.scale).ravel().tolist(), strict=True)
        rows = zip(pairing.places(), judged, scores.rows(), strict=True)
        for (row, column), (verdict, value), (cosine, scaled, probability, z, percentile, rank) in rows:
            text = images.kept[row] if pairing.is_paired else column
            length = pairing.classes[column]
            yield MatchResult(
                image=images.names[row],
                image_index=images.kept[row],
                text=self.originals[text],
                text_index=text,
                cosine=cosine,
                clip_score=scaled,
                probability=probability,
                probability_scale=scores.probability_scales[length],
                z=z,
                percentile=percentile,
                verdict=verdict,
                threshold=self.limit.threshold,
                threshold_scale=self.limit.scale,
                reason=reason_of(verdict, self.limit, empty[row], length, value=value, z=z, percentile=percentile),
                phrases=phrases.get((row, column), ()),
                dropped=dropped[text],
                picture_percentile=rank,
                model=self.encoder.identity.name,
            )

    def _notes(self, scores: Scores, dropped: Sequence[str]) -> Iterator[str]:
        """Notes on the model, the threshold, the probabilities and the texts."""
        yield from self.encoder.identity.notes
        if self.limit.scale == "cosine" and is_sigmoid(self.encoder):
            yield (
                f"cosines of SigLIP are low: right texts may stay below {self.limit.threshold:g}, a threshold for "
                "CLIP; choose the preset auto, which means the same for every model"
            )
        if "calibrated" not in scores.probability_scales.values():
            yield from assumed_notes(self.encoder)
        if count := sum(map(bool, dropped)):
            yield dropped_note(count, len(dropped))


def dropped_note(count: int, total: int) -> str:
    """The note on texts whose end was not read: ``count`` of ``total``."""
    return (
        f"the end of {count} of {total} texts was not read, for the model reads only so much: see dropped; choose "
        "long_text mean to read it in parts"
    )


def _threshold_notes(options: MatchOptions) -> Iterator[str]:
    """A note on a threshold that has no effect because a preset was chosen."""
    if options.preset not in (AUTO, CUSTOM) and options.threshold != MatchOptions.threshold:
        yield f"the preset {options.preset} decides, and not the threshold {options.threshold:g}; give one of them"


def _phrases_note(pairs: int) -> str:
    return (
        f"phrases are left out, for there are {pairs} pairs, and more than {MOST_PHRASED} take too much memory; match "
        "fewer pictures or texts at once to see which part of a text is missing"
    )


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

    #: Cosines with the text [n, 1].
    whole: Float32s
    #: Cosines with each phrase alone, and with the text without it [n, k].
    alone: Float32s
    rest: Float32s | None
    #: Cosines with the bank's short and long texts [n, B].
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
