"""Fast linear layers on a processor: bfloat16 where it is fast, float32 products by oneDNN, packed weights."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, cast

import torch
from torch import nn
from torch.nn import functional

from ..checkpoints.info import Activation

#: The largest relative error of a float32 product; that of bfloat16 is 4e-3.
_SINGLE = 3e-6


@functools.cache
def has_fast_bf16() -> bool:
    """Whether the processor multiplies bfloat16 numbers itself, by AVX-512 or AMX; without that they are slower."""
    read = getattr(torch.cpu, "get_capabilities", None)
    if read is not None:
        capabilities = read()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    # torch before 2.11 has other names for it, and before 2.5 none
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check() for check in checks if check is not None)


def computes_on_cpu(dtype: torch.dtype) -> bool:
    """Whether a processor computes in this dtype; weights of another are cast to float32 for each product."""
    return dtype == torch.float32 or (dtype == torch.bfloat16 and has_fast_bf16())


@functools.cache
def is_medium_exact() -> bool:
    """Whether products at torch's "medium" precision are still true float32 here; measured once.

    On AMD processors that setting leads from MKL to oneDNN, which is twice as fast and as exact. On others it may
    compute in bfloat16 or on another path altogether: there the setting is left alone.
    """
    ramp = torch.arange(256, dtype=torch.float32)
    left, right = torch.cos(ramp.outer(ramp)), torch.sin(ramp.outer(ramp) + 1)  # [256, 256]
    with _MediumPrecision():
        product = functional.linear(left, right)
    exact = left.double() @ right.double().T
    return float((product - exact).abs().max() / exact.abs().max()) <= _SINGLE


class _MediumPrecision:
    """A scope at "medium" precision; the setting is global, so scopes of several threads share it."""

    _lock = threading.Lock()
    _depth = 0
    _before: str | None = None

    def __enter__(self) -> None:
        with _MediumPrecision._lock:
            if _MediumPrecision._depth == 0:
                try:
                    _MediumPrecision._before = torch.get_float32_matmul_precision()
                    torch.set_float32_matmul_precision("medium")
                except RuntimeError:
                    # the program used torch's newer settings, which exclude this one
                    _MediumPrecision._before = None
            _MediumPrecision._depth += 1

    def __exit__(self, *error: object) -> None:
        with _MediumPrecision._lock:
            _MediumPrecision._depth -= 1
            if _MediumPrecision._depth == 0 and _MediumPrecision._before is not None:
                torch.set_float32_matmul_precision(_MediumPrecision._before)


def fast_products(device: torch.device) -> AbstractContextManager[None]:
    """A scope in which float32 products on the processor use the fastest exact implementation.

    Other devices keep the user's precision setting.
    """
    return _MediumPrecision() if device.type == "cpu" and is_medium_exact() else nullcontext()


Fusible = Activation | Literal[""]
#: Activations that oneDNN fuses into a product: its name and variant for each.
_FUSED: dict[Fusible, tuple[str, str]] = {
    "": ("none", ""),
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
    "silu": ("swish", ""),
}
#: Weights are packed for products of about this many rows; other numbers of rows work as well.
_ROWS = 512
_TOLERANCE = {torch.float32: 3e-6, torch.bfloat16: 2e-2}


def pack(weight: torch.Tensor) -> torch.Tensor:
    """The weight [out, in] in oneDNN's blocked layout: an opaque tensor of the same size."""
    return cast(torch.Tensor, torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _ROWS))


def linear(x: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None, activation: Fusible) -> torch.Tensor:
    """``activation(x @ weight.T + bias)``; activation: "" for none, "gelu", "gelu_tanh" or "silu"."""
    name, variant = _FUSED[activation]
    return cast(torch.Tensor, torch.ops.mkldnn._linear_pointwise(x, packed, bias, name, [], variant))


