"""Muon, the optimizer of matrices (Jordan et al. 2024), in float32: torch's computes in bfloat16, slow on most CPUs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import torch

#: Coefficients and number of the Newton-Schulz steps; the polynomial takes singular values into about 0.7..1.2.
_POLYNOMIAL = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon:
    """Momentum whose direction is orthogonalised, so that every direction of a matrix learns at the same rate.

    Steps have the root mean square of AdamW's (Liu et al. 2025), so that its learning rates fit.
    """

    def __init__(self, matrices: Sequence[torch.Tensor], *, momentum: float = 0.95, weight_decay: float = 0.01) -> None:
        #: The learning rate, where torch's optimizers have it.
        self.param_groups = [{"lr": 1e-3}]
        self._momentum, self._weight_decay = momentum, weight_decay
        self._by_shape: dict[torch.Size, list[tuple[torch.Tensor, torch.Tensor]]] = defaultdict(list)
        for matrix in matrices:
            self._by_shape[matrix.shape].append((matrix, torch.zeros_like(matrix)))

    @torch.no_grad()
    def step(self) -> None:
        """One step by the gradients; matrices of one shape are orthogonalised together."""
        rate = self.param_groups[0]["lr"]
        for shape, pairs in self._by_shape.items():
            directions = orthogonalised(torch.stack([self._direction(*pair) for pair in pairs]))
            size = 0.2 * math.sqrt(max(shape))
            for (matrix, _), direction in zip(pairs, directions, strict=True):
                matrix.mul_(1 - rate * self._weight_decay).add_(direction, alpha=-rate * size)

    def _direction(self, matrix: torch.Tensor, average: torch.Tensor) -> torch.Tensor:
        """Nesterov's momentum of the gradients, whose average is updated."""
        gradient = matrix.grad if matrix.grad is not None else torch.zeros_like(matrix)
        average.lerp_(gradient, 1 - self._momentum)
        return gradient.lerp(average, self._momentum)


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """[B, M, N] -> [B, M, N] with the same singular vectors and singular values of about 1."""
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    result: torch.Tensor = matrices.mT if is_tall else matrices
    result = result / (result.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    first, second, third = _POLYNOMIAL
    for _ in range(_ITERATIONS):
        square = result @ result.mT
        result = first * result + (second * square + third * square @ square) @ result
    return result.mT if is_tall else result
