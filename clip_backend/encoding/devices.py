"""The device and the number type that a model computes in, whether it fits into memory, and the options of loading."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...errors import InputError, LimitError
from .batching import LocalPlacement, Placement
from .cache import CACHE_GB, GB

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..finding.folders import StrPath
    from ..tokenizing.tokenizer import Tokenizer

T = TypeVar("T")
#: "auto": accurate, fp32 on the CPU and fp16 on other devices; "fast": on the CPU bf16 where it computes fast in it.
DTYPES = ("auto", "fast", "fp32", "fp16", "bf16")
_LONG_NAMES = {"float32": "fp32", "float16": "fp16", "half": "fp16", "bfloat16": "bf16"}
#: Bytes of one weight.
WEIGHT_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}
_GIB = 1 << 30


def choose_device(name: str | torch.device) -> torch.device:
    """The device of this name; "auto" is a GPU if torch sees one.

    Raises InputError for a name that torch does not know or a device that is not there.
    """
    import torch

    if str(name) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device is {str(name)!r}; give auto, cpu, cuda or mps") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device is {device}, but torch sees {torch.cuda.device_count()} such cards; give auto or cpu")
    return device


def choose_dtype(name: str | torch.dtype, device: torch.device) -> str:
    """ "fp32", "fp16" or "bf16" from one of DTYPES, or from torch's own types and their names.

    Raises InputError for any other name.
    """
    short = str(name).removeprefix("torch.")
    short = _LONG_NAMES.get(short, short)
    if short not in DTYPES:
        raise InputError(f"dtype is {short!r}; it must be one of {', '.join(DTYPES)}")
    if short not in ("auto", "fast"):
        return short
    if device.type != "cpu":
        return "fp16"
    from ..towers.cpu import has_fast_bf16

    return "bf16" if short == "fast" and has_fast_bf16() else "fp32"


def check_fits(name: str, needed: int, free: int | None, device: str) -> None:
    """Raises LimitError if more bytes are needed than are free on the device; None, for unknown, is enough."""
    if free is not None and needed > free:
        need = f"it needs {needed / _GIB:.1f} GiB and {device} has {free / _GIB:.1f} GiB free"
        cure = f"choose dtype='fp16' or a smaller model, close other programs{'' if device == 'cpu' else ' or use cpu'}"
        raise LimitError(f"{name} does not fit: {need}; {cure}")


def free_bytes(device: torch.device) -> int | None:
    """The memory that is free for new weights; None where it is not known."""
    if device.type == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        return int(free) + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type != "cpu":
        return None
    try:
        return int(importlib.import_module("psutil").virtual_memory().available)
    except ImportError:
        return _free_by_linux()


def _free_by_linux() -> int | None:
    """What Linux could free is counted too; None on other systems."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How a model is loaded; ``load_encoder`` describes the options."""

    device: torch.device
    #: "fp32", "fp16" or "bf16".
    dtype: str
    placement: Callable[[nn.Module], Placement] | None = None
    tokenizer: Tokenizer | StrPath | None = None
    vocabularies: tuple[StrPath, ...] = ()
    cache_folder: Path | None = None
    #: The largest size of the file there.
    cache_bytes: int = int(CACHE_GB * GB)
    budget_bytes: int | None = None
    allow_pickle: bool = False
    #: Whether the caller chose the dtype, so that no other is used.
    is_dtype_forced: bool = True
    #: Fields of ``Preprocessing`` that differ from the model's own.
    preprocessing: dict[str, object] = field(default_factory=dict)

    @property
    def torch_dtype(self) -> torch.dtype:
        """torch's type for ``dtype``."""
        import torch

        return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[self.dtype]

    @property
    def build_device(self) -> torch.device:
        """Where a tower is built: in main memory if ``placement`` moves it later."""
        import torch

        return torch.device("cpu") if self.placement else self.device

    def in_fp32(self, build: Callable[[LoadOptions], T]) -> Callable[[], T] | None:
        """What builds the same in fp32, where fp16 was not the caller's own choice; else None."""
        if self.is_dtype_forced or self.dtype != "fp16":
            return None
        return lambda: build(replace(self, dtype="fp32"))

    def place(self, tower: nn.Module) -> Placement:
        """The placement of a tower that was built."""
        return self.placement(tower) if self.placement else LocalPlacement(tower, self.device)
