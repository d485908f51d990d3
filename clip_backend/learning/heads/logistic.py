"""Multinomial logistic regression."""

from __future__ import annotations

import numpy as np

from ...encoding.features import Vectors
from ...scoring.scales import Float64s
from .head import HeadKind
from .method import Parts, Setting, cross_validated, error_loss
from .pool import Ints, Pool

#: How much the errors count beside the size of the weights: decades, on unit vectors; the strongest penalty last.
COSTS = tuple(10.0**power for power in range(5, -3, -1))
_MOST_STEPS = 500
_MEMORY = 20


def fit_logistic(inputs: Float64s, labels: Ints, classes: int, cost: float, start: Float64s | None = None) -> Float64s:
    """Weights and, in the last row, intercepts [D + 1, K] of the least |W|² / 2 + cost * sum of cross-entropies.

    The intercepts are free of the penalty. inputs: [N, D]. start: weights to begin with. By L-BFGS in float64.
    """
    import torch

    x = torch.from_numpy(np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1))
    y = torch.from_numpy(labels)
    begin = np.zeros((x.shape[1], classes)) if start is None else start
    with torch.inference_mode(False), torch.enable_grad():
        weights = torch.tensor(begin, requires_grad=True)
        steps = torch.optim.LBFGS(
            [weights], max_iter=_MOST_STEPS, history_size=_MEMORY, tolerance_grad=1e-7 * cost, tolerance_change=1e-12,
            line_search_fn="strong_wolfe",
        )  # fmt: skip

        def loss() -> torch.Tensor:
            steps.zero_grad()
            entropy = torch.nn.functional.cross_entropy(x @ weights, y, reduction="sum")
            value = (weights[:-1] ** 2).sum() / 2 + cost * entropy
            value.backward()
            return value

        steps.step(loss)
    found: Float64s = weights.detach().numpy()
    return found


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

    def loss(self, logits: Float64s) -> float:
        return error_loss(logits, self._pool)

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
