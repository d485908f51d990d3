"""A linear layer whose weights may be packed for the processor, and whose activation is then fused into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional

from ..checkpoint_info import Activation
from . import onednn

#: quick_gelu(x) = x * sigmoid(1.702 x) = silu(1.702 x) / 1.702, and silu is what oneDNN can fuse.
QUICK = 1.702


def activate(x: torch.Tensor, activation: Activation) -> torch.Tensor:
    """The activation of each number."""
    if activation == "quick_gelu":
        return x * torch.sigmoid(QUICK * x)
    if activation == "silu":
        return functional.silu(x)
    return functional.gelu(x, approximate="tanh" if activation == "gelu_tanh" else "none")


class Linear(nn.Module):
    """``x [..., in] -> then(x @ weight.T + bias) [..., out]``.

    names: under which names, as seen from the module above, its rows stand in a state dict, in equal shares:
    ``("q_proj.", "k_proj.", "v_proj.")`` for a fused projection; by default its own.

    Packed, the weight is an opaque tensor that only the processor reads. ``weight`` is then a meta tensor of the true
    shape and type, so that sizes can be told as always, and a move to another device or type unpacks it first.
    """

    def __init__(self, width: int, out: int, *, bias: bool = True, names: Sequence[str] = ()) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, width), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(out), requires_grad=False) if bias else None
        self.names = tuple(names)
        self._packed: torch.Tensor | None = None
        self._packed_bias: torch.Tensor | None = None
        self._gain = 1.0

    @property
    def is_packed(self) -> bool:
        """Whether the weight is in the order of oneDNN."""
        return self._packed is not None

    def forward(self, x: torch.Tensor, then: Activation | Literal[""] = "") -> torch.Tensor:
        """The product, activated if ``then`` says so; of packed layers see ``pack`` about quick_gelu."""
        if self._packed is not None:
            fused = "silu" if then == "quick_gelu" else then
            return onednn.linear(x, self._packed, self._packed_bias, fused)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        product = functional.linear(x, self.weight.to(x.dtype), bias)
        return activate(product, then) if then else product

    def pack(self, dtype: torch.dtype, gain: float = 1.0, bias_gain: float = 1.0) -> None:
        """Packs the weight in this type and drops the original.

        With quick_gelu fused in, the layer wants a gain of 1.702 on weight and bias, answers 1.702 times too much,
        and so the next layer's weight wants a gain of 1 / 1.702.
        """
        weight = self.weight.data
        self._packed = onednn.pack((weight if gain == 1 else weight.float() * gain).to(dtype))
        self._gain = gain
        self.weight = nn.Parameter(torch.empty(weight.shape, dtype=dtype, device="meta"), requires_grad=False)
        if self.bias is not None:
            bias = self.bias.data
            self._packed_bias = (bias.float() * bias_gain).to(dtype)
            self.bias = nn.Parameter(bias.to(dtype, copy=True), requires_grad=False)

    def unpack(self) -> None:
        """The weight is a plain parameter again; one that had a gain comes back within a rounding."""
        if self._packed is None:
            return
        self.weight = nn.Parameter(self._plain(self._packed), requires_grad=False)
        self._packed = self._packed_bias = None

    def _plain(self, packed: torch.Tensor) -> torch.Tensor:
        weight = onednn.unpack(packed)
        return weight if self._gain == 1 else (weight.float() / self._gain).to(weight.dtype)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of: the plain weight, since an opaque tensor can be in neither."""
        state = dict(self.__dict__)
        if self._packed is not None:
            plain = nn.Parameter(self._plain(self._packed), requires_grad=False)
            state |= {"_parameters": {**self._parameters, "weight": plain}, "_packed": None, "_packed_bias": None}
        return state

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Linear:
        """What ``to``, ``half``, ``cuda`` and the like do to the tensors; a move within the processor does nothing."""
        if self._packed is not None:
            moved = fn(torch.empty(0, dtype=self.weight.dtype))
            if moved.device.type == "cpu" and moved.dtype == self.weight.dtype:
                return self
            self.unpack()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def names_in_state(self, prefix: str, key: str) -> list[str]:
        """Under which names the shares of ``weight`` or ``bias`` stand in a state dict; prefix: its own, with a dot."""
        above = prefix[: prefix.rstrip(".").rfind(".") + 1]
        return [above + name + key for name in self.names] or [prefix + key]

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        for key, tensor in self.named_parameters(recurse=False):
            names = self.names_in_state(prefix, key)
            shares = (tensor if keep_vars else tensor.detach()).chunk(len(names))
            destination.update(zip(names, shares, strict=True))
