"""Zero-shot classification: how well each label of a vocabulary fits each picture, facet by facet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...imaging import Progress
from ...options import SLOT
from ..encoding.features import Features
from ..preparing.blank import Emptiness, emptiness_of_each
from ..scoring.scales import (
    Float32s,
    Float64s,
    assumed_notes,
    bank,
    is_sigmoid,
    logits,
    share_beside,
    sigmoid,
    softmax,
    z_scores,
)
from ..words.vocabulary import GIVEN_TEMPLATES, ROOT, Facet, FacetKind, Tree, Vocabulary, first_few
from .options import LabelOptions
from .result import Labelled

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder
    from ..preparing.pictures import Pictures

#: The least share of a label in the softmax. Measured on OpenAI B/16 with 500 COCO pictures, 80 labels and 64 nouns: at
#: 0.2 87 % of the pictures get a label, 89 % of these rightly; at 0.3 it is 79 and 91 %. With the labels alone 0.2 says
#: nothing: 79 % of the pictures get a label although none of the labels is in them, and with the nouns 32 %.
LEAST_SHARE = 0.2
#: How far the best label must lead the next one. For the manner of a picture, where no nouns compete, it must lead by
#: more; that figure is an estimate.
LEAST_LEAD = 0.02
LEAST_LEAD_OF_MANNER = 0.05
#: From which z every label is given where several are wanted; measured as above, 53 % of the labels that most captions
#: of a picture name have it, and 0.5 % of those that none names.
LEAST_Z = 3.0
#: What a defect must beat; together they are one competitor.
NO_DEFECT = ("a flawless picture", "a clean, sharp image", "an image without mistakes")
#: A bank of 16 nouns tells right labels from wrong ones nearly as well as one of 64: measured as above, the area under
#: the ROC curve is 0.971 and 0.975. With fewer left, nouns that are labels too compete.
LEAST_NOUNS = 16
#: Labels that a note names, and letters of each.
_MOST_NAMED, _MOST_LETTERS = 3, 40
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How cosines become labels, for one model, vocabulary and set of options."""

    #: Whether the model is of a family that was trained with a sigmoid for each pair, which is then shown too.
    is_sigmoid: bool
    #: Whether a picture gets every label that fits.
    multiple: bool
    #: Whether several labels are chosen by their z, because no least probability was given.
    by_z: bool
    #: Whether labels of several facets are put together to one text.
    is_composed: bool
    #: Whether unrelated nouns compete with the labels of things.
    has_nouns: bool
    threshold: float
    #: 0 for that of the kind of facet.
    margin: float
    top_k: int
    #: What the probabilities are, in words.
    scale: str

    @property
    def allows_none(self) -> bool:
        """Whether a picture can be "none of these"; of several facets, one says nothing instead."""
        return self.has_nouns and not self.is_composed

    def competes(self, kind: FacetKind) -> bool:
        """Whether unrelated nouns compete with the labels of a facet."""
        return self.has_nouns and kind == "things"

    def needs_nouns(self, kind: FacetKind) -> bool:
        """Whether labels of a facet are compared with unrelated nouns, which compete or tell which of several fit."""
        return self.multiple or self.competes(kind)

    def margin_in(self, kind: FacetKind) -> float:
        """How far the best label of a facet must lead the next one."""
        return self.margin or (LEAST_LEAD if kind == "things" else LEAST_LEAD_OF_MANNER)


def rules_for(encoder: Encoder, vocabulary: Vocabulary, options: LabelOptions) -> Rules:
    """The rules for this model and vocabulary."""
    return Rules(
        is_sigmoid=is_sigmoid(encoder),
        multiple=options.multiple,
        by_z=options.multiple and not options.threshold,
        is_composed=len(vocabulary.facets) > 1,
        has_nouns=options.none_of_these,
        threshold=options.threshold or LEAST_SHARE,
        margin=options.margin,
        top_k=options.top_k,
        scale=_scale(vocabulary, options),
    )


def _scale(vocabulary: Vocabulary, options: LabelOptions) -> str:
    if options.multiple:
        return "softmax of each label beside unrelated nouns"
    first, *more = vocabulary.facets
    if more:
        return "softmax over the labels of each facet and their rivals"
    count, kind, rivals = len(first.labels), first.kind, ""
    if kind == "things" and options.none_of_these:
        rivals = f" and {len(unrelated_nouns(first))} unrelated nouns"
    elif kind == "defects":
        rivals = " and no defect"
    return f"softmax over {count} label{'s' * (count > 1)}{rivals}"


def unrelated_nouns(facet: Facet) -> tuple[str, ...]:
    """The bank's nouns that no label or group of the facet names, in the singular or a simple plural."""
    named = {form for name in facet.tree.names for word in _WORD.findall(name) for form in _singulars(word)}
    nouns = tuple(bank().nouns)
    unrelated = tuple(noun for noun in nouns if named.isdisjoint(_singulars(noun)))
    return unrelated if len(unrelated) >= LEAST_NOUNS else nouns


