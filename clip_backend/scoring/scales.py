"""Scales of cosines: CLIPScore; z and percentile among a bank's; a model's logits and their probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

#: Cosines, and what is derived from them in their precision.
Float32s = NDArray[np.float32]
#: Logits, probabilities and what is derived from them.
Float64s = NDArray[np.float64]
#: Bank texts that all have about one cosine with a picture say nothing about it; z is not divided by less.
LEAST_DEVIATION = 0.005
#: The weight of CLIPScore (Hessel et al. 2021, section 3).
CLIP_SCORE_WEIGHT = 2.5


def clip_score(cosines: Float32s) -> Float32s:
    """2.5 * max(cosine, 0), without the paper's "A photo depicts" before the text."""
    scores: Float32s = np.float32(CLIP_SCORE_WEIGHT) * np.maximum(cosines, np.float32(0))
    return scores


def deviations(bank_cosines: Float32s) -> Float32s:
    """Standard deviation of each picture's cosines with the bank, at least 0.005, float32 [N, 1] from [N, B]."""
    spread: Float32s = np.maximum(bank_cosines.std(axis=1, keepdims=True), np.float32(LEAST_DEVIATION))
    return spread


def z_scores(cosines: Float32s, bank_cosines: Float32s) -> Float32s:
    """How many standard deviations cosines lie above the mean of the bank's for the same picture, float32 [N, M].

    cosines: of N pictures with M texts [N, M]. bank_cosines: of the same pictures with the bank's texts [N, B].
    """
    z: Float32s = (cosines - bank_cosines.mean(axis=1, keepdims=True)) / deviations(bank_cosines)
    return z


def percentiles(cosines: Float32s, bank_cosines: Float32s) -> Float32s:
    """How many of a hundred bank texts fit a picture worse, 0..100, float32 [N, M]; ties count half.

    cosines: of N pictures with M texts [N, M]. bank_cosines: of the same pictures with the bank's texts [N, B].
    """
    ordered = np.sort(bank_cosines, axis=1)
    rows = zip(ordered, cosines, strict=True)
    below = [np.searchsorted(row, own, "left") + np.searchsorted(row, own, "right") for row, own in rows]
    share: Float32s = (50.0 * np.array(below).reshape(cosines.shape) / bank_cosines.shape[1]).astype(np.float32)
    return share


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


def share_beside(own: Float64s, others: Float64s) -> Float64s:
    """The softmax share of each of M logits beside B others alone, float64 [N, M].

    own: [N, M]. others: of the same pictures [N, B]. e^own / (e^own + sum of e^others) = sigmoid(own - log of the sum).
    """
    most = others.max(axis=1, keepdims=True)
    total = most + np.log(np.exp(others - most).sum(axis=1, keepdims=True))  # [N, 1]
    return sigmoid(own - total)


def is_sigmoid(encoder: Encoder) -> bool:
    """Whether the model is of a family that was trained with a sigmoid for each pair, as SigLIP was."""
    return encoder.identity.is_sigmoid


def assumed_notes(encoder: Encoder) -> Iterator[str]:
    """A note for each property of the probabilities' scale that the model's files lack."""
    for name, value in (("logit_scale", encoder.logit_scale), ("logit_bias", encoder.logit_bias)):
        if name in encoder.identity.assumed:
            yield (
                f"the model's files do not tell its {name}; it is taken to be {value:g}, so probabilities are estimates"
            )
