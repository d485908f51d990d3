"""The tree of a facet's labels and of what they are kinds of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scales import Wide
from ..words.vocabulary import Facet

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
