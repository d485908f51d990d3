"""What training the towers of a model will take: time by a measured forward pass, memory and disk by arithmetic."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ...encoding.devices import free_bytes
from ...encoding.encoder import Encoder
from ...tokenizing.tokenizer import batch_of
from ..options import TrainOptions
from .base import TrainableBase
from .keep import HALVINGS, STRENGTHS, drawn_retention
from .loop import EVALUATIONS, planned_steps
from .memory import training_bytes
from .pairs import Kind
from .rate import search_steps
from .rows import MOST_CLASSES
from .trainable import TowerPlan, plan_of

#: Pictures and texts of the forward pass that is measured, and how often it is: other programs slow single ones down.
_MEASURED, _PASSES_MEASURED = 4, 3
#: A step takes about so many forward passes: one, and a backward pass of two.
_PASSES = 3
_FLOAT = 4


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of the training data."""

    kind: Kind
    #: Rows of train and val.
    rows: int
    val: int
    #: Distinct texts of both.
    texts: int


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a training takes; the time is right within a factor of about two."""

    method: str
    steps: int
    seconds: float
    #: Bytes of memory on the device, and how many are free; None where that is not known.
    memory: int
    free: int | None
    #: Bytes on disk while it runs.
    disk: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def training_cost(encoder: Encoder, options: TrainOptions, sizes: Sizes) -> Cost:
    """What training the encoder's towers takes, without early stop; it loads their weights.

    Raises InputError for an encoder whose towers cannot be trained.
    """
    base = TrainableBase.of(encoder)
    plan = plan_of(base.vision, base.text, sizes.kind, options, base.device)
    memory, free = training_bytes(base, plan, options), free_bytes(base.device)
    steps = planned_steps(options, sizes.rows)
    # the seconds of one picture and of one text in a forward pass
    picture, text = (_vision_seconds(base), _text_seconds(base)) if free is None or memory < free else (0.0, 0.0)
    kept = drawn_retention()
    vision = _Tower(plan.vision, base.vision.vision.layers if base.vision.vision else 0, picture, options)
    words = _Tower(plan.text, base.text.text.layers if base.text.text else 0, text, options)
    batch = min(options.batch, sizes.rows)
    own = min(sizes.texts, MOST_CLASSES) if sizes.kind == "classes" else min(batch, sizes.texts)
    searched = 0 if options.learning_rate else search_steps(options.rate_search, steps)
    pictures = sizes.rows + sizes.val + len(kept.pictures)
    once = vision.once(pictures) + words.once(sizes.texts + len(kept.texts))
    stepping = (steps + searched) * (vision.step(batch) + words.step(own))
    measuring = EVALUATIONS * (vision.again(sizes.val) + words.again(sizes.texts))
    strengths = (1 + len(STRENGTHS) + HALVINGS) if options.keep else 2
    choosing = strengths * (vision.again(sizes.val + len(kept.pictures)) + words.again(sizes.texts + len(kept.texts)))
    disk = _disk(base, vision, words, pictures, sizes.texts + len(kept.texts))
    return Cost(
        method=options.method, steps=steps, seconds=once + stepping + measuring + choosing, memory=memory, free=free,
        disk=disk,
    )  # fmt: skip


@dataclass(frozen=True)
class _Tower:
    """One tower as it is trained."""

    plan: TowerPlan
    layers: int
    #: Seconds of one picture or text in a forward pass.
    seconds: float
    options: TrainOptions

    @property
    def is_cached(self) -> bool:
        """Whether what the frozen blocks give is kept."""
        return self.options.cache_activations and not self.plan.with_embeddings

    @property
    def share(self) -> float:
        """Fraction of the tower that is trained."""
        return 1.0 if self.plan.with_embeddings else 1 - self.plan.first / max(1, self.layers)

    def once(self, count: int) -> float:
        """Seconds before the first step."""
        return count * self.seconds * (1 - self.share) if self.plan.is_frozen or self.is_cached else 0.0

    def again(self, count: int) -> float:
        """Seconds of embedding so many without gradients."""
        if self.plan.is_frozen:
            return 0.0
        return count * self.seconds * (self.share if self.is_cached else 1.0)

    def step(self, count: int) -> float:
        """Seconds of a step on so many."""
        trained = 0.0 if self.plan.is_frozen else (_PASSES - 1) * self.share * count * self.seconds
        return self.again(count) + trained


def _disk(base: TrainableBase, vision: _Tower, words: _Tower, pictures: int, texts: int) -> int:
    total = 0
    if (shape := base.vision.vision) and not vision.plan.is_frozen:
        pixels = 3 * base.preprocessing.size**2
        total += pictures * (shape.tokens * shape.width * _FLOAT if vision.is_cached else pixels)
    if (text := base.text.text) and not words.plan.is_frozen and words.is_cached and words.plan.first:
        total += texts * text.context * text.width * _FLOAT
    return total


def _vision_seconds(base: TrainableBase) -> float:
    tower, side = base.build_vision(), base.preprocessing.size
    pixels = torch.zeros(_MEASURED, 3, side, side, device=base.device)
    return _measured(lambda: tower(pixels), base.device)


def _text_seconds(base: TrainableBase) -> float:
    tower = base.build_text()
    encoded = batch_of(base.tokenizer.encode(["a photo"] * _MEASURED), base.tokenizer)
    ids, ends = (torch.from_numpy(one).to(base.device) for one in encoded)
    return _measured(lambda: tower(ids, ends), base.device)


def _measured(compute: Callable[[], object], device: torch.device) -> float:
    """Seconds of one of the pictures or texts, in the fastest of some passes."""
    taken = list[float]()
    with torch.no_grad():
        for _ in range(_PASSES_MEASURED):
            begun = time.monotonic()
            compute()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            taken.append(time.monotonic() - begun)
    return min(taken) / _MEASURED
