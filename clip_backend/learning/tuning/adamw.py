"""AdamW in a few tensor operations: torch's own imports its compiler, which takes seconds, and holds what we must save.

Source: Loshchilov & Hutter 2019, algorithm 2, in the order of torch.optim.AdamW.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

#: torch's defaults, which suit CLIP's towers with small batches.
BETAS, EPSILON = (0.9, 0.999), 1e-8


class AdamW:
    """The optimizer of some parameters, by name; single numbers, biases and norms do not decay, as in open_clip."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], weight_decay: float) -> None:
        self.parameters = dict(parameters)
        self.weight_decay = weight_decay
        #: Steps done.
        self.count = 0
        self._first = {name: torch.zeros_like(one) for name, one in parameters.items()}
        self._second = {name: torch.zeros_like(one) for name, one in parameters.items()}

    def norm(self) -> float:
        """The length of the gradient of all parameters together; NaN or infinite if any number of it is."""
        return float(torch.stack([one.grad.norm() for one in self.parameters.values() if one.grad is not None]).norm())

    @torch.no_grad()
    def step(self, rate: float, gradient_scale: float = 1.0) -> None:
        """One step at a learning rate, with gradients times a factor."""
        self.count += 1
        first, second = BETAS
        size = rate / (1 - first**self.count)
        root = math.sqrt(1 - second**self.count)
        for name, one in self.parameters.items():
            if one.grad is None:
                continue
            gradient = one.grad if gradient_scale == 1 else one.grad.mul_(gradient_scale)
            if one.ndim > 1:
                one.mul_(1 - rate * self.weight_decay)
            mean, square = self._first[name], self._second[name]
            mean.lerp_(gradient, 1 - first)
            square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
            one.addcdiv_(mean, (square.sqrt() / root).add_(EPSILON), value=-size)

    def clear(self) -> None:
        """Drops the gradients."""
        for one in self.parameters.values():
            one.grad = None

    def state(self) -> dict[str, Tensor]:
        """Weights and moments, not to be written to; ``count`` is not in it."""
        found: dict[str, Tensor] = {f"weight/{name}": one.detach() for name, one in self.parameters.items()}
        found |= {f"first/{name}": one for name, one in self._first.items()}
        return found | {f"second/{name}": one for name, one in self._second.items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor], count: int) -> None:
        """Takes what ``state`` gave after ``count`` steps."""
        self.count = count
        for name, one in self.parameters.items():
            one.copy_(state[f"weight/{name}"])
            self._first[name].copy_(state[f"first/{name}"])
            self._second[name].copy_(state[f"second/{name}"])
