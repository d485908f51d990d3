"""What a cosine is worth: on the model's own scale, and beside neutral captions and pictures of noise."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...options import SLOT
from ..encoding.features import Features
from .banks import neutral_captions, noise_pictures

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

#: Cosines, and what is derived from them in their precision.
Float32s = NDArray[np.float32]
#: Logits, probabilities and what is derived from them.
Float64s = NDArray[np.float64]
#: The weight of CLIPScore (Hessel et al. 2021, section 3).
CLIP_SCORE_WEIGHT = 2.5
#: The quantile of the neutral captions' cosines that stands for texts unrelated to a picture.
UNRELATED_QUANTILE = 0.95
#: Standard deviations by which the noise floor lies above the mean. Of normally distributed noise, whose mean and
#: deviation are estimated from 24 pictures, one in some 1,500 lies above it; above the 95th percentile, one in twenty.
NOISE_DEVIATIONS = 3.5
_LEAST_DEVIATION = 1e-6


def clip_score(cosines: Float32s) -> Float32s:
    """2.5 * max(cosine, 0), without the paper's "A photo depicts" before the text."""
    scores: Float32s = np.float32(CLIP_SCORE_WEIGHT) * np.maximum(cosines, np.float32(0))
    return scores


def logits(cosines: NDArray[np.floating], encoder: Encoder) -> Float64s:
    """Cosines times the model's logit scale plus its bias, float64 in the shape of the cosines."""
    return cosines.astype(np.float64) * encoder.logit_scale + encoder.logit_bias


def softmax(values: NDArray[np.floating]) -> Float64s:
    """Probabilities along the last axis, which sum to 1, float64."""
    wide = values.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    shares: Float64s = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(values: NDArray[np.floating]) -> Float64s:
    """1 / (1 + exp(-x)) without overflow, float64."""
    wide = values.astype(np.float64)
    positive = np.exp(-np.abs(wide))
    shares: Float64s = np.where(wide >= 0, 1, positive) / (1 + positive)
    return shares


def is_sigmoid(encoder: Encoder) -> bool:
    """Whether the model was trained with a sigmoid for each pair, as SigLIP was; only such a model has a bias."""
    return encoder.logit_bias != 0.0


def assumed_notes(encoder: Encoder) -> Iterator[str]:
    """A note for each property of the probabilities' scale that the model's files lack."""
    for name, value in (("logit_scale", encoder.logit_scale), ("logit_bias", encoder.logit_bias)):
        if name in encoder.identity.assumed:
            yield (
                f"the model's files do not tell its {name}; it is taken to be {value:g}, so probabilities are estimates"
            )


class Background:
    """What N pictures are compared with: neutral captions and noise pictures, encoded when they are first asked for.

    template, long_text: how the captions are encoded; as the texts that they are compared with.
    """

    def __init__(
        self, encoder: Encoder, pictures: Features, *, template: str = SLOT, long_text: str = "truncate"
    ) -> None:
        self._encoder = encoder
        self._pictures = pictures
        self._template = template
        self._long_text = long_text

    @cached_property
    def neutral(self) -> Float32s:
        """Cosines of the pictures with the neutral captions, float32 [N, C]."""
        captions = [self._template.replace(SLOT, caption) for caption in neutral_captions()]
        return self._pictures.similarity(self._encoder.encode_texts(captions, long_text=self._long_text))

    @cached_property
    def unrelated(self) -> Float32s:
        """The cosine that one neutral caption in twenty exceeds with each picture, float32 [N]."""
        return unrelated_level(self.neutral)

    @cached_property
    def noise(self) -> Features:
        """The noise pictures, unit vectors [M, D]."""
        pictures = noise_pictures()
        names = [f"noise {number}" for number in range(len(pictures))]
        return self._encoder.encode_images(list(pictures)).to_features(names)

    def noise_floor(self, texts: Features) -> Float32s:
        """The cosine that each text reaches on noise, float32 [texts]."""
        return noise_floor(self.noise.similarity(texts))


def unrelated_level(neutral: Float32s) -> Float32s:
    """The cosine that one neutral caption in twenty exceeds with each picture, float32 [N].

    neutral: cosines of N pictures with the captions [N, C].
    """
    level: Float32s = np.quantile(neutral, UNRELATED_QUANTILE, axis=1).astype(np.float32)
    return level


def percentiles(cosines: Float32s, neutral: Float32s) -> Float32s:
    """How many of a hundred neutral captions fit a picture worse, 0..100, float32 [N, M]; ties count half.

    cosines: of N pictures with M texts [N, M]. neutral: of the same pictures with the captions [N, C].
    """
    ordered = np.sort(neutral, axis=1)
    rows = zip(ordered, cosines, strict=True)
    below = [np.searchsorted(row, own, "left") + np.searchsorted(row, own, "right") for row, own in rows]
    share: Float32s = (50.0 * np.array(below).reshape(cosines.shape) / neutral.shape[1]).astype(np.float32)
    return share


def noise_floor(noise: Float32s) -> Float32s:
    """What the cosine of each text reaches on noise, float32 [M]: mean + 3.5 standard deviations over the pictures.

    noise: cosines of N noise pictures with M texts, float [N, M].
    """
    floor: Float32s = (noise.mean(axis=0) + NOISE_DEVIATIONS * noise.std(axis=0, ddof=1)).astype(np.float32)
    return floor


def competing_noise_floor(noise: Float32s) -> Float32s:
    """What the cosine of the best of M texts reaches on noise, for each of them, float32 [M].

    The best of several is the maximum of as many draws, so each must also lie as many standard deviations above its
    mean as the best text of an unusual noise picture does. A text that fits noise well raises its own floor alone; for
    one text it is ``noise_floor``. noise: cosines of N noise pictures with the texts, float [N, M].
    """
    means = noise.mean(axis=0)
    deviations = np.maximum(noise.std(axis=0, ddof=1), _LEAST_DEVIATION)
    highest = ((noise - means) / deviations).max(axis=1, keepdims=True)  # [N, 1]
    floor: Float32s = np.maximum(noise_floor(noise), means + noise_floor(highest) * deviations).astype(np.float32)
    return floor


def noise_prior(noise: Float32s) -> Float32s:
    """By how much noise fits each of M texts better than it fits them in the mean, float32 [M].

    Subtracting it keeps the mean over the texts, so that cosines stay where the scale and bias of a sigmoid expect
    them; a softmax does not depend on the mean. noise: cosines of N noise pictures with the texts, float [N, M].
    """
    means = noise.mean(axis=0)
    prior: Float32s = means - means.mean()
    return prior
