"""Labels and the groups above them: the scores of every node of a facet's tree, and which node a picture gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scoring.scales import Float64s
from ..words.vocabulary import Facet
from .scores import FacetScores, Rules

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
#: Values that differ by less count as equal; the cosines of one picture in two batches differ by a tenth of it.
STEP = 1e-6
#: The node above all others, which has no name; as an index, the last column.
ROOT = -1
#: The part of the greatest share that a label or group without a parent needs to be named beside it.
PLAUSIBLE = 0.5


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """V nodes: the labels of a facet in their order, then the groups that are no labels."""

    names: tuple[str, ...]
    #: The nodes below each node that has any; from ROOT on, each node before those below it.
    children: dict[int, Indices]

    def accumulate(self, values: Float64s, join: np.ufunc) -> Float64s:
        """For each node its own value joined with those of all nodes below it, float64 [N, V].

        values: of the labels, not negative [N, W]. join: np.add, or np.maximum for values that do not add up to 1.
        """
        nodes = np.zeros((len(values), len(self.names)))
        nodes[:, : values.shape[1]] = values
        for parent, children in reversed(self.children.items()):
            if parent != ROOT:
                for child in reversed(children):
                    join(nodes[:, parent], nodes[:, child], out=nodes[:, parent])
        return nodes

    def lowest(self, fits: Flags) -> Flags:
        """The nodes that fit, without those above another one that fits [N, V]."""
        covered = np.zeros_like(fits)
        for parent, children in reversed(self.children.items()):
            if parent != ROOT:
                covered[:, parent] = (fits[:, children] | covered[:, children]).any(axis=1)
        return fits & ~covered


def tree_of(facet: Facet) -> Tree:
    """The tree of a facet."""
    names = list(facet.labels)
    nodes = {name: node for node, name in enumerate(names)}
    for label in facet.labels:
        for group in facet.ancestors(label):
            if group not in nodes:
                nodes[group] = len(names)
                names.append(group)
    below: dict[int, list[int]] = {}
    for node, name in enumerate(names):
        below.setdefault(nodes.get(facet.parents.get(name, ""), ROOT), []).append(node)
    children: dict[int, Indices] = {}
    parents = [ROOT]
    for parent in parents:
        if parent in below:
            children[parent] = np.array(below[parent])
            parents += below[parent]
    return Tree(names=tuple(names), children=children)


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeScores:
    """The scores of N pictures with the V nodes of a facet's tree."""

    tree: Tree
    #: On the scale of the result, float64 [N, V].
    probabilities: Float64s
    #: As those of labels, float64 [N, V].
    shares: Float64s
    #: Whether the node's likeliest label is above noise [N, V].
    is_above_noise: Flags
    #: The share of "none of these", float64 [N].
    none_share: Float64s


def score_nodes(scores: FacetScores, rules: Rules) -> NodeScores:
    """The scores of labels and groups: a group has the sum of its labels', or the greatest if they are independent."""
    tree = tree_of(scores.facet)
    join = np.maximum if rules.is_independent else np.add
    best = tree.accumulate(scores.shares, np.maximum)
    best_above_noise = tree.accumulate(np.where(scores.is_above_noise, scores.shares, 0), np.maximum)
    return NodeScores(
        tree=tree,
        probabilities=tree.accumulate(scores.probabilities, join),
        shares=tree.accumulate(scores.shares, join),
        is_above_noise=(best_above_noise >= best) & (best_above_noise > 0),
        none_share=scores.none_share,
    )


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
        first, share, second = _two_best(nodes.shares, children)
        rival = np.maximum(rival, second)
        probability = nodes.probabilities[np.arange(count), first]
        leads = is_sure & (share - rival >= rules.margin) & (probability >= rules.threshold)
        chosen = np.where(leads, first, chosen)
        parents |= {child: (leads & (first == child), rival) for child in children.tolist() if child in tree.children}
    return chosen


def distinct_nodes(nodes: NodeScores, rules: Rules) -> Flags:
    """Whether a node may be named for a picture although it may not be sure [N, V].

    A node without a parent needs half of the greatest share, for a picture can show a cat and a sofa. A node below
    another one must lead those beside it by the margin, for what may be a poodle or a beagle is a dog.
    """
    distinct = np.zeros(nodes.shares.shape, np.bool_)
    for parent, children in nodes.tree.children.items():
        if parent == ROOT:
            shares = nodes.shares[:, children]
            distinct[:, children] = shares >= PLAUSIBLE * shares.max(axis=1, keepdims=True)
        else:
            first, share, second = _two_best(nodes.shares, children)
            leads = distinct[:, parent] & (share - second >= rules.margin)
            distinct[:, children] = leads[:, None] & (first[:, None] == children)
    return distinct


def _two_best(shares: Float64s, children: Indices) -> tuple[Indices, Float64s, Float64s]:
    """For each picture the child of the greatest share, its share, and that of the second; 0 for no second."""
    padded = np.column_stack([shares[:, children], np.zeros(len(shares))])
    order = top_indices(padded, 2)
    best = np.take_along_axis(padded, order, axis=1)  # [N, 2]
    return children[order[:, 0]], best[:, 0], best[:, 1]
