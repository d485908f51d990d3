"""The verdict of a pair of picture and text, and its reason in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..preparing.blank import Emptiness
from ..scoring.banks import LengthClass, bank
from .result import AUTO, CUSTOM, PRESETS, Limit, MatchOptions, Verdict
from .scores import Scores

#: A calibrated probability is a match if it is as likely as not, and a mismatch below this.
CALIBRATED, LEAST_PROBABILITY = Limit(0.5, "probability"), 0.25
#: The z below which a text is a mismatch. Of 500 captions by OpenAI B/16, 0.1 % of the true ones lie below it, and 85 %
#: of those of other pictures.
LEAST_Z = 1.0
_ORDER: tuple[Verdict, ...] = ("mismatch", "weak", "match", "undecided")
_EMPTY: dict[Emptiness, str] = {
    "blank": "the picture is blank: its pixels hardly vary",
    "noise": "the picture is noise: its pixels have nothing to do with those beside them",
}
_FLAT = "the model tells unrelated texts apart too little on this picture to judge by them"


def limit_of(options: MatchOptions, *, is_calibrated: bool) -> Limit:
    """The threshold of a preset that was chosen, else a typed one, else that of a calibration, else a z of 2.

    Raises InputError for an unknown preset and for a threshold that is no number.
    """
    if options.preset not in (CUSTOM, *PRESETS):
        raise InputError(f"preset is {options.preset!r}; it must be one of {', '.join((CUSTOM, *PRESETS))}")
    if options.preset not in (AUTO, CUSTOM):
        return PRESETS[options.preset]
    if not np.isfinite(options.threshold):
        raise InputError(f"threshold is {options.threshold}; it must be a number")
    if options.preset == CUSTOM or options.threshold != MatchOptions.threshold:
        return Limit(options.threshold, "cosine")
    return CALIBRATED if is_calibrated else PRESETS[AUTO]


def verdicts(scores: Scores, limit: Limit, emptiness: Sequence[Emptiness]) -> list[Verdict]:
    """The verdict of each pair, row by row.

    undecided: the picture is blank or noise, or the bank says nothing where z decides. match: the threshold is reached.
    mismatch: it is not, and z is below 1, or a calibrated probability below 0.25. weak: everything else.
    emptiness: of each picture [N].
    """
    value = scores.on(limit.scale)
    # a cosine of 0.2 must reach a threshold of 0.2, whichever of the two was rounded to float32
    reached = value >= np.asarray(limit.threshold, value.dtype)
    is_far = scores.probability < LEAST_PROBABILITY if limit.scale == "probability" else scores.z < LEAST_Z
    codes = np.select([_are_undecided(scores, limit, emptiness), reached, is_far], [3, 2, 0], 1)
    return [_ORDER[code] for code in codes.ravel().tolist()]


def _are_undecided(scores: Scores, limit: Limit, emptiness: Sequence[Emptiness]) -> NDArray[np.bool_]:
    is_empty = np.array([bool(one) for one in emptiness])[:, None]
    undecided: NDArray[np.bool_] = is_empty | (scores.is_flat & (limit.scale in ("z", "probability")))
    return undecided


def reason_of(
    verdict: Verdict,
    limit: Limit,
    emptiness: Emptiness,
    length: LengthClass,
    *,
    value: float,
    z: float,
    percentile: float,
) -> str:
    """Why the verdict is what it is; value: what was compared with the limit."""
    if verdict == "undecided":
        return _EMPTY.get(emptiness, _FLAT)
    evidence = _evidence(length, z, percentile)
    if limit.scale == "z":
        return f"{evidence}; a match needs {limit.threshold:g}" if verdict == "weak" else evidence
    compared = "reaches" if verdict == "match" else "is below"
    digits = 1 if limit.scale == "percentile" else 3
    return f"its {limit.scale} of {value:.{digits}f} {compared} {limit.threshold:g}; {evidence}"


def _evidence(length: LengthClass, z: float, percentile: float) -> str:
    """How the text stands among those of the bank, in words."""
    count, what = (len(bank().captions), "captions") if length == "long" else (len(bank().nouns), "short texts")
    side = "above" if z >= 0 else "below"
    return (
        f"it fits better than {percentile * count / 100:.0f} of {count} unrelated {what}, {abs(z):.1f} standard "
        f"deviations {side} their mean"
    )
