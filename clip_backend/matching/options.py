"""The settings of matching, declared once for Python, nodes and command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...options import option
from .prompt_syntax import PROMPT_SYNTAX_HELP

#: What a threshold is compared with.
ThresholdScale = Literal["cosine", "percentile", "probability"]
CUSTOM = "threshold"
#: Each preset's scale and threshold. Cosines differ from model to model; percentiles mean the same for each of them.
PRESETS: Mapping[str, tuple[ThresholdScale, float]] = {
    "lenient": ("cosine", 0.20),
    "balanced": ("cosine", 0.25),
    "strict": ("cosine", 0.30),
    "percentile 90": ("percentile", 90.0),
    "percentile 95": ("percentile", 95.0),
    "percentile 99": ("percentile", 99.0),
}
AUTO = "auto"
MODES = (AUTO, "pairs", "matrix", "broadcast")


@dataclass(frozen=True, kw_only=True)
class MatchOptions:
    """When a picture matches a text, and how the two are put together."""

    threshold: float = option(0.25, "Least cosine of a match", low=-1, high=1)
    mode: str = option(
        AUTO,
        "pairs: the first picture with the first text, and so on; matrix: every picture with every text; broadcast: "
        "one picture with all texts or one text with all pictures; auto: broadcast if one stands alone, else pairs",
        choices=MODES,
    )
    preset: str = option(
        CUSTOM,
        "threshold: the number above; lenient, balanced, strict: cosines of 0.20, 0.25, 0.30; percentile: how many of "
        "a hundred captions of everyday things the text must beat, which means the same for every model",
        choices=(CUSTOM, *PRESETS),
    )
    phrases: bool = option(True, "Also score each phrase of a text, to tell which part of it is missing")
    long_text: str = option(
        "mean",
        "A text longer than the model reads: mean or max of its parts, or truncate its end",
        choices=("mean", "max", "truncate"),
        advanced=True,
    )
    template: str = option(
        "{}", "Sentence around each text, such as A photo depicts {} of the CLIPScore paper", advanced=True
    )
    prompt_syntax: bool = option(True, PROMPT_SYNTAX_HELP, advanced=True)
