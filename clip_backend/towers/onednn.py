"""Linear layers by oneDNN with weights packed beforehand, where this torch and processor have that."""

from __future__ import annotations

import functools
from typing import cast

import torch

#: What oneDNN can do to a product while it is still in the cache: its name and its variant.
_FUSED = {"": ("none", ""), "gelu": ("gelu", "none"), "gelu_tanh": ("gelu", "tanh"), "silu": ("swish", "")}
#: Weights are packed for products of about this many rows; other numbers of rows work as well.
_ROWS = 512
_TOLERANCE = {torch.float32: 3e-6, torch.bfloat16: 2e-2}


def pack(weight: torch.Tensor) -> torch.Tensor:
    """The weight [out, in] in the order in which oneDNN reads it: an opaque tensor of the same size."""
    return cast(torch.Tensor, torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _ROWS))


def unpack(packed: torch.Tensor) -> torch.Tensor:
    """The very weight that was packed."""
    return packed.to_dense()


def linear(x: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None, then: str = "") -> torch.Tensor:
    """``then(x @ weight.T + bias)``; then: "" for nothing, "gelu", "gelu_tanh" or "silu"."""
    name, variant = _FUSED[then]
    return cast(torch.Tensor, torch.ops.mkldnn._linear_pointwise(x, packed, bias, name, [], variant))


@functools.cache
def works(dtype: torch.dtype) -> bool:
    """Whether the functions above are there and compute rightly in this type of number; tried once.

    They are not part of torch's public face: any torch may come without them, or with another signature.
    """
    has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if dtype not in _TOLERANCE or not has_onednn or not torch.backends.mkldnn.enabled:
        return False
    rows = torch.arange(96, dtype=torch.float32)
    x = torch.cos(rows.outer(rows[:64])).to(dtype)  # [96, 64]
    weight = torch.sin(rows[:80].outer(rows[:64]) + 1).to(dtype)  # [80, 64]
    try:
        packed = pack(weight)
        products = [linear(x, packed, None, then) for then in _FUSED]
        back = unpack(packed)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
    exact = x.double() @ weight.double().T
    right = (
        exact,
        torch.nn.functional.gelu(exact),
        torch.nn.functional.gelu(exact, approximate="tanh"),
        torch.nn.functional.silu(exact),
    )
    error = max(float((product - answer).abs().max()) for product, answer in zip(products, right, strict=True))
    return bool(torch.equal(back, weight)) and error <= _TOLERANCE[dtype] * float(exact.abs().max())
