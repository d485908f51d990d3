"""One run: the vocabulary is read, the pictures are seen, and every facet is scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..features import Features
from ..image_features import FailedPicture, ImageFeatures
from ..running.image_run import Progress
from ..scales import assumed_notes
from ..words.vocabulary import Vocabulary
from .answers import Labelled, PictureLabels
from .background import background_for
from .facet_scores import FacetScores, score_facet
from .options import LabelOptions
from .prompts import LabelBank, label_bank
from .rules import Rules, rules_for

if TYPE_CHECKING:
    from ..encoder import Encoder
    from ..preparing.pictures_in import Pictures


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
