"""Whether a model fits into memory, asked before it is read."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ..errors import LimitError

if TYPE_CHECKING:
    import torch

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
