"""What training tells while it runs, and what it gives in the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: What the steps of a training are for: the first ones find the learning rate.
SEARCH, TRAINING = "learning rate", "training"
#: A time is told after so many steps, the first of which is slower than others.
TIMED_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class Step:
    """One training step, as a progress bar shows it."""

    #: SEARCH or TRAINING.
    stage: str = TRAINING
    #: Steps of the stage that are done, and all.
    step: int
    steps: int
    #: The mean of the last steps.
    loss: float
    learning_rate: float
    #: Until the end of the training, if no early stop comes; None before three steps are done.
    seconds_left: float | None
    #: On val, of the last evaluation; None before the first.
    metric: float | None = None


class Pace:
    """How long the rest of some steps takes, by those that were done."""

    def __init__(self, steps: int) -> None:
        self._left, self._done, self._begun = steps, 0, time.monotonic()

    def step(self) -> float | None:
        """Seconds until all steps are done, called after each; None before the third."""
        self._left, self._done = self._left - 1, self._done + 1
        if self._done == 1:
            self._begun = time.monotonic()
        if self._done < TIMED_STEPS:
            return None
        return (time.monotonic() - self._begun) / (self._done - 1) * self._left

    def skip(self, steps: int) -> None:
        """Takes steps out that are not needed."""
        self._left -= steps


#: Called after every step; what it raises ends the training, which can be resumed.
OnStep = Callable[[Step], None]


@dataclass(frozen=True, kw_only=True)
class Strength:
    """One mixture of base and trained weights."""

    #: The share of the trained weights, 0..1; of LoRA its strength.
    strength: float
    #: On val; None without one.
    metric: float | None
    #: The share of the base model's own answers that it gives too, 0..1.
    retained: float


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """Trained towers, written to a file."""

    #: ``best.safetensors``.
    path: Path
    method: str
    #: "vision", "text" or both: what was trained.
    changes: tuple[str, ...]
    #: "accuracy", "recall at 1" or "ROC-AUC", of val.
    metric_name: str
    #: At the chosen strength, and of the base model; None without val.
    metric: float | None
    base_metric: float | None
    #: The chosen strength, what it keeps, and what was compared.
    strength: float
    retained: float
    strengths: tuple[Strength, ...]
    #: Step of the best weights, number of steps done, and why there were no more.
    best_step: int
    steps: int
    stopped: str
    learning_rate: float
    #: Learning rates that were tried, and the loss or the metric of each.
    tried_rates: tuple[tuple[float, float], ...]
    #: Step, mean loss since the line before, learning rate and metric on val, as in ``log.csv``.
    log: tuple[tuple[int, float | None, float | None, float | None], ...]
    #: What the user should know.
    notes: tuple[str, ...] = ()
