"""The label of each picture: of one facet the label that is sure, of several one or two labels in one text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...imaging import Progress
from ..preparing.blank import EMPTY_REASONS
from ..scoring.scales import Float64s
from ..words.vocabulary import DEFECTS, ROOT, Tree, Vocabulary
from .options import LabelOptions
from .result import NONE_OF_THESE, UNLABELED, FacetLabel, FacetResult, Labelled, PictureLabels, RankedLabel
from .scores import LEAST_Z, FacetScores, Rules, VocabularyScores, score_pictures

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder
    from ..preparing.pictures import Pictures

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
#: Values that differ by less count as equal; the cosines of one picture in two batches differ by a tenth of it.
STEP = 1e-6
_SEPARATOR = " · "
#: The most words of a composed label.
MOST_WORDS = 5
#: Facets that come first in a composed label, in this order; the others follow in that of the vocabulary.
LEADING_FACETS = ("subject", "medium", "style")
#: The share of the unrelated nouns from which a picture shows none of the labels, if no label has enough.
NONE_SHARE = 0.5


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
    rows = zip(scores.features.ids, scores.indices, scores.emptiness, zip(*by_facet, strict=True), strict=True)
    return [
        _label_picture(name, index, _without_labels(facets, EMPTY_REASONS[empty]) if empty else facets, scores.rules)
        for name, index, empty, facets in rows
    ]


def _without_labels(facets: Iterable[FacetResult], reason: str) -> list[FacetResult]:
    return [replace(one, label="", probability=0.0, labels=(), reason=reason) for one in facets]


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
    if all(one.reason == first.reason for one in facets):
        return first.reason
    return f"no facet is sure of a label; {first.facet}: {first.reason}"


def label_facet(scores: FacetScores, rules: Rules) -> list[FacetResult]:
    """The label of one facet for each picture."""
    ranking = top_indices(scores.order, max(rules.top_k, 2))  # [N, K]
    fitting = _fitting_labels(scores, rules) if rules.multiple else _sure_labels(scores, rules)
    noun_share, is_none = scores.noun_shares.sum(axis=1), nouns_win(scores, rules)
    results = []
    for row, labels in enumerate(fitting):
        label, probability = labels[0] if labels else ("", 0.0)
        if not labels and is_none[row] and rules.allows_none:
            label, probability = NONE_OF_THESE, float(noun_share[row])
        results.append(
            FacetResult(
                facet=scores.facet.name,
                label=label,
                probability=probability,
                labels=tuple(one for one, _ in labels),
                top=tuple(_ranked(scores, row, place) for place in ranking[row, : rules.top_k].tolist()),
                reason="" if labels else _why_unlabeled(scores, rules, row, ranking[row], is_none=bool(is_none[row])),
            )
        )
    return results


def nouns_win(scores: FacetScores, rules: Rules) -> Flags:
    """Whether the unrelated nouns have more than half of each picture's softmax, and no label enough of it [N]."""
    is_weak = scores.shares.max(axis=1) < rules.threshold
    won: Flags = is_weak & (scores.noun_shares.sum(axis=1) > NONE_SHARE)
    return won


def _sure_labels(scores: FacetScores, rules: Rules) -> list[list[tuple[str, float]]]:
    """For each picture the label or group that is sure, with its probability; empty without one."""
    nodes = confident_nodes(
        scores.tree, scores.shares, threshold=rules.threshold, margin=scores.margin, rival=scores.no_defect
    )
    return [
        [] if node == ROOT else [(scores.tree.names[node], float(scores.shares[row, node]))]
        for row, node in enumerate(nodes.tolist())
    ]


def _fitting_labels(scores: FacetScores, rules: Rules) -> list[list[tuple[str, float]]]:
    """For each picture every label that fits, with its probability, the likeliest first."""
    fits = scores.probabilities >= rules.threshold if scores.z is None or not rules.by_z else scores.z >= LEAST_Z
    if scores.facet.kind == "defects":
        fits = fits & (scores.shares[:, : fits.shape[1]] > scores.no_defect[:, None])
    found = []
    for row, own in enumerate(fits):
        places = np.flatnonzero(own)
        if len(places):
            places = places[top_indices(scores.order[row : row + 1, places], len(places))[0]]
        found.append([(scores.facet.labels[place], float(scores.probabilities[row, place])) for place in places])
    return found


def _ranked(scores: FacetScores, row: int, place: int) -> RankedLabel:
    return RankedLabel(
        label=scores.facet.labels[place],
        facet=scores.facet.name,
        probability=float(scores.probabilities[row, place]),
        cosine=None if scores.cosines is None else float(scores.cosines[row, place]),
        z=None if scores.z is None else float(scores.z[row, place]),
        sigmoid=None if scores.sigmoids is None else float(scores.sigmoids[row, place]),
    )


def _why_unlabeled(scores: FacetScores, rules: Rules, row: int, ranking: Indices, *, is_none: bool) -> str:
    """Why no label is sure. ranking: the labels' places, the best first. is_none: whether the nouns win."""
    best, *others = (_ranked(scores, row, place) for place in ranking[:2].tolist())
    nouns, defectless = scores.noun_shares[row], scores.no_defect[row]
    if is_none:
        noun = scores.nouns[int(nouns.argmax())]
        return f"unrelated nouns fit it better, {noun!r} best: they have {nouns.sum():.3f} of the probability"
    first = int(scores.shares[row].argmax())
    if scores.facet.kind == "defects" and scores.shares[row, first] - defectless < scores.margin:
        what, share = scores.tree.names[first], scores.shares[row, first]
        return f"{what!r} is the likeliest with {share:.3f}, not ahead of no defect with {defectless:.3f}"
    if rules.by_z and best.z is not None:
        return f"{best.label!r} fits best with a z of {best.z:.1f}, below {LEAST_Z:g}"
    if best.probability < rules.threshold:
        return f"{best.label!r} is the likeliest with {best.probability:.3f}, below {rules.threshold:g}"
    if not others:
        return f"{best.label!r} has a probability of {best.probability:.3f}, less than the margin of {scores.margin:g}"
    return f"{best.label!r} and {others[0].label!r} are too close to tell apart"


def confident_nodes(tree: Tree, shares: Float64s, *, threshold: float, margin: float, rival: Float64s) -> Indices:
    """For each picture the most specific node that is sure [N]; ROOT without one.

    A node is sure if its share reaches the threshold and leads, by the margin, the rival's and that of every node
    outside its branch. Outside are the nodes beside it and beside each node above it.
    shares: of the nodes [N, V]. rival: what all of them must lead [N].
    """
    chosen = np.full(len(shares), ROOT)
    # of each node that has nodes below it: where it is sure [N], and the greatest share outside its branch [N]
    parents = {ROOT: (np.ones(len(shares), np.bool_), rival)}
    for parent, children in tree.children.items():
        is_sure, highest = parents[parent]
        first, share, second = two_best(shares, children)
        highest = np.maximum(highest, second)
        leads = is_sure & (share - highest >= margin) & (share >= threshold)
        chosen = np.where(leads, first, chosen)
        parents |= {child: (leads & (first == child), highest) for child in children if child in tree.children}
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