def _singulars(word: str) -> set[str]:
    """The word, and what it may be the plural of."""
    word = word.casefold()
    forms = {word, word.removesuffix("s"), word.removesuffix("es")}
    return forms | {f"{word.removesuffix('ies')}y"} if word.endswith("ies") else forms


@dataclass(frozen=True, kw_only=True, eq=False)
class FacetVectors:
    """The unit vectors of a facet and of what competes with its labels, all through the facet's templates."""

    #: [W, D].
    labels: Features
    #: The unrelated nouns [B, D]; None where they are not needed.
    nouns: Features | None
    #: That there is no defect [1, D]; None for a facet of other labels.
    no_defect: Features | None


@dataclass(frozen=True, kw_only=True, eq=False)
class FacetScores:
    """The scores of N pictures with the W labels of a facet, the V nodes of its tree and the B unrelated nouns."""

    facet: Facet
    #: Cosines with the labels, float32 [N, W]; None for the classes of a head, which have no texts.
    cosines: Float32s | None
    #: How many standard deviations the cosines are above the mean of the nouns', float32 [N, W]; None without nouns.
    z: Float32s | None
    #: On the scale of the result, float64 [N, W].
    probabilities: Float64s
    #: What a model trained with a sigmoid says of each label, float64 [N, W]; None for other models.
    sigmoids: Float64s | None
    #: Softmax over labels and rivals: of the labels and groups float64 [N, V].
    shares: Float64s
    #: And of the nouns, float64 [N, B], or [N, 0] where they do not compete.
    noun_shares: Float64s
    nouns: tuple[str, ...]
    #: And of having no defect, float64 [N]; 0 for a facet of other labels.
    no_defect: Float64s
    #: How far the best label must lead the next one.
    margin: float

    @property
    def tree(self) -> Tree:
        """The labels and groups."""
        return self.facet.tree

    @property
    def order(self) -> NDArray[np.floating]:
        """The scores that the labels of a picture are sorted by, the greatest first [N, W]."""
        return self.probabilities if self.cosines is None else self.cosines


@dataclass(frozen=True, kw_only=True, eq=False)
class VocabularyScores:
    """The scores of all pictures that could be read with every label of a vocabulary."""

    #: The pictures as unit vectors [N, D]; None if none could be read.
    features: Features | None
    #: The place of each picture in the input.
    indices: tuple[int, ...]
    #: Whether each picture is blank or noise; such pictures get no label.
    emptiness: tuple[Emptiness, ...]
    #: Empty if no picture could be read.
    facets: tuple[FacetScores, ...]
    rules: Rules
    #: The result without its pictures.
    run: Labelled


def score_pictures(
    encoder: Encoder, pictures: Pictures, vocabulary: Vocabulary, options: LabelOptions, progress: Progress | None
) -> VocabularyScores:
    """The scores of every label for every picture; see ``label_pictures`` for progress and errors."""
    if templates := [line.strip() for line in options.templates.splitlines() if line.strip()]:
        vocabulary = vocabulary.with_templates(templates)
    rules = rules_for(encoder, vocabulary, options)
    embedded, label_notes = embed_facets(encoder, vocabulary, rules, progress=progress)
    images = encoder.encode_images(pictures, strict=False, progress=progress, with_statistics=True)
    features = images.to_features() if images.kept else None
    scores: list[FacetScores] = []
    if features is not None:
        for facet, vectors in zip(vocabulary.facets, embedded, strict=True):
            scores.append(score_facet(facet, vectors, features, encoder, rules))
    notes = (*vocabulary.notes, *label_notes, *assumed_notes(encoder), *encoder.identity.notes, *images.notes)
    run = Labelled(
        pictures=(),
        failed=images.failed,
        model=encoder.identity.name,
        vocabulary=vocabulary.name,
        notes=tuple(dict.fromkeys(notes)),
    )
    return VocabularyScores(
        features=features,
        indices=images.kept,
        emptiness=emptiness_of_each(images.statistics, len(images.kept)),
        facets=tuple(scores),
        rules=rules,
        run=run,
    )


