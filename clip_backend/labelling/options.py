"""The options of labelling, declared once for Python, nodes and command line."""

from __future__ import annotations

from dataclasses import dataclass

from ...options import option


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Which labels a picture gets, and how many are listed beside them."""

    top_k: int = option(3, "Labels listed for each picture, the likeliest first", low=1, high=1000)
    threshold: float = option(
        0.0,
        "Least probability of a label; 0 = automatic: 0.2, or where several labels are wanted every one that lies 3 "
        "standard deviations above unrelated nouns",
        low=0,
        high=1,
    )
    templates: str = option(
        "",
        "Sentences around a label, one per line; empty = those of the vocabulary, and for your own labels a photo of a "
        "{} and {}",
        multiline=True,
    )
    margin: float = option(
        0.0,
        "How much more probable than the next one the best label must be; 0 = automatic: 0.02, or 0.05 for medium, "
        "style, lighting, colour, composition, mood and defects",
        low=0,
        high=1,
        advanced=True,
    )
    multiple: bool = option(False, "Give every label that fits, not only the best one", advanced=True)
    none_of_these: bool = option(
        True,
        "Let a picture be none of the given labels: they, and subjects, compete with 64 nouns of unrelated things",
        advanced=True,
    )
