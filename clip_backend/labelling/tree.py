"""The order of labels, the likeliest first, which rounding errors of a batch do not change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scoring.scales import Wide
from ..words.vocabulary import Facet
from .options import Rules
from .scores import FacetScores

#: Numbers that differ by less count as equal; cosines of one picture in two batches differ by a tenth of it.
STEP = 1e-6
Places = NDArray[np.int64]


def likeliest(values: NDArray[np.floating], count: int) -> Places:
    """The places of the greatest values of each row, int64 [N, min(count, W)]; equal ones in their order.

    values: within -1000..1000 [N, W].
    """
    width = values.shape[1]
    keys = np.round(values.astype(np.float64) / STEP).astype(np.int64) * width - np.arange(width)  # [N, W], all differ
    count = min(count, width)
    some = np.argpartition(-keys, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(keys, some, axis=1), axis=1)
    places: Places = np.take_along_axis(some, order, axis=1).astype(np.int64)
    return places


#: The node above all others, which has no name.
ROOT = -1


@dataclass(frozen=True, kw_only=True)
class Tree:
    """V nodes: the labels in their order, then parents that are no labels."""

    names: tuple[str, ...]
    #: How many of the nodes are labels.
    labels: int
    #: Of each node; ROOT where it has none.
    parents: tuple[int, ...]
    #: The nodes below a node or ROOT, in their order; none for a leaf.
    children: Mapping[int, tuple[int, ...]]

    def masses(self, values: Wide, join: np.ufunc) -> Wide:
        """What belongs to each node: its own value, joined with that of all nodes below it, float64 [N, V].

        values: of the labels [N, W]. join: np.add, or np.maximum for values that are no parts of a whole.
        """
        # 0 changes neither a sum nor, for shares and probabilities, a maximum
        masses = np.zeros((len(values), len(self.names)))
        masses[:, : self.labels] = values
        for node in reversed(self.downwards()):
            if self.parents[node] != ROOT:
                join(masses[:, self.parents[node]], masses[:, node], out=masses[:, self.parents[node]])
        return masses

    def lowest(self, fits: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The nodes that fit and have none below them that does [N, V]."""
        covered = np.zeros_like(fits)
        for node in reversed(self.downwards()):
            if self.parents[node] != ROOT:
                covered[:, self.parents[node]] |= fits[:, node] | covered[:, node]
        return fits & ~covered

    def downwards(self) -> list[int]:
        """Every node, before all those below it."""
        order = list(self.children.get(ROOT, ()))
        for node in order:
            order.extend(self.children.get(node, ()))
        return order


def tree_of(facet: Facet) -> Tree:
    """The tree of a facet."""
    names = list(facet.labels)
    places = {name: place for place, name in enumerate(names)}
    for name in facet.labels:
        for above in facet.above(name):
            if above not in places:
                places[above] = len(names)
                names.append(above)
    parents = [places.get(facet.parents.get(name, ""), ROOT) for name in names]
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(parents):
        children.setdefault(parent, []).append(node)
    return Tree(
        names=tuple(names),
        labels=len(facet.labels),
        parents=tuple(parents),
        children={parent: tuple(nodes) for parent, nodes in children.items()},
    )


#: The part of the greatest share that another label needs to be told in its place.
PLAUSIBLE = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeScores:
    """N pictures with the V nodes of a facet's tree."""

    tree: Tree
    #: On the scale of the answer, float64 [N, V].
    probabilities: Wide
    #: Shares among the labels, float64 [N, V].
    shares: Wide
    #: Whether the node's likeliest label is above noise [N, V].
    is_above_noise: NDArray[np.bool_]
    #: The share of none of the labels, float64 [N].
    none_share: Wide


def score_nodes(scores: FacetScores, rules: Rules) -> NodeScores:
    """A parent has the sum of its labels' probabilities, or the greatest where each is judged alone."""
    tree = tree_of(scores.facet)
    join = np.maximum if rules.judges_alone else np.add
    best = tree.masses(scores.shares, np.maximum)
    clear = tree.masses(np.where(scores.is_above_noise, scores.shares, 0), np.maximum)
    return NodeScores(
        tree=tree,
        probabilities=tree.masses(scores.probabilities, join),
        shares=tree.masses(scores.shares, join),
        is_above_noise=(clear >= best) & (clear > 0),
        none_share=scores.none_share,
    )


def sure_nodes(nodes: NodeScores, rules: Rules) -> list[int]:
    """For each picture the deepest node that reaches the threshold and leads by the margin; ROOT if there is none.

    A node leads those outside its branch, which are the ones beside it and beside each of its parents. So if it leads,
    its parents do, and the way down ends where the first fails.
    """
    rivals = {parent: _leaders(nodes, parent) for parent in nodes.tree.children}
    return [_deepest(nodes, rules, rivals, row) for row in range(len(nodes.shares))]


def told_apart(nodes: NodeScores, rules: Rules) -> NDArray[np.bool_]:
    """Whether a node and all above it may be told of a picture, sure or not [N, V].

    One without a parent must have half of the greatest share, for a picture can show a cat and a sofa; all others must
    lead their like by the margin, for a dog that may as well be a poodle as a beagle is a dog.
    """
    roots = np.array(nodes.tree.children[ROOT])
    apart = np.zeros(nodes.shares.shape, np.bool_)
    apart[:, roots] = nodes.shares[:, roots] >= PLAUSIBLE * nodes.shares[:, roots].max(axis=1, keepdims=True)
    for parent in nodes.tree.downwards():
        if children := nodes.tree.children.get(parent):
            leaders = _leaders(nodes, parent)
            leads = apart[:, parent] & (leaders.share - leaders.second_share >= rules.margin)
            apart[:, children] = leads[:, None] & (leaders.first[:, None] == np.array(children))
    return apart


@dataclass(frozen=True, eq=False)
class _Leaders:
    """The greatest of the nodes below one parent, by picture: its number and share, and the second one's share."""

    first: NDArray[np.int64]
    share: Wide
    second_share: Wide


def _leaders(nodes: NodeScores, parent: int) -> _Leaders:
    children = np.array(nodes.tree.children[parent])
    shares = np.column_stack([nodes.shares[:, children], np.zeros(len(nodes.shares))])  # 0 is second to one alone
    places = likeliest(shares, 2)
    best = np.take_along_axis(shares, places, axis=1)  # [N, 2]
    return _Leaders(np.append(children, ROOT)[places[:, 0]], best[:, 0], best[:, 1])


def _deepest(nodes: NodeScores, rules: Rules, rivals: dict[int, _Leaders], row: int) -> int:
    sure = ROOT
    for node, rival in _way_down(nodes, rivals, row):
        leads = nodes.shares[row, node] - rival >= rules.margin
        if not leads or nodes.probabilities[row, node] < rules.threshold:
            break
        sure = node
    return sure


def _way_down(nodes: NodeScores, rivals: dict[int, _Leaders], row: int) -> Iterator[tuple[int, float]]:
    """The likeliest node, the likeliest below it and so on, each with the greatest share outside its branch."""
    node, rival = ROOT, float(nodes.none_share[row])
    while node in rivals:
        leaders = rivals[node]
        node, rival = int(leaders.first[row]), max(rival, float(leaders.second_share[row]))
        yield node, rival
