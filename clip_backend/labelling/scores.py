"""What labels are held against: pictures of nothing, and captions of everyday things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...imaging import Progress
from ...options import SLOT
from ..encoding.features import Features
from ..encoding.image_features import FailedPicture, ImageFeatures
from ..scoring.banks import neutral_features, noise_features, noise_floor, unrelated
from ..scoring.scales import Floats, Wide, assumed_notes, logits, sigmoid, softmax
from ..words.vocabulary import Facet, Vocabulary, some
from .answers import Labelled, PictureLabels
from .options import LabelOptions, Rules, rules_for

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder
    from ..preparing.pictures import Pictures


_LEAST_SPREAD = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Background:
    """What says nothing; None where the rules do without."""

    #: Pictures of nothing, unit vectors [M, D].
    noise: Features | None
    #: The cosine that few neutral captions reach with each picture, float32 [N].
    reference: Floats | None


def background_for(encoder: Encoder, pictures: Features, rules: Rules) -> Background:
    """As much of it as the rules need."""
    reference: Floats | None = None
    if rules.needs_neutral:
        reference = unrelated(pictures.similarity(neutral_features(encoder)))
    return Background(noise=noise_features(encoder) if rules.needs_noise else None, reference=reference)


def prior(noise: Floats) -> Floats:
    """By how much pictures of nothing fit each label better than they fit the others, float32 [W], 0 in the mean.

    noise: cosines of pictures of nothing with the labels of a facet [M, W]. The mean over all labels is kept, so that
    cosines stay where the scale and bias of a sigmoid expect them; a softmax does not see it.
    """
    means = noise.mean(axis=0)
    excess: Floats = means - means.mean()
    return excess


def floors(noise: Floats) -> Floats:
    """The cosine that each label must exceed to be more than noise, float32 [W].

    For one label it is ``noise_floor``. Of several the likeliest is taken, so each must lie as many standard deviations
    above its mean, too, as the label that fits a noise picture unusually well. A label that suits noise raises its own
    floor alone. noise: as above, without the prior if it is removed.
    """
    means = noise.mean(axis=0)
    spreads = np.maximum(noise.std(axis=0, ddof=1), _LEAST_SPREAD)
    unusual = ((noise - means) / spreads).max(axis=1, keepdims=True)  # [M, 1]
    floor: Floats = np.maximum(noise_floor(noise), means + noise_floor(unusual) * spreads).astype(np.float32)
    return floor


#: Labels that a note names, and how much of each.
MOST_NAMED, MOST_LETTERS = 3, 40


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelBank:
    """The labels of a vocabulary as a model reads them."""

    vocabulary: Vocabulary
    #: For each facet a unit vector per label [W, D]; the ids are the labels.
    facets: tuple[Features, ...]
    notes: tuple[str, ...] = ()


def label_bank(encoder: Encoder, vocabulary: Vocabulary, *, progress: Progress | None = None) -> LabelBank:
    """One vector per label, all texts encoded in one call; the encoder's cache knows them the next time.

    Labels that are longer than the model reads are named in the notes.
    """
    prompts = list(_prompts(vocabulary))
    texts = encoder.encode_texts([text for _, text in prompts], progress=progress)
    ends = np.cumsum([len(facet.labels) * len(facet.templates) for facet in vocabulary.facets])
    rows = np.split(texts.vectors, ends[:-1])
    means = [average_prompts(part, len(facet.labels)) for part, facet in zip(rows, vocabulary.facets, strict=True)]
    cut = [label for (label, _), dropped in zip(prompts, texts.dropped, strict=True) if dropped]
    return LabelBank(
        vocabulary=vocabulary,
        facets=tuple(
            Features.from_raw(mean, facet.labels, texts.space)
            for mean, facet in zip(means, vocabulary.facets, strict=True)
        ),
        notes=(*texts.notes, *_note(tuple(dict.fromkeys(cut)))),
    )


def average_prompts(rows: Floats, labels: int) -> Wide:
    """The mean of the unit vectors of each label's prompts, not of length 1 again, float64 [labels, D].

    rows: [labels * prompts of each, D], label by label. Source: CLIP paper (Radford et al. 2021), section 3.1.4.
    """
    means: Wide = rows.astype(np.float64).reshape(labels, -1, rows.shape[1]).mean(axis=1)
    return means


def fill(template: str, label: str) -> str:
    """The sentence with the label in it, which may itself hold braces."""
    return template.replace(SLOT, label)


def _prompts(vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    """(label, sentence), facet by facet and label by label."""
    for facet in vocabulary.facets:
        yield from _prompts_of(facet)


def _prompts_of(facet: Facet) -> Iterator[tuple[str, str]]:
    for label in facet.labels:
        for template in facet.templates:
            yield label, fill(template, label)


def _note(cut: Sequence[str]) -> tuple[str, ...]:
    if not cut:
        return ()
    names = (repr(label if len(label) <= MOST_LETTERS else f"{label[:MOST_LETTERS]}…") for label in cut)
    which = some(names, MOST_NAMED)
    return (f"the model reads the beginning only of {which}: shorten what is longer than its context",)


@dataclass(frozen=True, kw_only=True, eq=False)
class FacetScores:
    """N pictures with W labels."""

    facet: Facet
    #: Of pictures and labels, float32 [N, W].
    cosines: Floats
    #: Without what the labels score on nothing, if that is removed, float32 [N, W].
    adjusted: Floats
    #: What ``adjusted`` must exceed, float32 [W]; and where it does, [N, W].
    floor: Floats
    is_above_noise: NDArray[np.bool_]
    #: Shares of the labels among each other, and with the neutral captions where those are needed, float64 [N, W].
    shares: Wide
    #: On the scale of the answer, float64 [N, W].
    probabilities: Wide
    #: The share of the neutral captions, which stand for none of the labels, float64 [N]; else 0.
    none_share: Wide


def score_facet(
    facet: Facet, labels: Features, pictures: Features, *, background: Background, rules: Rules, encoder: Encoder
) -> FacetScores:
    """How the labels of a facet [W, D] fit pictures [N, D]."""
    cosines = pictures.similarity(labels)  # [N, W]
    excess, floor = _against_nothing(labels, background, rules)
    adjusted = cosines - excess
    values = logits(adjusted, encoder)
    shares, none_share = _shares(values, background.reference, encoder)
    return FacetScores(
        facet=facet,
        cosines=cosines,
        adjusted=adjusted,
        floor=floor,
        is_above_noise=adjusted > floor,
        shares=shares,
        none_share=none_share,
        probabilities=_alone(values, background.reference, encoder) if rules.judges_alone else shares,
    )


def _against_nothing(labels: Features, background: Background, rules: Rules) -> tuple[Floats, Floats]:
    """What is taken off the cosine of each label, and what the rest must exceed, both float32 [W]."""
    nothing = np.zeros(len(labels), np.float32)
    if background.noise is None:
        return nothing, nothing - np.inf
    noise = background.noise.similarity(labels)  # [M, W]
    excess = prior(noise) if rules.removes_prior else nothing
    floor = floors(noise - excess) if rules.has_floor else nothing - np.inf
    return excess, floor


def _shares(values: Wide, level: Floats | None, encoder: Encoder) -> tuple[Wide, Wide]:
    """The softmax of the labels' logits [N, W], with the neutral captions as one more class, and its share [N]."""
    if level is None:
        return softmax(values), np.zeros(len(values))
    every = softmax(np.column_stack([values, logits(level, encoder)]))  # [N, W + 1]
    return every[:, :-1], every[:, -1]


