"""What this processor is fast at: bfloat16, and float32 products by oneDNN instead of MKL."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

#: The relative error up to which a product still counts as one in float32; bfloat16 is at 4e-3.
_SINGLE = 3e-6


@functools.cache
def has_fast_bf16() -> bool:
    """Whether the processor multiplies bfloat16 numbers itself, by AVX-512 or AMX; without that they are slower."""
    read = getattr(torch.cpu, "get_capabilities", None)
    if read is not None:
        capabilities = read()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    # torch before 2.11 tells by other names, and before 2.5 not at all
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check() for check in checks if check is not None)


@functools.cache
def is_medium_exact() -> bool:
    """Whether products at torch's "medium" precision are still true float32 here; measured once.

    On AMD processors that setting leads from MKL to oneDNN, which is twice as fast and as exact. On others it may
    compute in bfloat16 or on another path altogether: there the setting is left alone.
    """
    ramp = torch.arange(256, dtype=torch.float32)
    left, right = torch.cos(ramp.outer(ramp)), torch.sin(ramp.outer(ramp) + 1)  # [256, 256]
    with _Medium():
        product = torch.nn.functional.linear(left, right)
    exact = left.double() @ right.double().T
    return float((product - exact).abs().max() / exact.abs().max()) <= _SINGLE


class _Medium:
    """A scope at "medium" precision; the setting is the process's, so scopes of several threads share it."""

    _lock = threading.Lock()
    _depth = 0
    _before: str | None = None

    def __enter__(self) -> None:
        with _Medium._lock:
            if _Medium._depth == 0:
                _Medium._before = _precision()
                if _Medium._before is not None:
                    torch.set_float32_matmul_precision("medium")
            _Medium._depth += 1

    def __exit__(self, *error: object) -> None:
        with _Medium._lock:
            _Medium._depth -= 1
            if _Medium._depth == 0 and _Medium._before is not None:
                torch.set_float32_matmul_precision(_Medium._before)


def _precision() -> str | None:
    """The setting; None if the program set its precision by torch's newer names, which do not go with this one."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


@contextmanager
def fast_products(device: torch.device) -> Iterator[None]:
    """A scope in which float32 products on the processor go the fastest way that is still exact.

    Nothing is changed for other devices, whose own setting of precision is the user's.
    """
    if device.type != "cpu" or not is_medium_exact():
        yield
        return
    with _Medium():
        yield
