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
#: How one tower is trained.
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
        "Training method: a head for classes on frozen embeddings (nearest, ridge, logistic, lda, tip), platt for "
        "pairs with labels 1 and 0, or weights of the model (lora, last-blocks, full); auto chooses by kind and "
        "amount of data",
        choices=METHODS,
    )
    val: float = option(
        0.2, "Fraction of the data for validation, to choose settings on; heads learn from it too", low=0, high=0.9
    )
    test: float = option(0.2, "Fraction of the data for the test split, used once, for the report", low=0, high=0.9)
    seed: int = option(0, "Random seed of the split and of training", low=0, high=2**32 - 1)
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
        0.0, "Tip-Adapter: weight of the examples relative to the texts; 0 = chosen by cross-validation", low=0,
        high=1e4, advanced=True,
    )  # fmt: skip
    tip_beta: float = option(
        0.0, "Tip-Adapter: how fast an example's weight falls with distance; 0 = chosen by cross-validation", low=0,
        high=1e4, advanced=True,
    )  # fmt: skip
    # for methods that train weights of the model; 0 stands for a value chosen by data and model
    loss: str = option(
        "auto",
        "Loss function: infonce compares each picture with the texts of its batch, siglip judges each pair of the "
        "batch, bce the labelled pairs alone; auto is siglip for pairs with labels 0 and 1, else infonce",
        choices=LOSSES,
    )
    steps: int = option(0, "Most training steps; 0 = 10 epochs, but at least 300 steps", low=0, high=10_000_000)
    epochs: int = option(
        0, "Most passes over the training data, in place of steps; 0 = as steps says", low=0, high=100_000
    )
    batch: int = option(32, "Batch size: pictures per training step", low=2, high=65536)
    learning_rate: float = option(0.0, "Peak learning rate; 0 = found by a search", low=0.0, high=10.0, advanced=True)
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
        "Scaling of LoRA: alpha/r as in PEFT and kohya, or alpha/sqrt(r) as in rsLoRA and CLIP-LoRA",
        choices=ALPHA_RULES,
        advanced=True,
    )
    lora_targets: str = option("q,k,v", "Attention projections that get LoRA: any of q, k, v", advanced=True)
    dropout: float = option(0.25, "Dropout on the input of LoRA", low=0.0, high=0.95, advanced=True)
    last_blocks: int = option(
        0,
        "Train only the last N blocks of each tower, whose input is computed once and cached on disk; 0 = all with "
        "full, 2 with last-blocks; with lora all on a GPU or in a small model, else 4",
        low=0,
        high=1000,
    )
    vision_tower: str = option(
        "auto",
        "How the vision tower is trained; auto follows method, but is frozen for lora on classes unless keep is 0",
        choices=TOWER_MODES,
        advanced=True,
    )
    text_tower: str = option(
        "auto", "How the text tower is trained; auto follows method", choices=TOWER_MODES, advanced=True
    )
    patience: int = option(
        8,
        "Early stopping: evaluations on val without improvement after which training ends",
        low=1,
        high=10000,
        advanced=True,
    )
    evaluate_every: int = option(
        0, "Steps between evaluations on val; 0 = a twentieth of all steps", low=0, high=10_000_000, advanced=True
    )
    keep: float = option(
        0.95,
        "Fraction of its own answers that the model must keep: base and trained weights are mixed (WiSE-FT) with the "
        "largest strength that keeps it; 0 = the trained weights as they are",
        low=0.0,
        high=1.0,
    )
    cache_activations: bool = option(
        True, "Cache the output of the frozen blocks for each picture and text on disk while training", advanced=True
    )
