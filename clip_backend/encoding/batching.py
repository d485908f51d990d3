"""How batches run: where a model is placed, batches that fit into its memory, and work ahead in threads."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Protocol, TypeVar

from ...errors import InputError, LimitError, PictureError
from ...imaging import OUT_OF_MEMORY
from ...log import logger

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

T = TypeVar("T")
R = TypeVar("R")
#: What a RuntimeError says where memory ran out; torch has a type of its own only for some of them. The allocators of
#: Linux, Windows and macOS; CUDA, ROCm, MPS and XPU with their drivers; cuBLAS and its kin; cuDNN; DirectML; oneDNN.
_OUT_OF_MEMORY = re.compile(
    r"out[ _]?of[ _]?(?:device[ _]|host[ _])?memory|not enough (?:\w+ ){0,3}memory|can(?:'t|not) allocate memory"
    r"|memoryallocation|status_alloc_failed|allocation_failed|error_out_of_resources|could not allocate tensor"
    r"|could not create a memory|invalid buffer size|unable to find a valid cudnn algorithm|bad[_ ]alloc",
    re.IGNORECASE,
)
#: Threads that read and prepare; each holds a decoded picture.
THREADS = min(8, os.cpu_count() or 1)
#: The batch size on the CPU after the device had no memory for even one picture.
CPU_BATCH = 8
#: Bytes that a batch may need beside the weights, and the largest batch; a larger one is no faster.
CPU_BUDGET, CPU_MOST = 512 << 20, 32
DEVICE_BUDGET, DEVICE_MOST = 2 << 30, 128

#: Held while a batch is computed, by the device: batches of several threads take turns there.
_COMPUTING: dict[tuple[str, int], Lock] = {}

#: Where numbers are not finite: the cure for who chose fp16, and the note where nobody did.
FP32_CURE = "choose dtype='fp32'"
USES_FP32 = "in fp16 the model's numbers were not finite, so that it computes in fp32 from now on"


class Placement(Protocol):
    """Where one model computes, and what moves it there."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    def ready(self, working_bytes: int) -> None:
        """Puts the weights on ``device`` with about this much more memory free; called before every batch."""

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether the error means that memory ran out."""

    def empty_cache(self) -> None:
        """Frees what the allocator keeps for reuse."""

    def move_to_cpu(self) -> None:
        """Moves the model to the CPU for good: the last resort when even one picture does not fit."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, or of Python itself, means that the memory of a device or the main memory is full."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or _OUT_OF_MEMORY.search(str(error)) is not None
    )


@contextmanager
def costing_one_picture(name: str) -> Iterator[None]:
    """A scope in which one picture is decoded and prepared: raises PictureError with its name if memory runs out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise PictureError(name, OUT_OF_MEMORY) from error


def empty_device_cache(device: torch.device) -> None:
    """Frees what torch's allocator keeps for reuse on the device."""
    import torch

    if device.type in ("cuda", "mps", "xpu"):
        getattr(torch, device.type).empty_cache()


