"""Zero-shot classification: how well each label of a vocabulary fits each picture, facet by facet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...imaging import Progress
from ...options import SLOT
from ..encoding.features import Features
from ..scoring.scales import (
    Background,
    Float32s,
    Float64s,
    assumed_notes,
    competing_noise_floor,
    is_sigmoid,
    logits,
    noise_prior,
    sigmoid,
    softmax,
)
from ..words.vocabulary import ROOT, Facet, Tree, Vocabulary, first_few
from .options import AUTO, LabelOptions
from .result import NONE_OF_THESE, Labelled

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder
    from ..preparing.pictures import Pictures

Flags = NDArray[np.bool_]
#: Thresholds without one of the user's: for a softmax; for SigLIP's sigmoid; and for a sigmoid of the logits of a model
#: that was trained with a softmax.
SOFTMAX_THRESHOLD, SIGLIP_THRESHOLD, SIGMOID_THRESHOLD = 0.2, 0.02, 0.5
#: Labels that a note names, and letters of each.
_MOST_NAMED, _MOST_LETTERS = 3, 40


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How cosines become labels, for one model, vocabulary and set of options."""

    #: Whether the model was trained with a sigmoid for each pair, as SigLIP was.
    is_sigmoid: bool
    #: Whether a picture gets every label that fits.
    multiple: bool
    #: Whether labels of several facets are put together to one text.
    is_composed: bool
    removes_prior: bool
    #: Whether a picture can be "none of these".
    allows_none: bool
    has_noise_floor: bool
    threshold: float
    margin: float
    top_k: int
    #: What the probabilities are, in words.
    scale: str

    @property
    def is_independent(self) -> bool:
        """Whether the probability of a label does not depend on the other labels."""
        return self.is_sigmoid or self.multiple


