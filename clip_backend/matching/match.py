"""What the user should know of a run's numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

from ...imaging import Progress
from ..encoding.features import TextFeatures
from ..encoding.image_features import ImageFeatures
from ..preparing.pictures import Pictures, named_pictures
from ..scoring.banks import neutral_captions, noise_features
from ..scoring.scales import assumed_notes, clip_score, is_sigmoid
from .phrases import phrase_scores, phrases_of
from .result import Matches, MatchResult, PhraseScore
from .scores import Background, Calibrated, Limit, Pairing, Scores, limit_of, mode_of, reason_of, scores_of, verdicts
from .texts import CUSTOM, MatchOptions, given_texts, in_template, plain_texts

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder


#: More pairs are told without their phrases, which would take more memory than all else.
MOST_PHRASED = 20_000


def threshold_notes(options: MatchOptions) -> Iterator[str]:
    """A note on a threshold that was changed, and that a preset takes the place of."""
    if options.preset != CUSTOM and options.threshold != MatchOptions.threshold:
        yield f"the preset {options.preset} decides, and not the threshold {options.threshold:g}; give one of them"


def notes_of(encoder: Encoder, limit: Limit, probability_scale: str, dropped: Sequence[str]) -> Iterator[str]:
    """Notes on the model, the threshold, the probabilities and the texts."""
    yield from encoder.identity.notes
    if limit.scale == "cosine" and is_sigmoid(encoder):
        yield (
            f"cosines of SigLIP are low: right texts may stay below {limit.threshold:g}, a threshold for CLIP; choose "
            "the preset percentile 95, which means the same for every model"
        )
    if probability_scale != "calibrated":
        yield from assumed_notes(encoder)
    count = sum(map(bool, dropped))
    if count:
        yield dropped_note(count, len(dropped))


def dropped_note(count: int, total: int) -> str:
    """Of so many texts, how many were not read to their end."""
    return (
        f"the end of {count} of {total} texts was not read, for the model reads only so much: see dropped; choose "
        "long_text mean to read it in parts"
    )


def phrases_note(pairs: int) -> str:
    """Why there are no phrases."""
    return (
        f"phrases are left out, for there are {pairs} pairs, and more than {MOST_PHRASED} take too much memory; match "
        "fewer pictures or texts at once to see which part of a text is missing"
    )


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

    options: None for the defaults. calibration: gives the probabilities, and judges by them unless a threshold or a
    preset was chosen. progress: as that of ``Encoder.encode_images``.
    A picture that cannot be read stands in ``failed``, and its pairs are left out; the others keep their places.
    Raises InputError for no pictures or texts, for a text that is empty or holds nothing but the syntax of prompts, for
    numbers of both that do not fit the mode, and for a calibration of another model.
    """
    run = _run(encoder, texts, options or MatchOptions(), calibration)
    if not isinstance(pictures, Iterator):
        mode_of(run.options.mode, named_pictures(pictures, strict=False).total or 0, len(run.given))
    read = run.read(run.plain)
    images = encoder.encode_images(pictures, strict=False, progress=progress)
    shape = len(images.kept) + len(images.failed), len(run.given)
    mode = mode_of(run.options.mode, *shape)
    results, notes = run.judged(images, read, mode) if images.kept else ((), ())
    return Matches(
        results=results,
        mode=mode,
        shape=shape,
        failed=images.failed,
        model=encoder.identity.name,
        notes=tuple(dict.fromkeys((*images.notes, *read.notes, *notes))),
    )


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What pictures are asked."""

    encoder: Encoder
    options: MatchOptions
    calibration: Calibrated | None
    limit: Limit
    #: The texts as they were given, and what they ask for.
    given: tuple[str, ...]
    plain: tuple[str, ...]

    def read(self, texts: Sequence[str]) -> TextFeatures:
        """The features of texts, each in the sentence of the options, of which every text of a run is a part."""
        return self.encoder.encode_texts(in_template(texts, self.options), long_text=self.options.long_text)

    def judged(
        self, images: ImageFeatures, read: TextFeatures, mode: str
    ) -> tuple[tuple[MatchResult, ...], tuple[str, ...]]:
        """The results of the pictures that could be read, and the notes."""
        is_paired = mode == "pairs"
        texts = read.select(images.kept) if is_paired else read
        pairing = Pairing(images=images.to_features(), texts=texts, is_paired=is_paired)
        background = Background(
            neutral=pairing.images.similarity(self.read(neutral_captions())), noise=noise_features(self.encoder)
        )
        scores = scores_of(pairing, background, self.encoder, self.calibration)
        phrases, told = self._phrases(pairing, scores, background, images.kept if is_paired else range(len(texts)))
        named = Named(
            pictures=images.names,
            kept=images.kept,
            texts=self.given,
            dropped=read.dropped or ("",) * len(self.given),
            model=self.encoder.identity.name,
        )
        notes = notes_of(self.encoder, self.limit, scores.probability_scale, named.dropped)
        results = results_of(pairing, scores, self.limit, phrases=phrases, named=named)
        return tuple(results), (*threshold_notes(self.options), *notes, *told)

    def _phrases(
        self, pairing: Pairing, scores: Scores, background: Background, places: Sequence[int]
    ) -> tuple[Phrases, tuple[str, ...]]:
        """The phrases of the texts at these places, if they are wanted, and why there are none."""
        if not self.options.phrases:
            return {}, ()
        if scores.cosine.size > MOST_PHRASED:
            return {}, (phrases_note(scores.cosine.size),)
        phrased = [phrases_of(self.plain[place]) for place in places]
        return phrase_scores(pairing, scores, background, phrased, self.read), ()


def _run(encoder: Encoder, texts: str | Sequence[str], options: MatchOptions, calibration: Calibrated | None) -> _Run:
    """The question, checked before anything is computed."""
    given = given_texts(texts)
    plain = plain_texts(given, prompt_syntax=options.prompt_syntax)
    limit = limit_of(options, is_calibrated=calibration is not None)
    in_template((), options)
    if calibration is not None:
        calibration.check(encoder)
    return _Run(encoder=encoder, options=options, calibration=calibration, limit=limit, given=given, plain=plain)
