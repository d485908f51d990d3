"""Why a picture has no label, in words."""

from __future__ import annotations

from collections.abc import Sequence

from .answers import NONE_OF_THESE, RankedLabel
from .rules import Rules

NOT_LIKELY = "no label is likely enough"
OTHERS_FIT = "captions of everyday things fit it better"


def like_noise(best: RankedLabel, cosine: float, floor: float, rules: Rules) -> str:
    """Of a label that fits noise as well; the cosine is without its prior where that is removed."""
    what = "cosine without its prior" if rules.removes_prior else "cosine"
    return f"{best.label!r} fits best, but no better than noise: its {what} is {cosine:.3f}, noise reaches {floor:.3f}"


def unsure(ordered: Sequence[RankedLabel], none_share: float, rules: Rules) -> str:
    """Of the likeliest label, or the likeliest two, and what "none of these" has."""
    best = ordered[0]
    if best.probability < rules.threshold:
        return f"{best.label!r} is the likeliest with {best.probability:.3f}, below {rules.threshold:g}"
    second = ordered[1] if len(ordered) > 1 else None
    rival = repr(second.label) if second is not None and second.probability > none_share else NONE_OF_THESE
    return f"{best.label!r} and {rival} are too close to tell apart"
