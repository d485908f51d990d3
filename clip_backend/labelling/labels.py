"""Why a picture has no label, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...imaging import Progress
from ..scoring.scales import Wide
from ..words.vocabulary import Vocabulary
from .answers import NONE_OF_THESE, UNLABELED, FacetAnswer, Labelled, PictureLabels, RankedLabel
from .options import LabelOptions, Rules
from .scores import FacetScores, Scored, score_pictures
from .tree import ROOT, NodeScores, Places, likeliest, score_nodes, sure_nodes

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder
    from ..preparing.pictures import Pictures


NOT_LIKELY = "no label is likely enough"
OTHERS_FIT = "captions of everyday things fit it better"


def like_noise(best: RankedLabel, cosine: float, floor: float, rules: Rules) -> str:
    """Of a label that fits noise as well; the cosine is without its prior where that is removed."""
    what = "cosine without its prior" if rules.removes_prior else "cosine"
    return f"{best.label!r} fits best, but no better than noise: its {what} is {cosine:.3f}, noise reaches {floor:.3f}"


def unsure(ordered: Sequence[RankedLabel], none_share: float, rules: Rules) -> str:
    """Of the likeliest label, or the likeliest two, and what "none of these" has."""
    best = ordered[0]
    if best.probability < rules.threshold:
        return f"{best.label!r} is the likeliest with {best.probability:.3f}, below {rules.threshold:g}"
    second = ordered[1] if len(ordered) > 1 else None
    rival = repr(second.label) if second is not None and second.probability > none_share else NONE_OF_THESE
    return f"{best.label!r} and {rival} are too close to tell apart"


def answer_facet(scores: FacetScores, rules: Rules) -> list[FacetAnswer]:
    """An answer for each picture."""
    nodes = score_nodes(scores, rules)
    order = likeliest(scores.adjusted, max(rules.top_k, 2))
    facet = _Facet(scores, nodes, rules, order, none_probability(nodes, rules))
    none = none_wins(nodes, rules)
    sure = [ROOT] * len(none) if rules.multiple else sure_nodes(nodes, rules)
    return [facet.none(row) if none[row] else facet.answer(row, sure[row]) for row in range(len(none))]


def none_wins(nodes: NodeScores, rules: Rules) -> NDArray[np.bool_]:
    """Of which pictures none of the labels is true [N]: as a class of its own, or where no label is likely enough."""
    if not rules.allows_none:
        return np.zeros(len(nodes.shares), np.bool_)
    wins: NDArray[np.bool_] = nodes.none_share > nodes.shares.max(axis=1)
    return nodes.probabilities.max(axis=1) < rules.threshold if rules.judges_alone else wins


def none_probability(nodes: NodeScores, rules: Rules) -> Wide:
    """Of none of the labels, float64 [N]: its share, or what the likeliest label leaves where each is judged alone."""
    return 1 - nodes.probabilities.max(axis=1) if rules.judges_alone else nodes.none_share


@dataclass(frozen=True, eq=False)
class _Facet:
    scores: FacetScores
    nodes: NodeScores
    rules: Rules
    #: The likeliest labels, two at least if there are two [N, K].
    order: Places
    #: Of none of the labels [N].
    none_probability: Wide

    def none(self, row: int) -> FacetAnswer:
        why = NOT_LIKELY if self.rules.judges_alone else OTHERS_FIT
        return self._answer(row, NONE_OF_THESE, float(self.none_probability[row]), reason=why)

    def answer(self, row: int, sure: int) -> FacetAnswer:
        if self.rules.multiple:
            return self._several(row)
        if sure != ROOT and self.nodes.is_above_noise[row, sure]:
            label = self.nodes.tree.names[sure]
            return self._answer(row, label, float(self.nodes.probabilities[row, sure]), (label,))
        return self._answer(row, "", 0.0, reason=self._why(row, sure))

    def _several(self, row: int) -> FacetAnswer:
        probabilities = self.scores.probabilities[row]
        fits = (probabilities >= self.rules.threshold) & self.scores.is_above_noise[row]
        places = np.flatnonzero(fits)
        if not len(places):
            return self._answer(row, "", 0.0, reason=self._why(row, ROOT))
        ordered = places[likeliest(self.scores.adjusted[row : row + 1, places], len(places))[0]]
        labels = tuple(self.scores.facet.labels[place] for place in ordered)
        return self._answer(row, labels[0], float(probabilities[ordered[0]]), labels)

    def _answer(
        self, row: int, label: str, probability: float, labels: tuple[str, ...] = (), *, reason: str = ""
    ) -> FacetAnswer:
        top = tuple(self._ranked(row, int(place)) for place in self.order[row, : self.rules.top_k])
        facet = self.scores.facet.name
        return FacetAnswer(facet=facet, label=label, probability=probability, labels=labels, top=top, reason=reason)

    def _ranked(self, row: int, place: int) -> RankedLabel:
        return RankedLabel(
            label=self.scores.facet.labels[place],
            facet=self.scores.facet.name,
            probability=float(self.scores.probabilities[row, place]),
            cosine=float(self.scores.cosines[row, place]),
        )

    def _why(self, row: int, sure: int) -> str:
        ordered = [self._ranked(row, int(place)) for place in self.order[row, :2]]
        place = int(self.order[row, 0])
        if not self.scores.is_above_noise[row, place]:
            reached, floor = self.scores.adjusted[row, place], self.scores.floor[place]
            return like_noise(ordered[0], float(reached), float(floor), self.rules)
        if sure != ROOT:
            return f"{self.nodes.tree.names[sure]!r} fits no better than noise does"
        return unsure(ordered, float(self.scores.none_share[row]), self.rules)


SEPARATOR = " · "
#: The most words of a label, without the separator.
MOST_WORDS = 5
#: Facets that come first, in this order; the others follow as the vocabulary has them.
FIRST = ("subject", "medium", "style")
#: What is wrong with a picture does not say what it shows.
UNSAID = "defects"


@dataclass(frozen=True, kw_only=True)
class Word:
    """What one facet has to say of a picture."""

    facet: str
    #: One word or a few.
    label: str
    probability: float


def is_said(facet: str) -> bool:
    """Whether the labels of a facet may stand in a composed one."""
    return facet != UNSAID


def in_order(words: Iterable[Word]) -> list[Word]:
    """The words as a label has them: subject, medium, style, then the others in the given order."""
    return sorted(words, key=lambda word: _rank(word.facet))


def say_most(words: Sequence[Word]) -> tuple[Word, ...]:
    """The one or two that say most: the first, and the next that goes with it; none of none.

    words: in the order of the vocabulary's facets.
    """
    ordered = in_order(word for word in words if is_said(word.facet))
    if not ordered:
        return ()
    first, *others = ordered
    partner = next((word for word in others if go_together(first, word)), None)
    return (first,) if partner is None else (first, partner)


def go_together(first: Word, second: Word) -> bool:
    """Whether two words are of two facets, short enough, and none repeats the other."""
    one, other = first.label.split(), second.label.split()
    repeats = set(one) <= set(other) or set(other) <= set(one)
    return first.facet != second.facet and len(one) + len(other) <= MOST_WORDS and not repeats


def compose(words: Sequence[Word]) -> str:
    """The label; one short word alone is put behind its facet's name, as in "mood: calm"."""
    if len(words) == 1 and len(words[0].label.split()) == 1:
        return f"{words[0].facet}: {words[0].label}"
    return SEPARATOR.join(word.label for word in words)


