"""The options of training, declared once for Python, nodes and command line."""

from __future__ import annotations

from dataclasses import dataclass

from ...options import option
from .tuning.options import TOWER_METHODS

#: Methods that learn from the embeddings of a frozen model, in seconds.
HEAD_METHODS = ("nearest", "ridge", "logistic", "lda", "tip")
#: What turns scores of pairs into probabilities.
PAIR_METHODS = ("platt",)
METHODS = ("auto", *HEAD_METHODS, *PAIR_METHODS, *TOWER_METHODS)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How a model learns from examples."""

    method: str = option(
        "auto",
        "What is learnt: a head for classes (nearest, ridge, logistic, lda, tip), platt for pairs with labels 1 and 0, "
        "or weights of the model itself (lora, last-blocks, full); auto chooses by kind and amount of data",
        choices=METHODS,
    )
    val: float = option(
        0.2, "Share of the data on which settings are chosen; heads use it for learning too", low=0, high=0.9
    )
    test: float = option(0.2, "Share of the data that is used once, for the report", low=0, high=0.9)
    seed: int = option(0, "Of the split and of everything random", low=0, high=2**32 - 1)
    templates: str = option(
        "",
        "Sentences around a class's name for the base model and for methods that use texts, one per line; empty = a "
        "photo of a {} and {}",
        multiline=True,
        advanced=True,
    )
    tip_alpha: float = option(
        0.0, "Of tip: the weight of the examples beside the texts; 0 = chosen by cross-validation", low=0, high=1e4,
        advanced=True,
    )  # fmt: skip
    tip_beta: float = option(
        0.0, "Of tip: how fast an example's weight falls with distance; 0 = chosen by cross-validation", low=0,
        high=1e4, advanced=True,
    )  # fmt: skip
