"""What a model makes of a vocabulary: every label in every sentence of its facet, as one vector per label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..features import Features
from ..running.image_run import Progress
from ..scales import Floats, Wide
from ..words.entries import some
from ..words.vocabulary import SLOT, Facet, Vocabulary

if TYPE_CHECKING:
    from ..encoder import Encoder

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
