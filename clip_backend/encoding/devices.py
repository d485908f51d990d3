"""Where a model computes and in which type of number, from the words that users know."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import InputError, LimitError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..finding.folders import StrPath
    from ..tokenizing.tokenizer import Tokenizer
    from .batching import Placement

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
    from ..towers.cpu import has_fast_bf16

    if device.type != "cpu":
        return "fp16"
    return "bf16" if fast and has_fast_bf16() else "fp32"


def torch_dtype(name: str) -> torch.dtype:
    """torch's type for "fp32", "fp16" or "bf16"."""
    import torch

    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[name]


_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}
_GIB = 1 << 30


def weight_bytes(parameters: int, dtype: str) -> int:
    """The memory of so many weights."""
    return parameters * _BYTES[dtype]


def check_fits(name: str, needed: int, free: int | None, where: str) -> None:
    """Raises LimitError if more bytes are needed than are free; unknown free memory is taken for enough."""
    if free is not None and needed > free:
        cure = "choose dtype='fp16' or a smaller model, close other programs" + (
            "" if where == "cpu" else " or use cpu"
        )
        raise LimitError(
            f"{name} does not fit: it needs {needed / _GIB:.1f} GiB and {where} has {free / _GIB:.1f} GiB free; {cure}"
        )


def free_bytes(device: torch.device) -> int | None:
    """The memory that is free for new weights; None where nothing tells."""
    if device.type == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        return int(free) + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return _free_main_memory() if device.type == "cpu" else None


def _free_main_memory() -> int | None:
    try:
        psutil = importlib.import_module("psutil")
    except ImportError:
        return _free_pages()
    return int(psutil.virtual_memory().available)


def _free_pages() -> int | None:
    """Without psutil: Linux counts what it could free too, other systems do not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How a model is loaded."""

    device: torch.device
    #: "fp32", "fp16" or "bf16".
    dtype: str
    #: Puts a tower where it computes; None for plain torch.
    placement: Callable[[nn.Module], Placement] | None = None
    #: One that is ready, or the vocabulary or folder to take it from; None to look beside the model and elsewhere.
    tokenizer: Tokenizer | StrPath | None = None
    #: Folders with a vocabulary or of a ComfyUI, searched after what lies beside the model.
    vocabularies: tuple[StrPath, ...] = ()
    #: Where embeddings are kept on disk; None for nowhere.
    cache_folder: Path | None = None
    #: Memory that a batch may need beside the weights; None for what suits the device.
    budget_bytes: int | None = None
    allow_pickle: bool = False
    #: Other ways to prepare pictures: fields of Preprocessing.
    preprocessing: dict[str, object] = field(default_factory=dict)