def _alone(values: Wide, level: Floats | None, encoder: Encoder) -> Wide:
    """The probability of each label by itself [N, W]: against neutral captions, or as SigLIP judges it."""
    return sigmoid(values if level is None else values - logits(level, encoder)[:, None])


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """The pictures that could be read with every label of every facet."""

    #: Unit vectors, named by the pictures' names; None if none could be read.
    pictures: Features | None
    #: The place of each among the pictures that were given.
    kept: tuple[int, ...]
    facets: tuple[FacetScores, ...]
    rules: Rules
    failed: tuple[FailedPicture, ...]
    model: str
    vocabulary: str
    notes: tuple[str, ...]

    def labelled(self, pictures: tuple[PictureLabels, ...]) -> Labelled:
        """The result with these answers."""
        return Labelled(
            pictures=pictures, failed=self.failed, model=self.model, vocabulary=self.vocabulary, notes=self.notes
        )


def score_pictures(
    encoder: Encoder, pictures: Pictures, vocabulary: Vocabulary, *, options: LabelOptions, progress: Progress | None
) -> Scored:
    """How every label fits every picture; those that cannot be read are in ``failed``.

    progress: called with (done, in all), for texts that are new to the encoder and then for the pictures.
    Raises InputError if there are no pictures, and for templates that a label has no place in.
    """
    lines = [line.strip() for line in options.templates.splitlines()]
    vocabulary = vocabulary.with_templates([line for line in lines if line])
    rules = rules_for(encoder, vocabulary, options)
    bank = label_bank(encoder, vocabulary, progress=progress)
    seen = encoder.encode_images(pictures, strict=False, progress=progress)
    features = seen.to_features() if seen.kept else None
    return Scored(
        pictures=features,
        kept=seen.kept,
        facets=() if features is None else tuple(_score(encoder, bank, features, rules)),
        rules=rules,
        failed=seen.failed,
        model=encoder.identity.name,
        vocabulary=vocabulary.name,
        notes=tuple(dict.fromkeys(_notes(encoder, bank, seen))),
    )


def _score(encoder: Encoder, bank: LabelBank, pictures: Features, rules: Rules) -> Iterator[FacetScores]:
    background = background_for(encoder, pictures, rules)
    for facet, labels in zip(bank.vocabulary.facets, bank.facets, strict=True):
        yield score_facet(facet, labels, pictures, background=background, rules=rules, encoder=encoder)


def _notes(encoder: Encoder, bank: LabelBank, seen: ImageFeatures) -> Iterator[str]:
    yield from bank.vocabulary.notes
    yield from bank.notes
    yield from assumed_notes(encoder)
    yield from encoder.identity.notes
    yield from seen.notes
