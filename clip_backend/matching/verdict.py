"""From scores to a verdict, and why it is not a plain yes or no."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..scales import Floats
from .options import CUSTOM, PRESETS, MatchOptions, ThresholdScale
from .result import Verdict
from .scores import Scores

#: The threshold of calibrated probabilities: as likely as not.
EVEN = 0.5
#: Captions of a hundred that a text must beat to be a match, and to be a weak one below the threshold.
MATCH_PERCENTILE = 75.0
WEAK_PERCENTILE = 90.0
_ORDER: tuple[Verdict, ...] = ("mismatch", "weak", "undecided", "match")


@dataclass(frozen=True)
class Limit:
    """What a verdict compares."""

    threshold: float
    scale: ThresholdScale


def limit_of(options: MatchOptions, *, is_calibrated: bool) -> Limit:
    """The threshold of the options, or of their preset.

    With a calibration, if neither was changed, it is a calibrated probability of 0.5.
    Raises InputError for an unknown preset and for a threshold that is no number.
    """
    if options.preset != CUSTOM:
        if options.preset not in PRESETS:
            raise InputError(f"preset is {options.preset!r}; it must be one of {', '.join((CUSTOM, *PRESETS))}")
        scale, threshold = PRESETS[options.preset]
        return Limit(threshold, scale)
    if not np.isfinite(options.threshold):
        raise InputError(f"threshold is {options.threshold}; it must be a number")
    if is_calibrated and options.threshold == MatchOptions.threshold:
        return Limit(EVEN, "probability")
    return Limit(options.threshold, "cosine")


def lacks_evidence(cosine: Floats, noise_floor: Floats, percentile: Floats) -> NDArray[np.bool_]:
    """Whether noise scores as high, or a quarter of the captions of everyday things score higher."""
    lacking: NDArray[np.bool_] = (cosine <= noise_floor) | (percentile < MATCH_PERCENTILE)
    return lacking


def verdicts(scores: Scores, limit: Limit) -> list[Verdict]:
    """The verdict of each pair, row by row.

    match: the threshold is reached, the cosine is above what the text reaches on noise, and the text beats at least 75
    of a hundred captions of everyday things. undecided: the threshold is reached, but one of the others is not, so that
    the number says little. weak: below the threshold, but above noise, and better than at least 90 of a hundred
    captions. mismatch: everything else.
    """
    value = scores.on(limit.scale)
    # a cosine of 0.2 must reach a threshold of 0.2, whichever of the two was rounded to float32
    reached = value >= np.asarray(limit.threshold, value.dtype)
    lacking = lacks_evidence(scores.cosine, scores.noise_floor, scores.percentile)
    is_near = (scores.cosine > scores.noise_floor) & (scores.percentile >= WEAK_PERCENTILE)
    codes = np.select([reached & ~lacking, reached, is_near], [3, 2, 1], 0)
    return [_ORDER[code] for code in codes.ravel().tolist()]


def reason_of(verdict: Verdict, cosine: float, noise_floor: float, percentile: float) -> str:
    """Why a verdict is weak or undecided; empty for the others."""
    if verdict == "weak":
        return f"it is below the threshold, but better than {percentile:.0f} of a hundred unrelated captions"
    if verdict != "undecided":
        return ""
    if cosine <= noise_floor:
        return f"noise scores as high: with this text it reaches a cosine of {noise_floor:.3f}"
    return f"{100 - percentile:.0f} of a hundred unrelated captions score higher"
