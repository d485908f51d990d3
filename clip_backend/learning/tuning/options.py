"""The options of training the towers of a model, declared once for flags and keywords."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ....errors import InputError
from ....options import option

#: The methods that change the towers, by how they do it.
TOWER_METHODS = ("lora", "last-blocks", "full")
#: What becomes of one tower.
TOWER_MODES = ("auto", "frozen", "lora", "full")
LOSSES = ("auto", "infonce", "siglip", "bce")
#: LoRA's factor: as peft and kohya have it, and as rsLoRA (Kalajdzievski 2023) and CLIP-LoRA do.
ALPHA_RULES = ("alpha/r", "alpha/sqrt(r)")
RATE_SEARCHES = ("range", "grid")
LORA_TARGETS = ("q", "k", "v")


@dataclass(frozen=True, kw_only=True)
class TowerOptions:
    """How the towers are trained; 0 stands for what suits the data and the model."""

    loss: str = option(
        "auto",
        "what is minimised: infonce compares each picture with the texts of its batch, siglip judges each pair of the "
        "batch, bce the labelled pairs alone; auto is siglip for pairs with labels 0 and 1, else infonce",
        choices=LOSSES,
    )
    steps: int = option(0, "training steps at most; 0 for 10 epochs and at least 300", low=0, high=10_000_000)
    batch: int = option(32, "pictures in a training step", low=2, high=65536)
    learning_rate: float = option(
        0.0, "the highest learning rate; 0 to find it by --rate-search", low=0.0, high=10.0, advanced=True
    )
    rate_search: str = option(
        "range",
        "how the learning rate is found: range raises it over some steps until the loss grows, grid trains briefly at "
        "five rates and compares them on val",
        choices=RATE_SEARCHES,
        advanced=True,
    )
    weight_decay: float = option(0.01, "weight decay of AdamW", low=0.0, high=10.0, advanced=True)
    rank: int = option(2, "rank of LoRA", low=1, high=1024)
    alpha: float = option(1.0, "alpha of LoRA", low=1e-6, high=65536.0)
    alpha_rule: str = option(
        "alpha/sqrt(r)",
        "the factor of LoRA: alpha/r as peft and kohya have it, or alpha/sqrt(r) as rsLoRA and CLIP-LoRA do",
        choices=ALPHA_RULES,
        advanced=True,
    )
    lora_targets: str = option("q,k,v", "the projections of attention that get LoRA: any of q, k, v", advanced=True)
    dropout: float = option(0.25, "dropout of the input of LoRA", low=0.0, high=0.95, advanced=True)
    last_blocks: int = option(
        0,
        "train only the last N blocks of each tower, whose input is computed once and kept on disk; 0 for all with "
        "full, for 2 with last-blocks, and with lora for all on a GPU or in a small model, else for 4",
        low=0,
        high=1000,
    )
    vision_tower: str = option(
        "auto", "what becomes of the vision tower; auto is as the method says", choices=TOWER_MODES, advanced=True
    )
    text_tower: str = option(
        "auto", "what becomes of the text tower; auto is as the method says", choices=TOWER_MODES, advanced=True
    )
    patience: int = option(
        8, "evaluations on val without a better result, after which training ends", low=1, high=10000, advanced=True
    )
    evaluate_every: int = option(
        0, "steps between evaluations on val; 0 for a twentieth of all", low=0, high=10_000_000, advanced=True
    )
    keep: float = option(
        0.95,
        "the share of its own answers that the model must keep; of all mixtures of base and trained weights the one "
        "with the most of the trained that does is chosen; 0 for the trained weights as they are",
        low=0.0,
        high=1.0,
    )
    cache_activations: bool = option(
        True, "keep what the frozen blocks give for each picture and text on disk while training", advanced=True
    )

    def targets(self) -> tuple[str, ...]:
        """The projections that get LoRA, in the order q, k, v; raises InputError for others, and for none."""
        given = [part.strip() for part in self.lora_targets.split(",")]
        if not set(given) <= set(LORA_TARGETS):
            raise InputError(f"lora_targets is {self.lora_targets!r}; give some of q, k, v, such as q,v")
        return tuple(target for target in LORA_TARGETS if target in given)

    def mode_of(self, method: str, tower: str) -> str:
        """ "frozen", "lora" or "full" for the tower ``vision`` or ``text``."""
        given: Mapping[str, str] = {"vision": self.vision_tower, "text": self.text_tower}
        if given[tower] != "auto":
            return given[tower]
        return "lora" if method == "lora" else "full"
