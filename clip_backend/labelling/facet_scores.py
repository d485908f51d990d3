"""The labels of one facet as they fit each picture: cosines, probabilities, and which are above noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..features import Features
from ..scales import Floats, Wide, logits, sigmoid, softmax
from ..words.vocabulary import Facet
from .background import Background, floors, prior
from .rules import Rules

if TYPE_CHECKING:
    from ..encoder import Encoder


@dataclass(frozen=True, kw_only=True, eq=False)
class FacetScores:
    """N pictures with W labels."""

    facet: Facet
    #: Of pictures and labels, float32 [N, W].
    cosines: Floats
    #: Without what the labels score on nothing, if that is removed, float32 [N, W].
    adjusted: Floats
    #: What ``adjusted`` must exceed, float32 [W]; and where it does, [N, W].
    floor: Floats
    is_above_noise: NDArray[np.bool_]
    #: Shares of the labels among each other, and with the neutral captions where those are needed, float64 [N, W].
    shares: Wide
    #: On the scale of the answer, float64 [N, W].
    probabilities: Wide
    #: The share of the neutral captions, which stand for none of the labels, float64 [N]; else 0.
    none_share: Wide


def score_facet(
    facet: Facet, labels: Features, pictures: Features, *, background: Background, rules: Rules, encoder: Encoder
) -> FacetScores:
    """How the labels of a facet [W, D] fit pictures [N, D]."""
    cosines = pictures.similarity(labels)  # [N, W]
    excess, floor = _against_nothing(labels, background, rules)
    adjusted = cosines - excess
    values = logits(adjusted, encoder)
    shares, none_share = _shares(values, background.reference, encoder)
    return FacetScores(
        facet=facet,
        cosines=cosines,
        adjusted=adjusted,
        floor=floor,
        is_above_noise=adjusted > floor,
        shares=shares,
        none_share=none_share,
        probabilities=_alone(values, background.reference, encoder) if rules.judges_alone else shares,
    )


def _against_nothing(labels: Features, background: Background, rules: Rules) -> tuple[Floats, Floats]:
    """What is taken off the cosine of each label, and what the rest must exceed, both float32 [W]."""
    nothing = np.zeros(len(labels), np.float32)
    if background.noise is None:
        return nothing, nothing - np.inf
    noise = background.noise.similarity(labels)  # [M, W]
    excess = prior(noise) if rules.removes_prior else nothing
    floor = floors(noise - excess) if rules.has_floor else nothing - np.inf
    return excess, floor


def _shares(values: Wide, level: Floats | None, encoder: Encoder) -> tuple[Wide, Wide]:
    """The softmax of the labels' logits [N, W], with the neutral captions as one more class, and its share [N]."""
    if level is None:
        return softmax(values), np.zeros(len(values))
    every = softmax(np.column_stack([values, logits(level, encoder)]))  # [N, W + 1]
    return every[:, :-1], every[:, -1]


def _alone(values: Wide, level: Floats | None, encoder: Encoder) -> Wide:
    """The probability of each label by itself [N, W]: against neutral captions, or as SigLIP judges it."""
    return sigmoid(values if level is None else values - logits(level, encoder)[:, None])
