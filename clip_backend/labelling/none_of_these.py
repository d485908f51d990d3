"""When a picture is none of the labels that were given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .facet_scores import Wide
from .nodes import NodeScores
from .rules import Rules


def none_wins(nodes: NodeScores, rules: Rules) -> NDArray[np.bool_]:
    """Of which pictures none of the labels is true [N]: as a class of its own, or where no label is likely enough."""
    if not rules.allows_none:
        return np.zeros(len(nodes.shares), np.bool_)
    wins: NDArray[np.bool_] = nodes.none_share > nodes.shares.max(axis=1)
    return nodes.probabilities.max(axis=1) < rules.threshold if rules.judges_alone else wins


def none_probability(nodes: NodeScores, rules: Rules) -> Wide:
    """Of none of the labels, float64 [N]: its share, or what the likeliest label leaves where each is judged alone."""
    return 1 - nodes.probabilities.max(axis=1) if rules.judges_alone else nodes.none_share