@functools.cache
def can_pack(dtype: torch.dtype) -> bool:
    """Whether the functions above exist and are exact in this dtype; tried once.

    They are not part of torch's public API: another version may lack them or change their signature.
    """
    has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if dtype not in _TOLERANCE or not has_onednn or not torch.backends.mkldnn.enabled:
        return False
    rows = torch.arange(96, dtype=torch.float32)
    x = torch.cos(rows.outer(rows[:64])).to(dtype)  # [96, 64]
    weight = torch.sin(rows[:80].outer(rows[:64]) + 1).to(dtype)  # [80, 64]
    try:
        packed = pack(weight)
        products = [linear(x, packed, None, activation) for activation in _FUSED]
        back = packed.to_dense()
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
    exact = x.double() @ weight.double().T
    expected = [activate(exact, activation) if activation else exact for activation in _FUSED]
    error = max(float((product - answer).abs().max()) for product, answer in zip(products, expected, strict=True))
    return bool(torch.equal(back, weight)) and error <= _TOLERANCE[dtype] * float(exact.abs().max())


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
    """``x [..., in] -> activation(x @ weight.T + bias) [..., out]``.

    names: the names, relative to the parent module, under which equal parts of its rows are in a state dict, such as
    ``("q_proj.", "k_proj.", "v_proj.")`` for a fused projection; by default its own name.

    gains: factors of the packed weight and bias. As oneDNN computes quick_gelu by silu, see ``QUICK``, the layer with
    quick_gelu takes gains of 1.702, and the next layer's weight a gain of 1 / 1.702.

    A packed weight is an opaque tensor for the processor. ``weight`` is then a meta tensor of the true shape and dtype,
    and a move to another device or dtype unpacks it first.
    """

    def __init__(
        self,
        width: int,
        out: int,
        *,
        bias: bool = True,
        names: Sequence[str] = (),
        gains: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, width), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(out), requires_grad=False) if bias else None
        self.names, self.gains = tuple(names), gains
        self._packed: torch.Tensor | None = None
        self._packed_bias: torch.Tensor | None = None

    @property
    def is_packed(self) -> bool:
        """Whether the weight is packed."""
        return self._packed is not None

    def forward(self, x: torch.Tensor, activation: Fusible = "") -> torch.Tensor:
        """The product, then the activation if any; see the class about quick_gelu in packed layers."""
        if self._packed is not None:
            fused = "silu" if activation == "quick_gelu" else activation
            return linear(x, self._packed, self._packed_bias, fused)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        product = functional.linear(x, self.weight.to(x.dtype), bias)
        return activate(product, activation) if activation else product

    def pack(self, dtype: torch.dtype) -> None:
        """Packs the weight in this dtype and drops the original."""
        weight, (gain, bias_gain) = self.weight.data, self.gains
        self._packed = pack((weight if gain == 1 else weight.float() * gain).to(dtype))
        self.weight = nn.Parameter(torch.empty(weight.shape, dtype=dtype, device="meta"), requires_grad=False)
        if self.bias is not None:
            bias = self.bias.data
            self._packed_bias = (bias.float() * bias_gain).to(dtype)
            self.bias = nn.Parameter(bias.to(dtype, copy=True), requires_grad=False)

    def unpack(self) -> None:
        """Makes the weight a plain parameter again; one that had a gain is restored up to rounding."""
        if self._packed is None:
            return
        self.weight = nn.Parameter(self._plain(self._packed), requires_grad=False)
        self._packed = self._packed_bias = None

    def _plain(self, packed: torch.Tensor) -> torch.Tensor:
        weight, gain = packed.to_dense(), self.gains[0]
        return weight if gain == 1 else (weight.float() / gain).to(weight.dtype)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles get the plain weight, since they cannot hold an opaque tensor."""
        state = dict(self.__dict__)
        if self._packed is not None:
            plain = nn.Parameter(self._plain(self._packed), requires_grad=False)
            state |= {"_parameters": {**self._parameters, "weight": plain}, "_packed": None, "_packed_bias": None}
        return state

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Linear:
        """What ``to``, ``half`` and ``cuda`` call; a move that changes nothing keeps the packed weight."""
        if self._packed is not None:
            moved = fn(torch.empty(0, dtype=self.weight.dtype))
            if moved.device.type == "cpu" and moved.dtype == self.weight.dtype:
                return self
            self.unpack()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def names_in_state(self, prefix: str, key: str) -> list[str]:
        """The names of the parts of ``weight`` or ``bias`` in a state dict; prefix: its own, with a dot."""
        above = prefix[: prefix.rstrip(".").rfind(".") + 1]
        return [above + name + key for name in self.names] or [prefix + key]

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        for key, tensor in self.named_parameters(recurse=False):
            names = self.names_in_state(prefix, key)
            parts = (tensor if keep_vars else tensor.detach()).chunk(len(names))
            destination.update(zip(names, parts, strict=True))
