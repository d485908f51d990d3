"""The options of training, declared once for Python, nodes and command line."""

from __future__ import annotations

from dataclasses import dataclass

from ...options import option

#: Methods that learn from the embeddings of a frozen model, in seconds.
HEAD_METHODS = ("nearest", "ridge", "logistic", "lda", "tip")
#: What turns scores of pairs into probabilities.
PAIR_METHODS = ("platt",)
#: Methods that train weights of the model itself.
TOWER_METHODS = ("lora", "last-blocks", "full")
#: What becomes of one tower.
TOWER_MODES = ("auto", "frozen", "lora", "full")
LOSSES = ("auto", "infonce", "siglip", "bce")
#: LoRA's factor: as peft and kohya have it, and as rsLoRA (Kalajdzievski 2023) and CLIP-LoRA do.
ALPHA_RULES = ("alpha/r", "alpha/sqrt(r)")
RATE_SEARCHES = ("range", "grid")
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
    group_prompts: bool = option(
        True, "Keep pictures of one prompt and model, or of one prompt and seed, in one part of the split"
    )
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
    # of the methods that train weights of the model itself; 0 stands for what suits data and model
    loss: str = option(
        "auto",
        "What is minimised: infonce compares each picture with the texts of its batch, siglip judges each pair of the "
        "batch, bce the labelled pairs alone; auto is siglip for pairs with labels 0 and 1, else infonce",
        choices=LOSSES,
    )
    steps: int = option(0, "Training steps at most; 0 for 10 epochs and at least 300", low=0, high=10_000_000)
    epochs: int = option(
        0, "Passes over the training data at most, in place of steps; 0 for as steps says", low=0, high=100_000
    )
    batch: int = option(32, "Pictures in a training step", low=2, high=65536)
    learning_rate: float = option(
        0.0, "The highest learning rate; 0 to find it by --rate-search", low=0.0, high=10.0, advanced=True
    )
    rate_search: str = option(
        "range",
        "How the learning rate is found: range raises it over some steps until the loss grows, grid trains briefly at "
        "five rates and compares them on val",
        choices=RATE_SEARCHES,
        advanced=True,
    )
    weight_decay: float = option(0.01, "Weight decay of AdamW", low=0.0, high=10.0, advanced=True)
    rank: int = option(2, "Rank of LoRA", low=1, high=1024)
    alpha: float = option(1.0, "Alpha of LoRA", low=1e-6, high=65536.0)
    alpha_rule: str = option(
        "alpha/sqrt(r)",
        "The factor of LoRA: alpha/r as peft and kohya have it, or alpha/sqrt(r) as rsLoRA and CLIP-LoRA do",
        choices=ALPHA_RULES,
        advanced=True,
    )
    lora_targets: str = option("q,k,v", "The projections of attention that get LoRA: any of q, k, v", advanced=True)
    dropout: float = option(0.25, "Dropout of the input of LoRA", low=0.0, high=0.95, advanced=True)
    last_blocks: int = option(
        0,
        "Train only the last N blocks of each tower, whose input is computed once and kept on disk; 0 for all with "
        "full, for 2 with last-blocks, and with lora for all on a GPU or in a small model, else for 4",
        low=0,
        high=1000,
    )
    vision_tower: str = option(
        "auto",
        "What becomes of the vision tower; auto is as the method says, but frozen for lora on classes unless keep is 0",
        choices=TOWER_MODES,
        advanced=True,
    )
    text_tower: str = option(
        "auto", "What becomes of the text tower; auto is as the method says", choices=TOWER_MODES, advanced=True
    )
    patience: int = option(
        8, "Evaluations on val without a better result, after which training ends", low=1, high=10000, advanced=True
    )
    evaluate_every: int = option(
        0, "Steps between evaluations on val; 0 for a twentieth of all", low=0, high=10_000_000, advanced=True
    )
    keep: float = option(
        0.95,
        "The share of its own answers that the model must keep; of all mixtures of base and trained weights the one "
        "with the most of the trained that does is chosen; 0 for the trained weights as they are",
        low=0.0,
        high=1.0,
    )
    cache_activations: bool = option(
        True, "Keep what the frozen blocks give for each picture and text on disk while training", advanced=True
    )
