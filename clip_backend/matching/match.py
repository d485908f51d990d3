"""Whether pictures show what texts say: scores on every scale, and a verdict for each pair of picture and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...imaging import Progress
from ...options import SLOT, check_templates
from ..encoding.features import TextFeatures
from ..encoding.image_features import ImageFeatures
from ..preparing.blank import Emptiness, emptiness
from ..preparing.pictures import Pictures, named_pictures
from ..scoring.banks import encoded_bank, length_class
from ..scoring.scales import assumed_notes, is_sigmoid
from .phrases import judged_phrases, parts_of, phrase_scores
from .result import AUTO, CUSTOM, Limit, Matches, MatchOptions, MatchResult, PhraseScore
from .scores import Calibrated, Pairing, Scores, mode_of, scores_of
from .texts import check_texts, plain_texts
from .verdict import limit_of, reason_of, verdicts

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
        empty = emptiness_of(images)
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


def emptiness_of(images: ImageFeatures) -> list[Emptiness]:
    """Of each picture whether it is blank or noise; nothing is known of pictures without ``statistics``."""
    if images.statistics is None:
        return [""] * len(images.kept)
    return [emptiness(one) for one in images.statistics]


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
