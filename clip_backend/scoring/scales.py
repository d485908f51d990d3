"""From cosines to other scales: logits, probabilities and CLIPScore."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder


#: Cosines, and what is told in their precision.
Floats = NDArray[np.float32]
#: Logits, probabilities and what is made of them.
Wide = NDArray[np.float64]
#: The weight of CLIPScore (Hessel et al. 2021, section 3).
CLIP_SCORE_WEIGHT = 2.5


def clip_score(cosines: Floats) -> Floats:
    """2.5 * max(cosine, 0), without the paper's "A photo depicts" before the text."""
    scores: Floats = np.float32(CLIP_SCORE_WEIGHT) * np.maximum(cosines, np.float32(0))
    return scores


def logits(cosines: NDArray[np.floating], encoder: Encoder) -> Wide:
    """Cosines on the model's own scale, with its bias; any shape."""
    return cosines.astype(np.float64) * encoder.logit_scale + encoder.logit_bias


def softmax(values: NDArray[np.floating]) -> Wide:
    """Probabilities along the last axis, which sum to 1."""
    wide = values.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    shares: Wide = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(values: NDArray[np.floating]) -> Wide:
    """1 / (1 + exp(-x)), also for large numbers."""
    wide = values.astype(np.float64)
    positive = np.exp(-np.abs(wide))
    shares: Wide = np.where(wide >= 0, 1, positive) / (1 + positive)
    return shares


def assumed_notes(encoder: Encoder) -> Iterator[str]:
    """What of the scale of probabilities the model's files do not tell."""
    for name, value in (("logit_scale", encoder.logit_scale), ("logit_bias", encoder.logit_bias)):
        if name in encoder.identity.assumed:
            yield (
                f"the model's files do not tell its {name}; it is taken to be {value:g}, so probabilities are estimates"
            )


def is_sigmoid(encoder: Encoder) -> bool:
    """Whether the model was trained to judge each pair alone, as SigLIP was; told by its bias."""
    return encoder.logit_bias != 0.0
