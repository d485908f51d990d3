"""How well each label sets a picture apart from the others of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..scales import Wide
from .compose import Word, is_said
from .order import likeliest
from .picture_scores import Scored
from .rules import Rules
from .tree_scores import NodeScores, score_nodes, told_apart

#: How much the probability of a label counts beside what it tells.
WEIGHT = 0.1
#: Labels of each facet that may stand below a picture.
MOST = 6
#: Worths that differ by less count as equal.
DIGITS = 4
_TINY = 1e-300


@dataclass(frozen=True, kw_only=True)
class Telling:
    """A word with what it is worth below one picture of a grid."""

    word: Word
    #: In nats; see ``gains``.
    gain: float

    @property
    def worth(self) -> float:
        """The gain, and a little of the probability, so that among words that tell nothing the surest comes first."""
        return round(self.gain + WEIGHT * self.word.probability, DIGITS)


def gains(shares: Wide) -> Wide:
    """P log(P / mean of P over the cells), in nats, float64 [N, V].

    shares: P of each cell's labels, float64 [N, V]. The sum over labels, in the mean of the cells, is the mutual
    information between cells and labels (Bridle, Heading and MacKay 1991, "Unsupervised classifiers, mutual information
    and phantom targets"); so a label that all cells share gains nothing.
    """
    logs = np.log(np.maximum(shares, _TINY)) - np.log(np.maximum(shares.mean(axis=0), _TINY))
    told: Wide = shares * logs
    return told


def telling_words(scored: Scored) -> list[list[Telling]]:
    """For each picture the words that it is likely enough to show, those of the greatest worth first."""
    found: list[list[Telling]] = [[] for _ in scored.kept]
    for scores in scored.facets:
        if scored.rules.is_composed and not is_said(scores.facet.name):
            continue
        for row, words in enumerate(_of_facet(scores.facet.name, score_nodes(scores, scored.rules), scored.rules)):
            found[row] += words
    return [sorted(words, key=lambda one: -one.worth) for words in found]


def _of_facet(facet: str, nodes: NodeScores, rules: Rules) -> list[list[Telling]]:
    told = gains(nodes.shares)
    fits = nodes.is_above_noise & (nodes.probabilities >= rules.threshold) & told_apart(nodes, rules)
    fits = nodes.tree.lowest(fits)
    # far below every worth, for a gain is at least -1/e
    places = likeliest(np.where(fits, told + WEIGHT * nodes.probabilities, -1.0), MOST)

    def telling(row: int, place: int) -> Telling:
        word = Word(facet=facet, label=nodes.tree.names[place], probability=float(nodes.probabilities[row, place]))
        return Telling(word=word, gain=float(told[row, place]))

    return [[telling(row, int(place)) for place in ordered if fits[row, place]] for row, ordered in enumerate(places)]
