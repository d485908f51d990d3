"""Finding the learning rate: by a test that raises it step by step, or by short trainings compared on val."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from .adamw import AdamW
from .loop import LoopSettings, NotFinite, rate_at, train_step
from .measure import measure
from .result import SEARCH, OnStep, Pace, Step
from .rows import Rows, batch_at
from .trainee import Trainee

#: The range test: steps, first and last rate, weight of the latest loss, growth of the loss that ends it, and the
#: share of the rate of the lowest loss that is chosen. Source: Smith 2017; fastai's lr_find.
TEST_STEPS, LOWEST, HIGHEST, LATEST, GROWTH, SHARE = 48, 1e-6, 1.0, 0.3, 1.5, 0.03
#: The rates that are compared on val.
GRIDS = {"lora": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), "full": (1e-6, 1e-5, 1e-4, 3e-4, 1e-3)}
#: The least steps of each of them.
GRID_STEPS = 20
Tried = list[list[float]]


class Searched:
    """Tells of the steps that find the learning rate."""

    def __init__(self, steps: int, pace: Pace, on_step: OnStep | None) -> None:
        self._steps, self._step, self._pace, self._on_step = steps, 0, pace, on_step

    def step(self, loss: float, rate: float) -> None:
        """Called after each."""
        self._step += 1
        left = self._pace.step()
        if self._on_step:
            told = Step(
                stage=SEARCH, step=self._step, steps=self._steps, loss=loss, learning_rate=rate, seconds_left=left
            )  # fmt: skip
            self._on_step(told)

    def end(self) -> None:
        """Called when no more follow, whether or not all were done."""
        self._pace.skip(self._steps - self._step)


def search_steps(search: str, steps: int) -> int:
    """The most steps that a search takes, "range" or "grid", before a training of so many steps."""
    return TEST_STEPS if search == "range" else len(GRIDS["full"]) * grid_steps(steps)


def grid_steps(steps: int) -> int:
    """Steps for each rate of a grid."""
    return max(GRID_STEPS, steps // 10)


def range_test(trainee: Trainee, rows: Rows, settings: LoopSettings, searched: Searched) -> tuple[float, Tried]:
    """The rate, and the smoothed loss at each rate that was tried; the weights are as before."""
    before, optimizer = _weights(trainee), AdamW(trainee.parameters(), settings.weight_decay)
    smoothed, tried = 0.0, list[list[float]]()
    for step in range(TEST_STEPS):
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / (TEST_STEPS - 1))
        trainee.seed_step(settings.seed, step)
        try:
            loss = train_step(trainee, batch_at(rows, step, settings.batch, settings.seed), optimizer, rate)
        except NotFinite:
            break
        smoothed += LATEST * (loss - smoothed)
        # as if the losses before the first had been equal to the mean
        tried.append([rate, smoothed / (1 - (1 - LATEST) ** (step + 1))])
        searched.step(loss, rate)
        if tried[-1][1] > GROWTH * min(value for _, value in tried):
            break
    _restore(trainee, before)
    searched.end()
    lowest = min(tried, key=lambda one: one[1])[0] if tried else LOWEST / SHARE
    return SHARE * lowest, tried


def grid_search(
    trainee: Trainee,
    rows: Rows,
    val: Rows | None,
    settings: LoopSettings,
    rates: tuple[float, ...],
    searched: Searched,
) -> tuple[float, Tried]:
    """The rate whose short training is best on val, and the metric of each; without val by the last losses, negated.

    Of equal metrics the one of the lower loss. The weights are as before.
    """
    before, tried = _weights(trainee), list[list[float]]()
    steps = grid_steps(settings.steps)
    scores: list[tuple[float, float]] = []
    for rate in rates:
        optimizer, losses = AdamW(trainee.parameters(), settings.weight_decay), list[float]()
        try:
            for step in range(steps):
                trainee.seed_step(settings.seed, step)
                batch = batch_at(rows, step, settings.batch, settings.seed)
                losses.append(train_step(trainee, batch, optimizer, rate_at(step, steps, rate)))
                searched.step(losses[-1], rate)
            loss = sum(losses[-10:]) / len(losses[-10:])
            score = measure(trainee, val) if val is not None else -loss
        except NotFinite:
            loss, score = math.inf, -math.inf
        scores.append((score, -loss))
        if math.isfinite(score):
            tried.append([rate, score])
        _restore(trainee, before)
    searched.end()
    return rates[max(range(len(rates)), key=scores.__getitem__)], tried


def _weights(trainee: Trainee) -> dict[str, Tensor]:
    return {name: one.detach().clone() for name, one in trainee.parameters().items()}


def _restore(trainee: Trainee, weights: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, one in trainee.parameters().items():
            one.copy_(weights[name])
            one.grad = None
