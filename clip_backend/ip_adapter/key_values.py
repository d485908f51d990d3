"""An adapter's keys and values as a module that ComfyUI loads and offloads with the diffusion model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ...errors import InputError
from .weights import Pair

#: Epsilon of InstantX's norm of keys and values.
NORM_EPSILON = 1e-5
#: The end of scalings whose weight is smaller at narrow attentions, and the width at which it is whole.
PENALTY, PENALTY_WIDTH = " w/ C penalty", 1280


class _PairModule(nn.Module):
    """One pair; on the CPU it holds the adapter's own tensors, wherever it was before."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        named = {"k": pair.k, "v": pair.v, "k_bias": pair.k_bias, "v_bias": pair.v_bias}
        self._own = {name: tensor for name, tensor in named.items() if tensor is not None}
        for name, tensor in self._own.items():
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> _PairModule:
        apply: Callable[..., object] = super()._apply
        apply(fn, recurse)
        for name, tensor in self._own.items():
            parameter = self.get_parameter(name)
            # a copy of its own would stay in main memory after every offloading
            if parameter.device == tensor.device:
                parameter.data = tensor
        return self


class PairWeights(nn.Module):
    """All pairs of an adapter, each a module of its own, so that they can be moved one by one."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        super().__init__()
        self.pairs = nn.ModuleList(_PairModule(pair) for pair in pairs)

    def key_values(self, site: int, tokens: Tensor, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """(keys, values) [R, T, width] of the tokens [R, T, length], wherever the weights are.

        Raises InputError if they are not finite in that dtype, which would give black pictures.
        """
        module = self.pairs[site]
        # once per run: rounded once, and weights in float16 keep their digits in a model in bfloat16
        given = tokens.to(device, torch.float32)
        found = []
        for name in ("k", "v"):
            bias = getattr(module, f"{name}_bias", None)
            weight = module.get_parameter(name).to(device, torch.float32)
            projected = linear(given, weight, None if bias is None else bias.to(device, torch.float32)).to(dtype)
            if not bool(torch.isfinite(projected).all()):
                raise InputError(
                    f"the adapter's {'keys' if name == 'k' else 'values'} for attention {site + 1} are not finite in "
                    f"{str(dtype).removeprefix('torch.')}, which would make the picture black; the adapter file is "
                    "damaged, or its numbers need bfloat16 or float32"
                )
            found.append(projected)
        return found[0], found[1]


def head_norm(numbers: Tensor, heads: int) -> Tensor:
    """[R, T, width] with every head divided by its root mean square."""
    split = numbers.reshape(*numbers.shape[:2], heads, -1)
    mean = split.float().pow(2).mean(-1, keepdim=True)
    return (split * torch.rsqrt(mean + NORM_EPSILON).to(split.dtype)).reshape(numbers.shape)


def scaled(how: str, k: Tensor, v: Tensor, weight: float) -> tuple[Tensor, Tensor, float]:
    """(keys, values, factor on what an attention reads from them) for one of ``SCALINGS``.

    k, v: [B, T, width]. The mean of the values is that over their T tokens.
    """
    if how == "V only":
        return k, v, weight
    if how.endswith(PENALTY):
        weight *= k.shape[-1] / PENALTY_WIDTH
    if how.removesuffix(PENALTY) == "K+V":
        return k * weight, v * weight, 1.0
    return k * weight, v + v.mean(1, keepdim=True) * (weight - 1), 1.0
