"""Where a model computes and in which type of number, from the words that users know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    import torch

#: "auto": accurate, that is fp32 on the processor and fp16 on a device; "fast": bf16 where the processor is fast at it.
DTYPES = ("auto", "fast", "fp32", "fp16", "bf16")
_LONG_NAMES = {"float32": "fp32", "float16": "fp16", "half": "fp16", "bfloat16": "bf16"}


def choose_device(given: str | torch.device) -> torch.device:
    """The device of this name; "auto" is a graphics card if torch sees one.

    Raises InputError for a name that torch does not know or a device that is not there.
    """
    import torch

    if str(given) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(given)
    except RuntimeError as error:
        raise InputError(f"device is {str(given)!r}; give auto, cpu, cuda or mps") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device is {device}, but torch sees {torch.cuda.device_count()} such cards; give auto or cpu")
    return device


def choose_dtype(given: str | torch.dtype, device: torch.device) -> str:
    """ "fp32", "fp16" or "bf16" from one of DTYPES, or from torch's own types and their names."""
    name = str(given).removeprefix("torch.")
    name = _LONG_NAMES.get(name, name)
    if name not in DTYPES:
        raise InputError(f"dtype is {name!r}; it must be one of {', '.join(DTYPES)}")
    if name in ("auto", "fast"):
        return _chosen(device, fast=name == "fast")
    return name


def _chosen(device: torch.device, *, fast: bool) -> str:
    from .towers.processor import has_fast_bf16

    if device.type != "cpu":
        return "fp16"
    return "bf16" if fast and has_fast_bf16() else "fp32"


def torch_dtype(name: str) -> torch.dtype:
    """torch's type for "fp32", "fp16" or "bf16"."""
    import torch

    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[name]