def _rank(facet: str) -> int:
    name = facet.split()[0] if facet.split() else ""
    return FIRST.index(name) if name in FIRST else len(FIRST)


def answers_of(scored: Scored) -> list[PictureLabels]:
    """An answer for each picture that could be read, in their order."""
    if scored.pictures is None:
        return []
    by_facet = [answer_facet(scores, scored.rules) for scores in scored.facets]
    of_one = _composed if scored.rules.is_composed else _of_one_facet
    rows = zip(scored.pictures.ids, scored.kept, zip(*by_facet, strict=True), strict=True)
    return [of_one(name, index, facets, scored) for name, index, facets in rows]


def _of_one_facet(name: str, index: int, facets: Sequence[FacetAnswer], scored: Scored) -> PictureLabels:
    (answer,) = facets
    return PictureLabels(
        name=name,
        index=index,
        label=answer.label or UNLABELED,
        score=answer.probability,
        scale=scored.rules.scale,
        labels=answer.labels,
        top=answer.top,
        facets=(answer,),
        reason=answer.reason,
    )


def _composed(name: str, index: int, facets: Sequence[FacetAnswer], scored: Scored) -> PictureLabels:
    words = say_most(words_of(facets))
    every = tuple(label for answer in facets for label in answer.labels)
    top = sorted((one for answer in facets for one in answer.top), key=lambda one: -one.probability)
    return PictureLabels(
        name=name,
        index=index,
        label=compose(words) or UNLABELED,
        score=min((word.probability for word in words), default=0.0),
        scale=scored.rules.scale,
        labels=every if scored.rules.multiple else tuple(word.label for word in words),
        top=tuple(top[: scored.rules.top_k]),
        facets=tuple(facets),
        reason="" if words else _why_silent(facets),
    )


def words_of(facets: Sequence[FacetAnswer]) -> list[Word]:
    """The labels of which the facets are sure."""
    sure = (answer for answer in facets if answer.label)
    return [Word(facet=answer.facet, label=answer.label, probability=answer.probability) for answer in sure]


def _why_silent(facets: Sequence[FacetAnswer]) -> str:
    silent = [answer for answer in facets if is_said(answer.facet)]
    if not silent:
        return "the vocabulary names defects only"
    return f"no facet is sure of a label; {silent[0].facet}: {silent[0].reason}"


def label_pictures(
    encoder: Encoder,
    pictures: Pictures,
    vocabulary: Vocabulary,
    *,
    options: LabelOptions | None = None,
    progress: Progress | None = None,
) -> Labelled:
    """The labels of pictures: of a vocabulary of one facet the one that fits, of several a few words put together.

    Pictures that cannot be read are in ``failed``. progress: called with (done, in all), for texts that are new to the
    encoder and then for the pictures; what it raises stops the run.
    Raises InputError if there are no pictures, for a template in which a label has no place, and for a model that
    lacks one of its halves.
    """
    scored = score_pictures(encoder, pictures, vocabulary, options=options or LabelOptions(), progress=progress)
    return scored.labelled(tuple(answers_of(scored)))
