"""Distinctive labels: what sets each picture of a sheet apart from the others, by mutual information."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, count
from typing import TYPE_CHECKING

import numpy as np

from ...imaging import Progress
from ..scoring.scales import Float64s
from ..words.vocabulary import ROOT, FacetKind, Tree, Vocabulary
from .labels import Flags, can_combine, compose, leading_first, picture_labels, select_labels, top_indices, two_best
from .options import LabelOptions
from .result import NONE_OF_THESE, FacetLabel, Labelled, PictureLabels
from .scores import FacetScores, Rules, VocabularyScores, score_pictures

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder
    from ..preparing.pictures import Pictures

#: How much the probability of a label counts beside its information.
PROBABILITY_WEIGHT = 0.1
#: Labels of each facet that are tried for a picture, and labels of all facets that are tried in pairs.
MOST_PER_FACET, MOST_PAIRED = 6, 16
#: Information below this, in nats, sets no picture apart: that of a label which nine pictures of ten share.
LEAST_INFORMATION = 0.1
#: The part of the greatest share that a thing without a parent needs to be named beside it.
PLAUSIBLE = 0.5
#: Values that are equal when rounded to so many digits count as equal.
DIGITS = 4
_TINY = 1e-300


def distinctive_labels(
    encoder: Encoder,
    pictures: Pictures,
    vocabulary: Vocabulary,
    *,
    options: LabelOptions | None = None,
    unique: bool = True,
    progress: Progress | None = None,
) -> Labelled:
    """For each picture the label that sets it apart: of several facets one or two labels, of 2 to 5 words in all.

    With a vocabulary of one facet it is the picture's own label. unique: no two pictures have the same text; a picture
    takes the next best labels that may be named for it, and at last a number is added. "unlabeled" and "none of these"
    stay as they are. The order of the pictures changes nothing but the numbers. The option ``multiple`` is
    ignored; progress and errors are those of ``label_pictures``.
    """
    scores = score_pictures(encoder, pictures, vocabulary, replace(options or LabelOptions(), multiple=False), progress)
    plain = picture_labels(scores)
    cells = _cells(scores, plain)
    texts = choose_unique(list(cells.values())) if unique else [(cell.best, cell.best.text) for cell in cells.values()]
    for row, (choice, text) in zip(cells, texts, strict=True):
        plain[row] = replace(plain[row], label=text, score=choice.probability, labels=choice.labels, reason="")
    return replace(scores.run, pictures=tuple(plain))


@dataclass(frozen=True, kw_only=True)
class RatedLabel(FacetLabel):
    """A label of one facet, rated for one picture among the others."""

    #: In nats; see ``information``.
    information: float

    @property
    def rating(self) -> float:
        """The information and a little of the probability, by which labels without information are ordered."""
        return round(self.information + PROBABILITY_WEIGHT * self.probability, DIGITS)


def information(shares: Float64s) -> Float64s:
    """What each label says about which picture it is: P log(P / mean of P over the pictures), in nats, float64 [N, V].

    shares: P of the labels of each picture, float64 [N, V]. The sum over the labels, averaged over the pictures, is the
    mutual information between pictures and labels (Bridle, Heading and MacKay 1991, "Unsupervised classifiers, mutual
    information and phantom targets"). A label that all pictures share has none.
    """
    logs = np.log(np.maximum(shares, _TINY)) - np.log(np.maximum(shares.mean(axis=0), _TINY))
    nats: Float64s = shares * logs
    return nats


def rated_labels(scores: VocabularyScores) -> list[list[RatedLabel]]:
    """For each picture the labels that may be named for it, the best rated first; none for a blank one or noise."""
    rated: list[list[RatedLabel]] = [[] for _ in scores.indices]
    for facet in scores.facets:
        if not (scores.rules.is_composed and facet.facet.kind == "defects"):
            for row, labels in enumerate(_rate_facet(facet, scores.rules)):
                rated[row] += [] if scores.emptiness[row] else labels
    return [sorted(labels, key=lambda one: -one.rating) for labels in rated]


def _rate_facet(scores: FacetScores, rules: Rules) -> Iterator[list[RatedLabel]]:
    tree, shares = scores.tree, scores.shares
    nats = information(shares)
    fits = (shares >= rules.threshold) & distinct_nodes(tree, shares, scores.facet.kind, scores.margin)
    fits = lowest_nodes(tree, fits & (shares > scores.no_defect[:, None]))
    # -1 is below every rating, for information is at least -1/e
    ratings = np.where(fits, nats + PROBABILITY_WEIGHT * shares, -1.0)
    for row, ranking in enumerate(top_indices(ratings, MOST_PER_FACET).tolist()):
        yield [
            RatedLabel(
                facet=scores.facet.name,
                label=tree.names[node],
                probability=float(shares[row, node]),
                information=float(nats[row, node]),
            )
            for node in ranking
            if fits[row, node]
        ]


def distinct_nodes(tree: Tree, shares: Float64s, kind: FacetKind, margin: float) -> Flags:
    """Whether a node may be named for a picture although it may not be sure [N, V].

    A thing without a parent needs half of the greatest share, for a picture can show a cat and a sofa. Every other node
    must lead those beside it by the margin, for what may be a poodle or a beagle is a dog, and a picture has one mood.
    """
    distinct = np.zeros(shares.shape, np.bool_)
    for parent, children in tree.children.items():
        if parent == ROOT and kind == "things":
            own = shares[:, children]
            distinct[:, children] = own >= PLAUSIBLE * own.max(axis=1, keepdims=True)
        else:
            first, share, second = two_best(shares, children)
            leads = (parent == ROOT or distinct[:, parent]) & (share - second >= margin)
            distinct[:, children] = leads[:, None] & (first[:, None] == children)
    return distinct


def lowest_nodes(tree: Tree, fits: Flags) -> Flags:
    """The nodes that fit, without those above another one that fits [N, V]."""
    covered = np.zeros_like(fits)
    for parent, children in reversed(tree.children.items()):
        if parent != ROOT:
            covered[:, parent] = (fits[:, children] | covered[:, children]).any(axis=1)
    return fits & ~covered


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One text that a picture can get."""

    text: str
    labels: tuple[str, ...]
    #: Probability of the least probable of the labels.
    probability: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """The texts that one picture can get."""

    best: Choice
    #: What is tried if the best is taken, in this order; computed one by one.
    others: Iterator[Choice]
    #: Cells of equal pictures have the same; they share what the first of them gets.
    content: bytes


def _cells(scores: VocabularyScores, plain: Sequence[PictureLabels]) -> dict[int, Cell]:
    """The pictures that have a label, by their place."""
    cells: dict[int, Cell] = {}
    if scores.features is None:
        return cells
    for row, (rated, labels) in enumerate(zip(rated_labels(scores), plain, strict=True)):
        choices = (_choice(one, scores.rules) for one in _candidates(rated, labels))
        if best := next(choices, None):
            cells[row] = Cell(best=best, others=choices, content=scores.features.vectors[row].tobytes())
    return cells


def _choice(labels: Sequence[FacetLabel], rules: Rules) -> Choice:
    return Choice(
        text=compose(labels) if rules.is_composed else labels[0].label,
        labels=tuple(one.label for one in labels),
        probability=min(one.probability for one in labels),
    )


def _candidates(rated: Sequence[RatedLabel], plain: PictureLabels) -> Iterator[Sequence[FacetLabel]]:
    """The labels that a picture can get, alone or in pairs, the best first; nothing for one without a label.

    With one facet the best is the picture's own label, however many share it. With several it is the best rated label
    and its best partner, or the picture's own labels where nothing sets it apart; then come all pairs by the sum of
    their ratings, or single labels where none can be combined.
    """
    best: Sequence[FacetLabel] = [one for one in plain.facets if one.label not in ("", NONE_OF_THESE)]
    if len(plain.facets) > 1:
        best = select_labels(best)
        if rated and not (best and rated[0].information < LEAST_INFORMATION):
            partner = next((one for one in rated if can_combine(rated[0], one)), None)
            best = rated[:1] if partner is None else _in_order((rated[0], partner), plain)
    if not best:
        return
    yield best
    pairs = [pair for pair in combinations(rated[:MOST_PAIRED], 2) if can_combine(*pair)]
    for pair in sorted(pairs, key=lambda pair: -round(pair[0].rating + pair[1].rating, DIGITS)):
        yield _in_order(pair, plain)
    if not pairs:
        yield from ([one] for one in rated)


def _in_order(pair: Sequence[FacetLabel], plain: PictureLabels) -> list[FacetLabel]:
    """Subject, medium and style first, the others as the vocabulary has them."""
    facets = [one.facet for one in plain.facets]
    return leading_first(sorted(pair, key=lambda one: facets.index(one.facet)))


def choose_unique(cells: Sequence[Cell]) -> list[tuple[Choice, str]]:
    """What each cell gets, and its text, which no other cell has.

    The cell whose best choice is the most probable chooses first, whatever the order of the cells; numbers follow that
    order, from 2 on.
    """
    firsts: dict[bytes, Cell] = {}
    for cell in cells:
        firsts.setdefault(cell.content, cell)
    chosen: dict[bytes, Choice] = {}
    taken: set[str] = set()
    for cell in sorted(firsts.values(), key=lambda cell: (-round(cell.best.probability, DIGITS), cell.content)):
        choice = cell.best
        if choice.text in taken:
            choice = next((other for other in cell.others if other.text not in taken), cell.best)
        taken.add(choice.text)
        chosen[cell.content] = choice
    choices = [chosen[cell.content] for cell in cells]
    return list(zip(choices, _numbered([choice.text for choice in choices]), strict=True))


def _numbered(texts: Sequence[str]) -> list[str]:
    """The texts, each that came before with the next free number after it."""
    taken, numbers = set(texts), dict[str, int]()
    numbered = []
    for text in texts:
        shown = text
        if number := numbers.get(text):
            number = next(free for free in count(number) if f"{text} {free}" not in taken)
            shown = f"{text} {number}"
        numbers[text] = (number or 1) + 1
        numbered.append(shown)
    return numbered
