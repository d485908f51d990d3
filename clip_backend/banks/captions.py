"""Captions of everyday things, which have nothing to do with a given picture more often than not."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..scales import Floats

if TYPE_CHECKING:
    from ..encoder import Encoder
    from ..features import Features


#: The share of the captions that lie below the one that stands for all that is unrelated to a picture.
UNRELATED = 0.95


@cache
def neutral_captions() -> tuple[str, ...]:
    """256 different captions, always the same."""
    text = (Path(__file__).parent / "neutral_captions.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line)


def neutral_features(encoder: Encoder) -> Features:
    """How a model reads them."""
    return encoder.encode_texts(neutral_captions())


def unrelated(neutral: Floats) -> Floats:
    """The cosine that one neutral caption in twenty exceeds with each picture, float32 [N].

    neutral: as below.
    """
    level: Floats = np.quantile(neutral, UNRELATED, axis=1).astype(np.float32)
    return level


def percentiles(cosines: Floats, neutral: Floats) -> Floats:
    """How many of a hundred neutral captions fit a picture worse, 0..100, float32 [N, M]; ties count half.

    cosines: of N pictures with M texts [N, M]. neutral: of the same pictures with the captions [N, C].
    """
    ordered = np.sort(neutral, axis=1)
    rows = zip(ordered, cosines, strict=True)
    below = [np.searchsorted(row, own, "left") + np.searchsorted(row, own, "right") for row, own in rows]
    share: Floats = (50.0 * np.array(below).reshape(cosines.shape) / neutral.shape[1]).astype(np.float32)
    return share
