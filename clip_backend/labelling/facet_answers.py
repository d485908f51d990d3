"""What one facet says of each picture: the label of which it is sure, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scales import Wide
from .answers import NONE_OF_THESE, FacetAnswer, RankedLabel
from .facet_scores import FacetScores
from .order import Places, likeliest
from .reasons import NOT_LIKELY, OTHERS_FIT, like_noise, unsure
from .rules import Rules
from .tree import ROOT
from .tree_scores import NodeScores, score_nodes, sure_nodes


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
