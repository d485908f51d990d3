"""The training loop: steps, evaluations on val, checkpoints, and the reasons to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ....atomic import set_kept
from ....log import logger
from ...towers.cpu import fast_products
from ..options import TrainOptions
from .adamw import AdamW
from .checkpoints import Checkpoints, Progressed
from .measure import measure
from .result import OnStep, Pace, Step
from .rows import Batch, Rows, batch_at
from .trainee import Trainee

#: Epochs, and the least steps, where none are given; evaluations of a training.
EPOCHS, LEAST_STEPS, EVALUATIONS = 10, 300, 20
#: The share of the steps in which the rate rises; gradients longer than this are shortened, as in WiSE-FT.
WARM_UP, MOST_NORM = 0.05, 1.0
#: Seconds between checkpoints, and how many times as long as writing one they are apart at least.
CHECKPOINT_SECONDS, CHECKPOINT_SHARE = 30.0, 50
#: The loss shown is the mean of so many.
SHOWN_STEPS = 20
#: Lines of the log beside those of evaluations.
LOG_LINES = 1000
#: A loss within this share of that of random guesses, after so many steps, is flat.
FLAT, FLAT_STEPS = 0.02, 60
NOTHING_LEARNT = (
    "the loss has stayed at that of random guesses ({loss:.2f}, ln of {texts} texts): nothing is learnt; give a higher "
    "learning_rate, and check that the texts belong to their pictures"
)


class NotFinite(Exception):
    """The loss or its gradient is NaN or infinite; the weights are those before the step."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How long and how large."""

    steps: int
    batch: int
    weight_decay: float
    seed: int
    evaluate_every: int
    patience: int
    #: Steps between checkpoints; None for a time that costs little.
    checkpoint_every: int | None = None


