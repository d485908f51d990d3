"""Multinomial logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...encoding.features import Vectors
from ...scoring.scales import Float64s, softmax
from .head import HeadKind
from .method import Parts, Setting, cross_validated, log_losses
from .pool import Ints, Pool

#: How much the errors count beside the size of the weights: decades, on unit vectors; the strongest penalty last.
COSTS = (1000.0, 100.0, 10.0, 1.0, 0.1)
_MOST_STEPS = 100
_MOST_HALVINGS = 40
#: The gradient that counts as 0, beside the cost of errors.
_FLAT = 1e-7


def fit_logistic(inputs: Float64s, labels: Ints, classes: int, cost: float, start: Float64s | None = None) -> Float64s:
    """Weights and, in the last row, intercepts [D + 1, K] of the least |W|² / 2 + cost * sum of cross-entropies.

    The intercepts are free of the penalty. inputs: [N, D]. start: weights to begin with. By Newton's method, whose
    steps are found by conjugate gradients and halved until the loss falls. Source: Nocedal & Wright 2006, section 7.1.
    """
    x = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    own = np.eye(classes)[labels]
    # intercepts have a penalty too small to matter, without which they could all rise together
    penalty = np.append(np.ones(inputs.shape[1]), 1e-9)[:, None]

    def loss(weights: Float64s) -> float:
        logits = x @ weights
        most = logits.max(axis=1)
        entropies = most + np.log(np.exp(logits - most[:, None]).sum(axis=1)) - (logits * own).sum(axis=1)
        return float((penalty * weights**2).sum() / 2 + cost * entropies.sum())

    weights = np.zeros((x.shape[1], classes)) if start is None else start
    value = loss(weights)
    for _ in range(_MOST_STEPS):
        shares = softmax(x @ weights)
        gradient = penalty * weights + cost * x.T @ (shares - own)
        if np.abs(gradient).max() <= _FLAT * cost:
            break
        step = _newton_step(x, shares, penalty, cost, gradient)
        for halving in range(_MOST_HALVINGS):
            candidate = weights - step / 2**halving
            if (less := loss(candidate)) < value:
                break
        else:
            # no step lowers the loss: converged to the precision of the numbers
            break
        weights, value = candidate, less
    return weights


def _newton_step(x: Float64s, shares: Float64s, penalty: Float64s, cost: float, gradient: Float64s) -> Float64s:
    """The solution of Hessian @ step = gradient, as exact as it is worth at this gradient."""

    def curved(direction: Float64s) -> Float64s:
        moved = x @ direction
        product: Float64s = penalty * direction + cost * x.T @ (
            shares * (moved - (shares * moved).sum(axis=1, keepdims=True))
        )
        return product

    step, rest = np.zeros_like(gradient), gradient.copy()
    direction, length = rest.copy(), float((rest**2).sum())
    enough = length * min(0.25, length**0.5) ** 2
    for _ in range(gradient.size):
        bent = curved(direction)
        share = length / float((direction * bent).sum())
        step += share * direction
        rest -= share * bent
        shorter = float((rest**2).sum())
        if shorter <= enough:
            break
        direction, length = rest + shorter / length * direction, shorter
    return step


class LogisticMethod:
    """A head by logistic regression; its setting is the cost of errors."""

    kind: HeadKind = "logistic"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.settings: tuple[Setting, ...] = tuple({"cost": cost} for cost in COSTS)

    def left_out(self) -> list[Float64s]:
        def predict(train: Pool, features: Vectors) -> list[Float64s]:
            return [features @ weights + bias for weights, bias in _path(train)]

        return cross_validated(self._pool, predict, len(self.settings))

    def losses(self, left_out: Sequence[Float64s]) -> list[float]:
        return log_losses(left_out, self._pool)

    def parts(self, setting: Setting) -> Parts:
        ((weights, bias),) = _path(self._pool, [setting["cost"]])
        return Parts(weights=weights.T, bias=bias)


def _path(pool: Pool, costs: tuple[float, ...] | list[float] = COSTS) -> list[tuple[Float64s, Float64s]]:
    """Weights [D, K] and intercepts [K] for each cost.

    The best weights lie in the span of the centred rows, so that the search has no more dimensions than there are rows.
    """
    features = pool.features.astype(np.float64)
    mean = features.mean(axis=0)
    left, lengths, basis = np.linalg.svd(features - mean, full_matrices=False)
    kept = lengths > lengths.max(initial=0.0) * 1e-10
    inputs, basis = left[:, kept] * lengths[kept], basis[kept]
    found: dict[float, Float64s] = {}
    start = None
    # from the strongest penalty on, each from the solution of the last
    for cost in sorted(costs):
        start = found[cost] = fit_logistic(inputs, pool.labels, len(pool.classes), cost, start)
    solutions = ((basis.T @ found[cost][:-1], found[cost][-1]) for cost in costs)
    return [(weights, bias - mean @ weights) for weights, bias in solutions]
