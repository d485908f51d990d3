"""Do these pictures show what these texts say: scores on every scale and a verdict for each pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..banks.captions import neutral_captions
from ..banks.noise import noise_features
from ..image_features import ImageFeatures
from ..preparing.pictures_in import Pictures, named_pictures
from ..running.image_run import Progress
from ..running.text_run import TextFeatures
from .notes import MOST_PHRASED, notes_of, phrases_note, threshold_notes
from .options import MatchOptions
from .pair_results import Named, Phrases, results_of
from .pairing import Pairing, mode_of
from .phrase_scores import phrase_scores
from .phrases import phrases_of
from .result import Matches, MatchResult
from .scores import Background, Calibrated, Scores, scores_of
from .texts import given_texts, in_template, plain_texts
from .verdict import Limit, limit_of

if TYPE_CHECKING:
    from ..encoder import Encoder


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
