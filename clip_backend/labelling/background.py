"""What labels are held against: pictures of nothing, and captions of everyday things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..banks.captions import neutral_features, unrelated
from ..banks.noise import noise_features, noise_floor
from ..features import Features
from ..scales import Floats
from .rules import Rules

if TYPE_CHECKING:
    from ..encoder import Encoder

_LEAST_SPREAD = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Background:
    """What says nothing; None where the rules do without."""

    #: Pictures of nothing, unit vectors [M, D].
    noise: Features | None
    #: The cosine that few neutral captions reach with each picture, float32 [N].
    reference: Floats | None


def background_for(encoder: Encoder, pictures: Features, rules: Rules) -> Background:
    """As much of it as the rules need."""
    reference: Floats | None = None
    if rules.needs_neutral:
        reference = unrelated(pictures.similarity(neutral_features(encoder)))
    return Background(noise=noise_features(encoder) if rules.needs_noise else None, reference=reference)


def prior(noise: Floats) -> Floats:
    """By how much pictures of nothing fit each label better than they fit the others, float32 [W], 0 in the mean.

    noise: cosines of pictures of nothing with the labels of a facet [M, W]. The mean over all labels is kept, so that
    cosines stay where the scale and bias of a sigmoid expect them; a softmax does not see it.
    """
    means = noise.mean(axis=0)
    excess: Floats = means - means.mean()
    return excess


def floors(noise: Floats) -> Floats:
    """The cosine that each label must exceed to be more than noise, float32 [W].

    For one label it is ``noise_floor``. Of several the likeliest is taken, so each must lie as many standard deviations
    above its mean, too, as the label that fits a noise picture unusually well. A label that suits noise raises its own
    floor alone. noise: as above, without the prior if it is removed.
    """
    means = noise.mean(axis=0)
    spreads = np.maximum(noise.std(axis=0, ddof=1), _LEAST_SPREAD)
    unusual = ((noise - means) / spreads).max(axis=1, keepdims=True)  # [M, 1]
    floor: Floats = np.maximum(noise_floor(noise), means + noise_floor(unusual) * spreads).astype(np.float32)
    return floor
