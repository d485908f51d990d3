"""The options of labelling, declared once for Python, nodes and command line."""

from __future__ import annotations

from dataclasses import dataclass

from ...options import option

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Which labels a picture gets, and how many are listed beside them."""

    top_k: int = option(3, "Labels listed for each picture, the likeliest first", low=1, high=1000)
    threshold: float = option(
        0.0,
        "Least probability of a label; 0 = automatic: 0.2, or 0.5 where several labels are wanted; for SigLIP, whose "
        "values are low, 0.02",
        low=0,
        high=1,
    )
    templates: str = option(
        "",
        "Sentences around a label, one per line, such as a photo of {}; empty = those of the vocabulary",
        multiline=True,
    )
    margin: float = option(
        0.02, "How much more probable than the next one the best label must be", low=0, high=1, advanced=True
    )
    multiple: bool = option(False, "Give every label that fits, not only the best one", advanced=True)
    none_of_these: bool = option(
        True,
        "Let a picture be none of the given labels: they compete with captions of everyday things",
        advanced=True,
    )
    noise_floor: bool = option(True, "Give no label to a picture that fits it no better than noise does", advanced=True)
    prior: str = option(
        AUTO,
        "Take off what a label scores on pictures of nothing, so that none wins everywhere: auto = for vocabularies of "
        "several facets",
        choices=(AUTO, "remove", "keep"),
        advanced=True,
    )
