"""Whether pictures show what texts say: scores on every scale, and a verdict for each pair of picture and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...imaging import Progress
from ...options import SLOT, check_templates
from ..encoding.features import Features, TextFeatures
from ..encoding.image_features import ImageFeatures
from ..preparing.pictures import Pictures, named_pictures
from ..scoring.scales import Background, Float32s, assumed_notes, is_sigmoid, percentiles, unrelated_level
from .result import CUSTOM, Matches, MatchOptions, MatchResult, PhraseScore
from .scores import (
    Calibrated,
    Limit,
    Pairing,
    Scores,
    lacks_evidence,
    limit_of,
    mode_of,
    reason_of,
    scores_of,
    verdicts,
)
from .texts import Phrase, check_texts, phrases_of, plain_texts

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

#: A phrase that fits lies this much of the way from unrelated captions to the part of the text that fits best.
PRESENT_SHARE = 2 / 3
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
        calibration.check(encoder)
    if not isinstance(pictures, Iterator):
        # wrong numbers are refused before anything is encoded
        mode_of(options.mode, named_pictures(pictures, strict=False).total or 0, len(originals))
    features = run.encode(run.plain)
    images = encoder.encode_images(pictures, strict=False, progress=progress)
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
        """The features of texts, each inside the template of the options."""
        filled = [self.options.template.replace(SLOT, text) for text in texts]
        return self.encoder.encode_texts(filled, long_text=self.options.long_text)

    def results(
        self, images: ImageFeatures, features: TextFeatures, *, is_paired: bool
    ) -> tuple[tuple[MatchResult, ...], tuple[str, ...]]:
        """The results of the pictures that could be read, and the notes."""
        texts = features.select(images.kept) if is_paired else features
        pairing = Pairing(images=images.to_features(), texts=texts, is_paired=is_paired)
        background = Background(
            self.encoder, pairing.images, template=self.options.template, long_text=self.options.long_text
        )
        scores = scores_of(pairing, background, self.encoder, self.calibration)
        dropped = features.dropped or ("",) * len(self.originals)
        notes = [*self._notes(scores, dropped)]
        phrases: Phrases = {}
        if self.options.phrases and scores.cosine.size > MOST_PHRASED:
            notes.append(
                f"phrases are left out, for there are {scores.cosine.size} pairs, and more than {MOST_PHRASED} take "
                "too much memory; match fewer pictures or texts at once to see which part of a text is missing"
            )
        elif self.options.phrases:
            phrases = self._phrases(pairing, scores, background, images.kept if is_paired else range(len(texts)))
        return tuple(self._each(pairing, scores, images, phrases, dropped)), tuple(notes)

    def _phrases(
        self, pairing: Pairing, scores: Scores, background: Background, indices: Sequence[int]
    ) -> dict[tuple[int, int], tuple[PhraseScore, ...]]:
        """The scores of the phrases; indices: those of the pairing's texts among all texts."""
        phrased = [phrases_of(self.plain[index]) for index in indices]
        parts = parts_of(phrased)
        return phrase_scores(pairing, scores, background, phrased, parts, self.encode(parts))

    def _each(
        self, pairing: Pairing, scores: Scores, images: ImageFeatures, phrases: Phrases, dropped: Sequence[str]
    ) -> Iterator[MatchResult]:
        """A result for each pair, row by row."""
        rows = zip(pairing.places(), verdicts(scores, self.limit), scores.rows(), strict=True)
        for (row, column), verdict, (cosine, scaled, probability, percentile, floor, rank) in rows:
            text = images.kept[row] if pairing.is_paired else column
            yield MatchResult(
                image=images.names[row],
                image_index=images.kept[row],
                text=self.originals[text],
                text_index=text,
                cosine=cosine,
                clip_score=scaled,
                probability=probability,
                probability_scale=scores.probability_scale,
                percentile=percentile,
                noise_floor=floor,
                verdict=verdict,
                threshold=self.limit.threshold,
                threshold_scale=self.limit.scale,
                reason=reason_of(verdict, cosine, floor, percentile),
                phrases=phrases.get((row, column), ()),
                dropped=dropped[text],
                picture_percentile=rank,
                model=self.encoder.identity.name,
            )

    def _notes(self, scores: Scores, dropped: Sequence[str]) -> Iterator[str]:
        """Notes on the threshold, the model, the probabilities and the texts."""
        preset, threshold = self.options.preset, self.options.threshold
        if preset != CUSTOM and threshold != MatchOptions.threshold:
            yield f"the preset {preset} decides, and not the threshold {threshold:g}; give one of them"
        yield from self.encoder.identity.notes
        if self.limit.scale == "cosine" and is_sigmoid(self.encoder):
            yield (
                f"cosines of SigLIP are low: right texts may stay below {self.limit.threshold:g}, a threshold for "
                "CLIP; choose the preset percentile 95, which means the same for every model"
            )
        if scores.probability_scale != "calibrated":
            yield from assumed_notes(self.encoder)
        if count := sum(map(bool, dropped)):
            yield dropped_note(count, len(dropped))


def dropped_note(count: int, total: int) -> str:
    """The note on texts whose end was not read: ``count`` of ``total``."""
    return (
        f"the end of {count} of {total} texts was not read, for the model reads only so much: see dropped; choose "
        "long_text mean to read it in parts"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fits:
    """Cosines of n pictures with a text and its k phrases."""

    #: Of the text [n, 1], and whether it is no evidence at all [n, 1].
    whole: Float32s
    whole_lacks: NDArray[np.bool_]
    #: Of each phrase alone, and of the text without it [n, k].
    alone: Float32s
    rest: Float32s
    #: What each phrase reaches on noise [k].
    floor: Float32s
    #: Of the pictures with the neutral captions [n, C].
    neutral: Float32s


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
    floors = background.noise_floor(features)
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


def _rest(pictures: Features, features: Features, indices: Sequence[int], neutral: Float32s) -> Float32s:
    """Cosines of the text without each phrase [n, k]; the median of the neutral captions [n, 1] if nothing is left."""
    if indices:
        return pictures.similarity(features.select(indices))
    middle: Float32s = np.median(neutral, axis=1, keepdims=True)
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


def _are_missing(fits: _Fits, percentile: Float32s, support: Float32s) -> NDArray[np.bool_]:
    """bool [n, k]; see ``phrase_scores`` for the rule."""
    least = unrelated_level(fits.neutral)[:, None]
    best = np.concatenate([fits.whole, fits.alone, fits.rest], axis=1).max(axis=1, keepdims=True)
    falls_short = fits.alone < least + PRESENT_SHARE * (best - least)
    is_nothing = fits.whole_lacks & lacks_evidence(fits.alone, fits.floor, percentile)
    missing: NDArray[np.bool_] = ((support < 0) & falls_short) | is_nothing
    return missing
