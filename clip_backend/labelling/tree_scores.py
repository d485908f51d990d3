"""The labels of a facet and their parents as they fit each picture, and the deepest of which a picture is sure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scales import Wide
from .facet_scores import FacetScores
from .order import likeliest
from .rules import Rules
from .tree import ROOT, Tree, tree_of

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
