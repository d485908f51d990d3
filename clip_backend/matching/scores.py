"""Every number that a pair of picture and text gets, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..banks.captions import percentiles
from ..banks.noise import noise_floor
from ..features import Features
from ..scales import Floats, Wide, is_sigmoid, logits, sigmoid
from .options import ThresholdScale
from .pairing import Pairing

if TYPE_CHECKING:
    from ..encoder import Encoder


#: Fewer pictures than these say nothing of how well one of them fits.
LEAST_PICTURES = 8
#: Texts that are held against all pictures of a run at once.
_BLOCK = 256


class Calibrated(Protocol):
    """What turns a model's cosines into probabilities that were fitted to labelled pairs."""

    def probability(self, cosines: NDArray[np.floating]) -> Wide:
        """0..1, in the shape of the cosines."""

    def check(self, encoder: Encoder) -> None:
        """Raises InputError if it was fitted to another model."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Background:
    """What scores are held against: texts that have nothing to do with a picture, and pictures of nothing."""

    #: Cosines of the N pictures with the neutral captions [N, C].
    neutral: Floats
    #: Pictures of nothing.
    noise: Features

    def floor(self, texts: Features) -> Floats:
        """The cosine that each text reaches on pictures of nothing, float32 [texts]."""
        return noise_floor(self.noise.similarity(texts))


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Numbers of the pairs, each [N, M]; see ``MatchResult`` for what they are."""

    cosine: Floats
    probability: Wide
    probability_scale: str
    percentile: Floats
    noise_floor: Floats
    #: None for a run of few pictures.
    picture_percentile: Floats | None = None

    def on(self, scale: ThresholdScale) -> NDArray[np.floating]:
        """The numbers of a scale that a threshold can be of."""
        if scale == "probability":
            return self.probability
        return self.percentile if scale == "percentile" else self.cosine


def scores_of(
    pairing: Pairing, background: Background, encoder: Encoder, calibration: Calibrated | None = None
) -> Scores:
    """The scores of a pairing."""
    cosines = pairing.cosines()
    probability, scale = _probabilities(cosines, background.neutral, encoder, calibration)
    return Scores(
        cosine=cosines,
        probability=probability,
        probability_scale=scale,
        percentile=percentiles(cosines, background.neutral),
        noise_floor=pairing.of_texts(background.floor(pairing.texts)),
        picture_percentile=picture_percentiles(pairing),
    )


def picture_percentiles(pairing: Pairing) -> Floats | None:
    """How many of a hundred pictures of the run fit the text worse, float32 [N, M]; the picture itself counts half.

    Equal pictures count as one. None for fewer than 8.
    """
    distinct, place = np.unique(pairing.images.vectors, axis=0, return_inverse=True)
    place = place.reshape(-1)  # numpy 2.0.0 keeps the axis
    if len(distinct) < LEAST_PICTURES:
        return None
    shares = []
    for start in range(0, len(pairing.texts), _BLOCK):
        texts = slice(start, start + _BLOCK)
        run = pairing.texts.vectors[texts] @ distinct.T  # [B, distinct]
        own = np.take_along_axis(run, place[texts, None], 1) if pairing.is_paired else run[:, place]
        shares.append(percentiles(own, run))
    every = np.concatenate(shares)
    return every if pairing.is_paired else every.T


def _probabilities(
    cosines: Floats, neutral: Floats, encoder: Encoder, calibration: Calibrated | None
) -> tuple[Wide, str]:
    if calibration is not None:
        return calibration.probability(cosines), "calibrated"
    own = logits(cosines, encoder)
    if is_sigmoid(encoder):
        return sigmoid(own), "sigmoid"
    # e^own / (e^own + the captions' e^others), which is the sigmoid of what is between them
    others = _log_sum_exp(logits(neutral, encoder))
    return sigmoid(own - others), f"softmax against {neutral.shape[1]} captions"


def _log_sum_exp(values: Wide) -> Wide:
    """[N, C] -> [N, 1]."""
    most = values.max(axis=1, keepdims=True)
    total: Wide = most + np.log(np.exp(values - most).sum(axis=1, keepdims=True))
    return total
