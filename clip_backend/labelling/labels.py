"""The label of each picture: of one facet the label that is sure, of several one or two labels in one text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...imaging import Progress
from ..scoring.scales import Float64s
from ..words.vocabulary import ROOT, Vocabulary
from .options import LabelOptions
from .result import NONE_OF_THESE, UNLABELED, FacetLabel, FacetResult, Labelled, PictureLabels, RankedLabel
from .scores import FacetScores, NodeScores, Rules, VocabularyScores, score_pictures

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder
    from ..preparing.pictures import Pictures

Indices = NDArray[np.int64]
#: Values that differ by less count as equal; the cosines of one picture in two batches differ by a tenth of it.
STEP = 1e-6
_SEPARATOR = " · "
#: The most words of a composed label.
MOST_WORDS = 5
#: Facets that come first in a composed label, in this order; the others follow in that of the vocabulary.
LEADING_FACETS = ("subject", "medium", "style")
#: Its labels never stand in a composed one: what is wrong with a picture is not what it shows.
DEFECTS = "defects"


def label_pictures(
    encoder: Encoder,
    pictures: Pictures,
    vocabulary: Vocabulary,
    *,
    options: LabelOptions | None = None,
    progress: Progress | None = None,
) -> Labelled:
    """The labels of pictures; those that cannot be read are in ``failed``.

    progress: called with (done, in all), for texts that are new to the encoder and then for the pictures; what it
    raises stops the run.
    Raises InputError if there are no pictures, for a template that does not hold ``{}`` once, and for a model without a
    text or a vision encoder.
    """
    scores = score_pictures(encoder, pictures, vocabulary, options or LabelOptions(), progress)
    return replace(scores.run, pictures=tuple(picture_labels(scores)))


def picture_labels(scores: VocabularyScores) -> list[PictureLabels]:
    """The labels of each picture that could be read, in their order."""
    if scores.features is None:
        return []
    by_facet = [label_facet(facet, scores.rules) for facet in scores.facets]
    rows = zip(scores.features.ids, scores.indices, zip(*by_facet, strict=True), strict=True)
    return [_label_picture(name, index, facets, scores.rules) for name, index, facets in rows]


def _label_picture(name: str, index: int, facets: Sequence[FacetResult], rules: Rules) -> PictureLabels:
    chosen: Sequence[FacetLabel] = facets
    text, top, reason = facets[0].label, facets[0].top, facets[0].reason
    if rules.is_composed:
        chosen = select_labels(facets)
        text, reason = compose(chosen), "" if chosen else _why_none_is_sure(facets)
        top = tuple(sorted((one for facet in facets for one in facet.top), key=lambda one: -one.probability))
    has_all = rules.multiple or not rules.is_composed
    labels = (label for one in facets for label in one.labels) if has_all else (one.label for one in chosen)
    return PictureLabels(
        name=name,
        index=index,
        label=text or UNLABELED,
        score=min((one.probability for one in chosen), default=0.0),
        scale=rules.scale,
        labels=tuple(labels),
        top=top[: rules.top_k],
        facets=tuple(facets),
        reason=reason,
    )


def _why_none_is_sure(facets: Sequence[FacetResult]) -> str:
    first = next((one for one in facets if one.facet != DEFECTS), None)
    if first is None:
        return "the vocabulary names defects only"
    return f"no facet is sure of a label; {first.facet}: {first.reason}"


def label_facet(scores: FacetScores, rules: Rules) -> list[FacetResult]:
    """The label of one facet for each picture."""
    nodes = scores.nodes
    ranking = top_indices(scores.adjusted, max(rules.top_k, 2))  # [N, K]
    most_probable = nodes.probabilities.max(axis=1)  # [N]
    if rules.is_independent:
        none, why_none = 1 - most_probable, "no label is likely enough"
        is_none = most_probable < rules.threshold
    else:
        none, why_none = nodes.none_share, "captions of everyday things fit it better"
        is_none = none > nodes.shares.max(axis=1)
    confident = np.full(len(ranking), ROOT) if rules.multiple else confident_nodes(nodes, rules)
    results = []
    for row, node in enumerate(confident.tolist()):
        reason = ""
        if rules.allows_none and is_none[row]:
            fitting, reason = [(NONE_OF_THESE, float(none[row]))], why_none
        elif rules.multiple:
            fitting = _fitting_labels(scores, rules, row)
        elif node != ROOT and nodes.is_above_noise[row, node]:
            fitting = [(nodes.tree.names[node], float(nodes.probabilities[row, node]))]
        else:
            fitting = []
        if not fitting:
            reason = _why_unlabeled(scores, rules, row, ranking[row], "" if node == ROOT else nodes.tree.names[node])
        label, probability = fitting[0] if fitting else ("", 0.0)
        results.append(
            FacetResult(
                facet=scores.facet.name,
                label=label,
                probability=probability,
                labels=() if reason else tuple(one for one, _ in fitting),
                top=tuple(_ranked(scores, row, place) for place in ranking[row, : rules.top_k].tolist()),
                reason=reason,
            )
        )
    return results


def _fitting_labels(scores: FacetScores, rules: Rules, row: int) -> list[tuple[str, float]]:
    """Every label that is above the threshold and above noise, with its probability, the likeliest first."""
    probabilities = scores.probabilities[row]
    fitting = np.flatnonzero((probabilities >= rules.threshold) & scores.is_above_noise[row])
    if not len(fitting):
        return []
    order = top_indices(scores.adjusted[row : row + 1, fitting], len(fitting))[0]
    return [(scores.facet.labels[place], float(probabilities[place])) for place in fitting[order]]


def _ranked(scores: FacetScores, row: int, place: int) -> RankedLabel:
    return RankedLabel(
        label=scores.facet.labels[place],
        facet=scores.facet.name,
        probability=float(scores.probabilities[row, place]),
        cosine=float(scores.cosines[row, place]),
    )


def _why_unlabeled(scores: FacetScores, rules: Rules, row: int, ranking: Indices, confident: str) -> str:
    """Why no label is sure. confident: the node that would be, but for noise; empty without one."""
    best, *others = (_ranked(scores, row, place) for place in ranking[:2].tolist())
    if not scores.is_above_noise[row, ranking[0]]:
        what = "cosine without its prior" if rules.removes_prior else "cosine"
        cosine, floor = scores.adjusted[row, ranking[0]], scores.floor[ranking[0]]
        numbers = f"its {what} is {cosine:.3f}, noise reaches {floor:.3f}"
        return f"{best.label!r} fits best, but no better than noise: {numbers}"
    if confident:
        return f"{confident!r} fits no better than noise does"
    if best.probability < rules.threshold:
        return f"{best.label!r} is the likeliest with {best.probability:.3f}, below {rules.threshold:g}"
    rivals = [repr(one.label) for one in others if one.probability > scores.nodes.none_share[row]]
    return f"{best.label!r} and {rivals[0] if rivals else NONE_OF_THESE} are too close to tell apart"


def confident_nodes(nodes: NodeScores, rules: Rules) -> Indices:
    """For each picture the most specific node that is sure [N]; ROOT without one.

    A node is sure if its probability reaches the threshold and its share leads, by the margin, that of every node
    outside its branch and of "none of these". Outside are the nodes beside it and beside each node above it.
    """
    count, tree = len(nodes.shares), nodes.tree
    chosen = np.full(count, ROOT)
    # of each node that has nodes below it: where it is sure [N], and the greatest share outside its branch [N]
    parents = {ROOT: (np.ones(count, np.bool_), nodes.none_share)}
    for parent, children in tree.children.items():
        is_sure, rival = parents[parent]
        first, share, second = two_best(nodes.shares, children)
        rival = np.maximum(rival, second)
        probability = nodes.probabilities[np.arange(count), first]
        leads = is_sure & (share - rival >= rules.margin) & (probability >= rules.threshold)
        chosen = np.where(leads, first, chosen)
        parents |= {child: (leads & (first == child), rival) for child in children if child in tree.children}
    return chosen


def two_best(shares: Float64s, children: Sequence[int]) -> tuple[Indices, Float64s, Float64s]:
    """For each picture the child of the greatest share, its share, and that of the second; 0 for no second."""
    padded = np.column_stack([shares[:, children], np.zeros(len(shares))])
    order = top_indices(padded, 2)
    best = np.take_along_axis(padded, order, axis=1)  # [N, 2]
    return np.array(children)[order[:, 0]], best[:, 0], best[:, 1]


def top_indices(values: NDArray[np.floating], count: int) -> Indices:
    """The columns of the greatest values of each row in falling order, int64 [N, min(count, W)].

    Values that differ by rounding alone stay in the order of their columns. values: within -1000..1000 [N, W].
    """
    width = values.shape[1]
    keys = np.round(values.astype(np.float64) / STEP).astype(np.int64) * width - np.arange(width)  # [N, W], all differ
    count = min(count, width)
    highest = np.argpartition(-keys, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(keys, highest, axis=1), axis=1)
    indices: Indices = np.take_along_axis(highest, order, axis=1).astype(np.int64)
    return indices


def select_labels(labels: Iterable[FacetLabel]) -> list[FacetLabel]:
    """The labels of a composed one: the first, and the next that can stand beside it; empty without any.

    labels: in the order of the vocabulary's facets.
    """
    ordered = leading_first(one for one in labels if one.label and one.facet != DEFECTS)
    partner = next((one for one in ordered[1:] if can_combine(ordered[0], one)), None)
    return ordered[:1] if partner is None else [ordered[0], partner]


def leading_first(labels: Iterable[FacetLabel]) -> list[FacetLabel]:
    """The labels of subject, medium and style first, then the others in their order."""

    def rank(one: FacetLabel) -> int:
        word = next(iter(one.facet.split()), "")
        return LEADING_FACETS.index(word) if word in LEADING_FACETS else len(LEADING_FACETS)

    return sorted(labels, key=rank)


def can_combine(first: FacetLabel, second: FacetLabel) -> bool:
    """Whether two labels are of two facets, together short enough, and neither repeats the other."""
    one, other = first.label.split(), second.label.split()
    repeats = set(one) <= set(other) or set(other) <= set(one)
    return first.facet != second.facet and len(one) + len(other) <= MOST_WORDS and not repeats


def compose(labels: Sequence[FacetLabel]) -> str:
    """The text of a composed label; one word alone follows its facet's name, as in "mood: calm"."""
    if len(labels) == 1 and len(labels[0].label.split()) == 1:
        return f"{labels[0].facet}: {labels[0].label}"
    return _SEPARATOR.join(one.label for one in labels)