def embed_facets(
    encoder: Encoder, vocabulary: Vocabulary, rules: Rules, *, progress: Progress | None = None
) -> tuple[list[FacetVectors], tuple[str, ...]]:
    """The vectors of each facet, and notes; all prompts are encoded in one call.

    A label is the mean of the unit vectors of its prompts, made unit again. Source: CLIP paper (Radford et al. 2021),
    section 3.1.4, prompt ensembling. A noun is made in the same way, so that it competes on equal terms. Labels that
    are longer than the model's context are named in a note.
    Raises InputError, naming the label, if its prompts cancel out.
    """
    facets = [_prompts(facet, rules) for facet in vocabulary.facets]
    prompts = dict.fromkeys(prompt for groups in facets for group in groups for own in group.values() for prompt in own)
    texts = encoder.encode_texts(list(prompts), progress=progress)
    rows = {prompt: row for row, prompt in enumerate(prompts)}
    embedded = [
        FacetVectors(
            labels=_means(texts, rows, labels),
            nouns=_means(texts, rows, nouns) if nouns else None,
            no_defect=_means(texts, rows, no_defect) if no_defect else None,
        )
        for labels, nouns, no_defect in facets
    ]
    cut = dict.fromkeys(
        label
        for labels, _, _ in facets
        for label, own in labels.items()
        if any(texts.dropped[rows[prompt]] for prompt in own)
    )
    return embedded, (*texts.notes, *_cut_note(cut))


def embed_labels(encoder: Encoder, labels: Sequence[str], templates: Sequence[str] = GIVEN_TEMPLATES) -> Features:
    """The vectors of labels alone, each the mean of its prompts as above; raises InputError without a text encoder."""
    prompts = _through(templates, {label: (label,) for label in labels})
    texts = encoder.encode_texts(list(dict.fromkeys(prompt for own in prompts.values() for prompt in own)))
    return _means(texts, {prompt: row for row, prompt in enumerate(texts.ids)}, prompts)


#: The prompts of each label, noun or other competitor, by its name.
_Prompts = dict[str, list[str]]


def _prompts(facet: Facet, rules: Rules) -> tuple[_Prompts, _Prompts, _Prompts]:
    """The prompts of the labels, of the nouns if needed, and of "no defect", which only a facet of defects has."""

    names = unrelated_nouns(facet) if rules.needs_nouns(facet.kind) else ()
    labels, nouns = (_through(facet.templates, {name: (name,) for name in own}) for own in (facet.labels, names))
    none = {"no defect": NO_DEFECT} if facet.kind == "defects" else {}
    return labels, nouns, _through(facet.templates, none)


def _through(templates: Sequence[str], texts: Mapping[str, Sequence[str]]) -> _Prompts:
    """The prompts of each name: its texts in each template."""
    # not str.format: a label may hold braces
    return {
        name: [template.replace(SLOT, text) for text in own for template in templates] for name, own in texts.items()
    }


def _means(texts: Features, rows: Mapping[str, int], group: _Prompts) -> Features:
    """The mean of each competitor's prompts, made unit again."""
    means = [texts.vectors[[rows[prompt] for prompt in own]].mean(axis=0, dtype=np.float64) for own in group.values()]
    return Features.from_raw(np.stack(means), group, texts.space)


def _cut_note(labels: Iterable[str]) -> Iterator[str]:
    names = [repr(label if len(label) <= _MOST_LETTERS else f"{label[:_MOST_LETTERS]}…") for label in labels]
    if names:
        which = first_few(names, _MOST_NAMED)
        yield f"the model reads the beginning only of {which}: shorten what is longer than its context"


def score_facet(facet: Facet, vectors: FacetVectors, pictures: Features, encoder: Encoder, rules: Rules) -> FacetScores:
    """The scores of the labels of a facet for pictures [N, D]."""
    cosines, nothing = pictures.similarity(vectors.labels), np.zeros((len(pictures), 0), np.float32)
    noun_cosines = nothing if vectors.nouns is None else pictures.similarity(vectors.nouns)
    defectless = nothing if vectors.no_defect is None else pictures.similarity(vectors.no_defect)
    competing = noun_cosines if rules.competes(facet.kind) else nothing
    values = logits(cosines, encoder)
    every = softmax(np.column_stack([values, logits(defectless, encoder), logits(competing, encoder)]))
    shares, no_defect, noun_shares = np.split(every, np.cumsum([cosines.shape[1], defectless.shape[1]]), axis=1)
    return FacetScores(
        facet=facet,
        cosines=cosines,
        z=None if vectors.nouns is None else z_scores(cosines, noun_cosines),
        probabilities=share_beside(values, logits(noun_cosines, encoder)) if rules.multiple else shares,
        sigmoids=sigmoid(values) if rules.is_sigmoid else None,
        shares=accumulate(facet.tree, shares),
        noun_shares=noun_shares,
        nouns=() if vectors.nouns is None else vectors.nouns.ids,
        no_defect=no_defect.sum(axis=1),
        margin=rules.margin_in(facet.kind),
    )


def accumulate(tree: Tree, values: Float64s) -> Float64s:
    """For each node the sum of its own value and those of all nodes below it, float64 [N, V].

    values: of the labels [N, W].
    """
    nodes = np.zeros((len(values), len(tree.names)))
    nodes[:, : values.shape[1]] = values
    for parent, children in reversed(tree.children.items()):
        if parent != ROOT:
            for child in reversed(children):
                nodes[:, parent] += nodes[:, child]
    return nodes