class LocalPlacement:
    """A model that is moved to its device once, when it is first used."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._model, self._device = model, device
        self._placed = False

    @property
    def device(self) -> torch.device:
        return self._device

    def ready(self, working_bytes: int) -> None:
        if not self._placed:
            self._model.to(self._device)
            self._placed = True

    def is_out_of_memory(self, error: BaseException) -> bool:
        return is_out_of_memory(error)

    def empty_cache(self) -> None:
        empty_device_cache(self._device)

    def move_to_cpu(self) -> None:
        import torch

        self._device = torch.device("cpu")
        self._model.to(self._device)
        self.empty_cache()


class BatchSize:
    """How many fit into one batch; it only ever shrinks."""

    def __init__(self, size: int, *, on_cpu: bool = False) -> None:
        #: The largest batch.
        self.size = max(1, size)
        #: Whether the CPU computes, so that there is no other device to fall back to.
        self.on_cpu = on_cpu
        #: Notes for the user.
        self.notes: list[str] = []

    @classmethod
    def of(cls, batch_size: int, placement: Placement) -> BatchSize:
        """The size that a caller wants; raises InputError for less than one."""
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; it must be at least 1")
        return cls(batch_size, on_cpu=placement.device.type == "cpu")

    def shrink(self, placement: Placement, failed: int) -> None:
        """After a batch of ``failed`` did not fit: half of it, and the CPU if a single one did not fit.

        Raises LimitError if a single one does not fit on the CPU either.
        """
        placement.empty_cache()
        if failed > 1:
            self.size = max(1, failed // 2)
            logger.info("memory ran out with a batch of %d; going on with %d", failed, self.size)
        elif self.on_cpu:
            raise LimitError("memory ran out with a batch of one; free some memory or choose a smaller model")
        else:
            placement.move_to_cpu()
            self.on_cpu, self.size = True, CPU_BATCH
            self.notes.append("the device has no memory for even one picture or text; the processor computed instead")
            logger.warning(self.notes[-1])


def batch_for(bytes_each: int, budget: int, most: int) -> int:
    """How many fit into the budget, at least 1 and at most ``most``."""
    return max(1, min(most, budget // max(1, bytes_each)))


def batch_size_for(bytes_each: int, placement: Placement, budget_bytes: int | None) -> BatchSize:
    """The size to begin with, by the budget or, without one, by what suits the device."""
    on_cpu = placement.device.type == "cpu"
    budget, most = (CPU_BUDGET, CPU_MOST) if on_cpu else (DEVICE_BUDGET, DEVICE_MOST)
    return BatchSize(batch_for(bytes_each, budget_bytes or budget, most), on_cpu=on_cpu)


def run_shrinking(
    items: Sequence[T], forward: Callable[[Sequence[T]], R], size: BatchSize, placement: Placement
) -> Iterator[tuple[Sequence[T], R]]:
    """The items in order, in batches that fit, each with its result; a batch that does not fit is split in two.

    One batch is computed at a time on each device, whichever thread asks.
    """
    start = 0
    while start < len(items):
        batch = items[start : start + size.size]
        try:
            with _computing_on(placement.device):
                result = forward(batch)
        except (RuntimeError, MemoryError) as error:
            if not placement.is_out_of_memory(error):
                raise
        else:
            start += len(batch)
            yield batch, result
            continue
        # outside of the except block, whose traceback keeps the failed batch's tensors alive
        size.shrink(placement, len(batch))


def _computing_on(device: torch.device) -> Lock:
    # "cuda" and "cuda:0" are one device
    return _COMPUTING.setdefault((device.type, device.index or 0), Lock())


def prefetch(
    items: Iterable[T],
    work: Callable[[T], R],
    *,
    threads: int,
    ahead: int,
    size_of: Callable[[T], int] = lambda item: 0,
    max_waiting_bytes: int = 1,
) -> Generator[R, None, None]:
    """The results of ``work`` for the items, in order, computed in threads up to ``ahead`` items in advance.

    Items are taken from ``items`` in the caller's thread, as they are needed. size_of: bytes that an item holds while
    it waits; at most ``max_waiting_bytes`` wait at a time, or one item.
    Closing the generator, or an error in ``work`` or ``items``, cancels what waits and ends the threads.
    """
    waiting: deque[tuple[Future[R], int]] = deque()
    pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="clip_grid")
    try:
        for item in items:
            waiting.append((pool.submit(work, item), size_of(item)))
            del item
            # results are small, so that only the items whose work is not done count
            while len(waiting) >= max(1, ahead) or max_waiting_bytes < sum(
                size for future, size in waiting if size and not future.done()
            ):
                yield waiting.popleft()[0].result()
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def batched(items: Iterable[T], size: Callable[[], int]) -> Iterator[list[T]]:
    """Lists of ``size()`` items, asked anew for each; only the last may be shorter."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) >= size():
            yield batch
            batch = []
    if batch:
        yield batch


def float32_on_cpu(state: Tensor) -> Tensor:
    """The numbers, float32 in main memory."""
    return state.to("cpu").float().contiguous()