def planned_steps(options: TrainOptions, rows: int) -> int:
    """How many steps a training on so many rows has, without an early stop."""
    epochs = -(-(options.epochs or EPOCHS) * rows // min(options.batch, rows))
    return epochs if options.epochs else options.steps or max(LEAST_STEPS, epochs)


def rate_at(step: int, steps: int, highest: float) -> float:
    """The learning rate of a step: linear warm-up, then half a cosine down to 0."""
    warm_up = max(1, round(WARM_UP * steps))
    return highest * min(1.0, (step + 1) / warm_up) * (1 + math.cos(math.pi * step / steps)) / 2


def train_step(trainee: Trainee, batch: Batch, optimizer: AdamW, rate: float) -> float:
    """One step; returns the loss before it. Raises NotFinite, with the weights as they were."""
    trainee.train(True)
    with trainee.computing():
        loss = trainee.loss(batch)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise NotFinite
    optimizer.clear()
    with fast_products(trainee.device):
        torch.autograd.backward(loss)
    norm = optimizer.norm()
    if not math.isfinite(norm):
        raise NotFinite
    optimizer.step(rate, min(1.0, MOST_NORM / max(norm, 1e-12)))
    trainee.clamp()
    return value


class Loop:
    """One training, from the step that ``progressed`` names on.

    pace: of all steps that are left, those that found the learning rate included.
    """

    def __init__(
        self, trainee: Trainee, rows: Rows, val: Rows | None, settings: LoopSettings, checkpoints: Checkpoints,
        progressed: Progressed, on_step: OnStep | None, pace: Pace,
    ) -> None:  # fmt: skip
        self.trainee, self.rows, self.val, self.settings = trainee, rows, val, settings
        self.checkpoints, self.progressed, self.on_step = checkpoints, progressed, on_step
        self.optimizer = AdamW(trainee.parameters(), settings.weight_decay)
        self._pace = pace
        self._shown: list[float] = []
        self._last_write, self._write_seconds = time.monotonic(), 0.0

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes the weights and the optimizer's state of a checkpoint."""
        self.optimizer.restore(tensors, self.progressed.step)

    def run(self) -> None:
        """Trains until the steps are done or something stops it; the best weights and the end are checkpointed then."""
        progressed, settings = self.progressed, self.settings
        if not progressed.step and not progressed.log:
            self._evaluate()
            self._checkpoint()
        while not progressed.stopped:
            step = progressed.step
            rate = rate_at(step, settings.steps, progressed.learning_rate)
            try:
                loss = self._train(step, rate)
            except NotFinite:
                self._stop_at_nan(rate)
                break
            progressed.step += 1
            self._record(loss, rate)
            if progressed.step >= settings.steps:
                progressed.stopped = "all steps are done"
            self._tell(rate, self._pace.step())
            if not progressed.stopped and self._is_checkpoint_due():
                self._checkpoint()
        self._finish()

    def _train(self, step: int, rate: float) -> float:
        settings = self.settings
        self.trainee.seed_step(settings.seed, step)
        batch = batch_at(self.rows, step, settings.batch, settings.seed)
        loss = train_step(self.trainee, batch, self.optimizer, rate)
        self._shown = [*self._shown[1 - SHOWN_STEPS :], loss]
        if step + 1 == max(FLAT_STEPS, settings.steps // 5):
            self._check_flat(len(batch.texts))
        return loss

    def _record(self, loss: float, rate: float) -> None:
        progressed, settings = self.progressed, self.settings
        progressed.losses.append(loss)
        is_last = progressed.step == settings.steps
        if progressed.step % settings.evaluate_every == 0 or is_last:
            self._evaluate(rate)
        elif len(progressed.losses) >= max(1, settings.steps // LOG_LINES):
            self._log(rate, None)

    def _log(self, rate: float | None, metric: float | None) -> None:
        losses = self.progressed.losses
        mean = sum(losses) / len(losses) if losses else None
        self.progressed.log.append([self.progressed.step, mean, rate, metric])
        losses.clear()

    def _evaluate(self, rate: float | None = None) -> None:
        progressed = self.progressed
        metric = measure(self.trainee, self.val) if self.val is not None else None
        self._log(rate, metric)
        if metric is None:
            return
        if not progressed.step:
            progressed.base_metric = metric
        if progressed.best_metric is None or metric > progressed.best_metric:
            progressed.best_metric, progressed.best_step, progressed.stale = metric, progressed.step, 0
            self._write_best()
            return
        progressed.stale += 1
        if progressed.stale >= self.settings.patience:
            progressed.stopped = f"{progressed.stale} evaluations on val were no better than that of step "
            progressed.stopped += str(progressed.best_step)

    def _write_best(self) -> None:
        weights = {name: one.detach() for name, one in self.trainee.parameters().items()}
        self.checkpoints.write_best(self.progressed.step, weights)

    def _stop_at_nan(self, rate: float) -> None:
        progressed = self.progressed
        kept = "the weights before it" if self.val is None else f"the best weights, of step {progressed.best_step},"
        progressed.stopped = (
            f"the loss of step {progressed.step + 1} is not finite at the learning rate {rate:.2g}; {kept} are kept; "
            f"train again with learning_rate {progressed.learning_rate / 3:.1g}, or without one to have it found"
        )

    def _check_flat(self, texts: int) -> None:
        chance, mean = math.log(max(2, texts)), sum(self._shown) / len(self._shown)
        if self.trainee.loss_name == "infonce" and abs(mean - chance) < FLAT * chance:
            note = NOTHING_LEARNT.format(loss=mean, texts=texts)
            self.progressed.notes.append(note)
            logger.warning(note)

    def _tell(self, rate: float, left: float | None) -> None:
        if self.on_step:
            progressed = self.progressed
            metric = next((line[3] for line in reversed(progressed.log) if line[3] is not None), None)
            self.on_step(
                Step(
                    step=progressed.step, steps=self.settings.steps, loss=sum(self._shown) / len(self._shown),
                    learning_rate=rate, seconds_left=left, metric=metric,
                )
            )  # fmt: skip

    def _is_checkpoint_due(self) -> bool:
        if self.settings.checkpoint_every:
            return self.progressed.step % self.settings.checkpoint_every == 0
        passed = time.monotonic() - self._last_write
        return passed > max(CHECKPOINT_SECONDS, CHECKPOINT_SHARE * self._write_seconds)

    def _checkpoint(self) -> None:
        begun = time.monotonic()
        self.checkpoints.write(self.progressed, self.optimizer.state())
        self._last_write = time.monotonic()
        self._write_seconds = self._last_write - begun
        folder = self.checkpoints.folder.parent
        set_kept(str(folder), f"the checkpoint of step {self.progressed.step} is kept in {folder}; go on with --resume")

    def _finish(self) -> None:
        if self.val is None:
            self.progressed.best_step = self.progressed.step
            self._write_best()
        self._checkpoint()