def rules_for(encoder: Encoder, vocabulary: Vocabulary, options: LabelOptions) -> Rules:
    """The rules for this model and vocabulary."""
    is_siglip, is_composed = is_sigmoid(encoder), len(vocabulary.facets) > 1
    removes_prior = is_composed if options.prior == AUTO else options.prior == "remove"
    allows_none = options.none_of_these and not is_composed
    if is_siglip:
        threshold, scale = SIGLIP_THRESHOLD, "sigmoid"
    elif options.multiple:
        threshold, scale = SIGMOID_THRESHOLD, "sigmoid against captions of everyday things"
    elif is_composed:
        threshold, scale = SOFTMAX_THRESHOLD, "softmax over the labels of each facet"
    else:
        count, none = len(vocabulary.facets[0].labels), f" and {NONE_OF_THESE}" if allows_none else ""
        threshold, scale = SOFTMAX_THRESHOLD, f"softmax over {count} label{'s' * (count > 1)}{none}"
    return Rules(
        is_sigmoid=is_siglip,
        multiple=options.multiple,
        is_composed=is_composed,
        removes_prior=removes_prior,
        allows_none=allows_none,
        has_noise_floor=options.noise_floor,
        threshold=options.threshold or threshold,
        margin=options.margin,
        top_k=options.top_k,
        scale=scale + (", prior removed" if removes_prior else ""),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeScores:
    """The scores of N pictures with the labels and groups of a facet, the V nodes of its tree."""

    tree: Tree
    #: On the scale of the result, float64 [N, V].
    probabilities: Float64s
    #: Softmax over the labels, and over the neutral captions as one more class where they are needed, float64 [N, V].
    shares: Float64s
    #: Whether the node's likeliest label is above noise [N, V].
    is_above_noise: Flags
    #: The share of the neutral captions, which stand for "none of these", float64 [N]; 0 without them.
    none_share: Float64s


@dataclass(frozen=True, kw_only=True, eq=False)
class FacetScores:
    """The scores of N pictures with the W labels of a facet."""

    facet: Facet
    #: float32 [N, W].
    cosines: Float32s
    #: The cosines, less the prior if it is removed, float32 [N, W].
    adjusted: Float32s
    #: What ``adjusted`` must exceed, float32 [W].
    floor: Float32s
    is_above_noise: Flags
    #: On the scale of the result, float64 [N, W].
    probabilities: Float64s
    nodes: NodeScores


@dataclass(frozen=True, kw_only=True, eq=False)
class VocabularyScores:
    """The scores of all pictures that could be read with every label of a vocabulary."""

    #: The pictures as unit vectors [N, D]; None if none could be read.
    features: Features | None
    #: The place of each picture in the input.
    indices: tuple[int, ...]
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
    labels, label_notes = embed_labels(encoder, vocabulary, progress=progress)
    images = encoder.encode_images(pictures, strict=False, progress=progress)
    features = images.to_features() if images.kept else None
    scores: list[FacetScores] = []
    if features is not None:
        background = Background(encoder, features)
        for facet, embedded in zip(vocabulary.facets, labels, strict=True):
            scores.append(score_facet(facet, embedded, features, background, encoder, rules))
    notes = (*vocabulary.notes, *label_notes, *assumed_notes(encoder), *encoder.identity.notes, *images.notes)
    run = Labelled(
        pictures=(),
        failed=images.failed,
        model=encoder.identity.name,
        vocabulary=vocabulary.name,
        notes=tuple(dict.fromkeys(notes)),
    )
    return VocabularyScores(features=features, indices=images.kept, facets=tuple(scores), rules=rules, run=run)


def embed_labels(
    encoder: Encoder, vocabulary: Vocabulary, *, progress: Progress | None = None
) -> tuple[list[Features], tuple[str, ...]]:
    """For each facet a unit vector per label [W, D], and notes; all prompts are encoded in one call.

    A label is the mean of the unit vectors of its prompts, made unit again. Source: CLIP paper (Radford et al. 2021),
    section 3.1.4, prompt ensembling. Labels that are longer than the model's context are named in a note.
    Raises InputError, naming the label, if its prompts cancel out.
    """
    # not str.format: a label may hold braces
    prompts = [
        (label, template.replace(SLOT, label))
        for facet in vocabulary.facets
        for label in facet.labels
        for template in facet.templates
    ]
    texts = encoder.encode_texts([prompt for _, prompt in prompts], progress=progress)
    features: list[Features] = []
    start = 0
    for facet in vocabulary.facets:
        end = start + len(facet.labels) * len(facet.templates)
        rows = texts.vectors[start:end].astype(np.float64).reshape(len(facet.labels), len(facet.templates), -1)
        features.append(Features.from_raw(rows.mean(axis=1), facet.labels, texts.space))
        start = end
    cut = dict.fromkeys(label for (label, _), dropped in zip(prompts, texts.dropped, strict=True) if dropped)
    return features, (*texts.notes, *_cut_note(cut))


def _cut_note(labels: Iterable[str]) -> Iterator[str]:
    names = [repr(label if len(label) <= _MOST_LETTERS else f"{label[:_MOST_LETTERS]}…") for label in labels]
    if names:
        which = first_few(names, _MOST_NAMED)
        yield f"the model reads the beginning only of {which}: shorten what is longer than its context"


def score_facet(
    facet: Facet, labels: Features, pictures: Features, background: Background, encoder: Encoder, rules: Rules
) -> FacetScores:
    """The scores of the labels of a facet [W, D] for pictures [N, D]."""
    cosines = pictures.similarity(labels)  # [N, W]
    prior = np.zeros(len(labels), np.float32)
    floor = np.full(len(labels), -np.inf, np.float32)
    if rules.removes_prior or rules.has_noise_floor:
        noise = background.noise.similarity(labels)  # [M, W]
        if rules.removes_prior:
            prior = noise_prior(noise)
        if rules.has_noise_floor:
            floor = competing_noise_floor(noise - prior)
    adjusted = cosines - prior
    is_above_noise = adjusted > floor
    values = logits(adjusted, encoder)
    has_neutral = not rules.is_sigmoid and (rules.multiple or rules.allows_none)
    neutral = logits(background.unrelated, encoder)[:, None] if has_neutral else None  # [N, 1]
    every = softmax(values if neutral is None else np.column_stack([values, neutral]))  # [N, W] or [N, W + 1]
    shares = probabilities = every[:, : len(labels)]
    if rules.is_independent:
        probabilities = sigmoid(values if neutral is None else values - neutral)
    none_share = np.zeros(len(values)) if neutral is None else every[:, -1]
    return FacetScores(
        facet=facet,
        cosines=cosines,
        adjusted=adjusted,
        floor=floor,
        is_above_noise=is_above_noise,
        probabilities=probabilities,
        nodes=_score_nodes(facet.tree, shares, probabilities, is_above_noise, none_share, rules),
    )


def _score_nodes(
    tree: Tree, shares: Float64s, probabilities: Float64s, is_above_noise: Flags, none_share: Float64s, rules: Rules
) -> NodeScores:
    """The scores of labels and groups: a group has the sum of its labels', or the greatest if they are independent."""
    join = np.maximum if rules.is_independent else np.add
    best = accumulate(tree, shares, np.maximum)
    best_above_noise = accumulate(tree, np.where(is_above_noise, shares, 0), np.maximum)
    return NodeScores(
        tree=tree,
        probabilities=accumulate(tree, probabilities, join),
        shares=accumulate(tree, shares, join),
        is_above_noise=(best_above_noise >= best) & (best_above_noise > 0),
        none_share=none_share,
    )


def accumulate(tree: Tree, values: Float64s, join: np.ufunc) -> Float64s:
    """For each node its own value joined with those of all nodes below it, float64 [N, V].

    values: of the labels, not negative [N, W]. join: np.add, or np.maximum for values that do not add up to 1.
    """
    nodes = np.zeros((len(values), len(tree.names)))
    nodes[:, : values.shape[1]] = values
    for parent, children in reversed(tree.children.items()):
        if parent != ROOT:
            for child in reversed(children):
                join(nodes[:, parent], nodes[:, child], out=nodes[:, parent])
    return nodes
