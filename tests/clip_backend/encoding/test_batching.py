"""Batches: full, in order, bounded, and smaller when memory runs out."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.batching import (
    CPU_BATCH,
    BatchSize,
    LocalPlacement,
    batch_for,
    batched,
    is_out_of_memory,
    prefetch,
    run_shrinking,
)
from clip_grid.decoding import ByteSemaphore
from clip_grid.errors import LimitError


class ToyMemory:
    """Memory for so many at a time; with none on the device, only the CPU has some."""

    def __init__(self, capacity: int, cpu_capacity: int = 1000) -> None:
        self.device = SimpleNamespace(type="toy", index=None)
        self.capacity = capacity
        self.cpu_capacity = cpu_capacity
        self.tried: list[int] = []
        self.emptied = 0

    def forward(self, batch):
        self.tried.append(len(batch))
        if len(batch) > self.capacity:
            raise RuntimeError("toy: out of memory")
        return [item * 10 for item in batch]

    def is_out_of_memory(self, error):
        return "out of memory" in str(error)

    def empty_cache(self):
        self.emptied += 1

    def move_to_cpu(self):
        self.capacity = self.cpu_capacity


def run(items, memory, size):
    return [value for _, values in run_shrinking(items, memory.forward, size, memory) for value in values]


def test_a_batch_that_does_not_fit_is_halved_and_the_size_is_remembered():
    memory, size = ToyMemory(capacity=3), BatchSize(16)

    assert run(list(range(10)), memory, size) == [n * 10 for n in range(10)]
    assert memory.tried == [10, 5, 2, 2, 2, 2, 2]
    assert memory.emptied == 2
    assert size.size == 2


def test_the_next_run_starts_with_the_size_that_worked():
    memory, size = ToyMemory(capacity=3), BatchSize(16)
    run(list(range(8)), memory, size)
    memory.tried.clear()

    run(list(range(4)), memory, size)

    assert memory.tried == [2, 2]


def test_where_one_alone_does_not_fit_the_processor_computes_and_a_note_says_so(caplog):
    memory, size = ToyMemory(capacity=0), BatchSize(4)

    assert run([1, 2, 3], memory, size) == [10, 20, 30]
    assert memory.tried == [3, 1, 3]
    assert size.on_cpu and size.size == CPU_BATCH
    assert "processor computed" in size.notes[0]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_where_the_processor_has_no_room_either_the_limit_is_named():
    with pytest.raises(LimitError, match="batch of one"):
        run([1], ToyMemory(capacity=0, cpu_capacity=0), BatchSize(4))


#: As torch, its libraries and their drivers say it.
FULL = {
    "Linux": "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
    "allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)",
    "Windows": "[enforce fail at ..\\c10\\core\\impl\\alloc_cpu.cpp:72] data. DefaultCPUAllocator: not enough memory: "
    "you tried to allocate 66060288 bytes.",
    "CUDA": "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB",
    "CUDA driver": "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
    "CUDA runtime": "cudaErrorMemoryAllocation: out of memory",
    "CUDA module": "CUDA driver error: out of memory",
    "cuBLAS": "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuBLAS product": "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasSgemm( handle, opa, opb, m, n, k)`",
    "cuSOLVER": "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
    "cuDNN": "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN 9": "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "cuDNN search": "Unable to find a valid cuDNN algorithm to run convolution",
    "ROCm": "HIP out of memory. Tried to allocate 20.00 MiB (GPU 0; 7.98 GiB total capacity)",
    "ROCm driver": "HIP error: hipErrorOutOfMemory",
    "MPS": "MPS backend out of memory (MPS allocated: 17.34 GB, max allowed: 18.13 GB). Tried to allocate 1024.00 MB",
    "MPS buffer": "Invalid buffer size: 58.07 GB",
    "XPU": "XPU out of memory. Tried to allocate 9.00 GiB (GPU 0; 7.90 GiB total capacity; 1.00 GiB already allocated)",
    "XPU driver": "Native API failed. Native API returns: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)",
    "XPU resources": "Native API failed. Native API returns: -5 (PI_ERROR_OUT_OF_RESOURCES)",
    "XPU of IPEX": "Allocation is out of device memory on current platform.",
    "DirectML": "Could not allocate tensor with 8053063680 bytes. There is not enough GPU video memory available!",
    "mmap": "unable to mmap 3438167540 bytes from file </m/model.safetensors>: Cannot allocate memory (12)",
    "oneDNN": "could not create a memory object",
    "C++": "std::bad_alloc",
    "C++ on Windows": "bad allocation",
}


@pytest.mark.parametrize("message", FULL.values(), ids=FULL)
def test_running_out_of_memory_is_recognised_wherever_it_is_said(message):
    assert is_out_of_memory(RuntimeError(message))


def test_running_out_of_memory_is_recognised_by_type():
    torch = pytest.importorskip("torch")

    assert is_out_of_memory(torch.OutOfMemoryError("nothing is said"))
    assert is_out_of_memory(torch.cuda.OutOfMemoryError())
    assert is_out_of_memory(MemoryError())


def test_what_this_machine_says_is_recognised():
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55)
    with pytest.raises(MemoryError) as by_numpy:
        np.empty(1 << 55)

    assert is_out_of_memory(caught.value) and is_out_of_memory(by_numpy.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
        RuntimeError("Input type (c10::Half) and bias type (float) should be the same"),
        RuntimeError("Expected all tensors to be on the same device"),
        ValueError("out of memory"),
        OSError(28, "No space left on device"),
    ],
    ids=str,
)
def test_other_errors_are_no_lack_of_memory(error):
    assert not is_out_of_memory(error)


@pytest.mark.parametrize("message", FULL.values(), ids=FULL)
def test_a_full_memory_halves_the_batch_down_to_one(message):
    torch = pytest.importorskip("torch")
    placement = LocalPlacement(torch.nn.Linear(1, 1), torch.device("cpu"))
    tried = []

    def forward(batch):
        tried.append(len(batch))
        if len(batch) > 1:
            raise RuntimeError(message)
        return batch

    done = list(run_shrinking(range(8), forward, BatchSize(8, on_cpu=True), placement))

    assert tried == [8, 4, 2, *[1] * 8] and len(done) == 8


def test_other_errors_pass_through_at_once():
    def broken(batch):
        raise RuntimeError("shapes do not fit")

    memory = ToyMemory(capacity=5)
    with pytest.raises(RuntimeError, match="shapes"):
        list(run_shrinking([1, 2], broken, BatchSize(2), memory))
    assert memory.emptied == 0


def test_nothing_in_gives_nothing_out():
    assert run([], ToyMemory(capacity=1), BatchSize(4)) == []


def test_batches_are_full_but_for_the_last():
    assert list(batched(range(7), lambda: 3)) == [[0, 1, 2], [3, 4, 5], [6]]


def test_batches_follow_a_size_that_changes():
    size = BatchSize(4)
    batches = batched(range(8), lambda: size.size)
    first = next(batches)
    size.size = 2

    assert [first, *batches] == [[0, 1, 2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize(
    ("each", "budget", "most", "expected"), [(10, 100, 64, 10), (10, 5, 64, 1), (1, 1000, 64, 64), (0, 10, 8, 8)]
)
def test_a_batch_fills_the_budget_and_is_never_empty(each, budget, most, expected):
    assert batch_for(each, budget, most) == expected


def test_work_is_done_in_threads_and_comes_out_in_order():
    def work(item):
        return item, threading.current_thread() is threading.main_thread()

    assert list(prefetch(range(20), work, threads=3, ahead=4)) == [(n, False) for n in range(20)]


def test_no_more_items_are_taken_than_are_looked_ahead():
    taken = []

    def source():
        for item in range(100):
            taken.append(item)
            yield item

    results = prefetch(source(), str, threads=2, ahead=5)
    assert next(results) == "0"
    assert len(taken) == 5
    next(results)
    assert len(taken) == 6
    results.close()


def test_heavy_items_wait_one_at_a_time():
    release, started = threading.Event(), []

    def source():
        for item in range(10):
            started.append(item)
            if len(started) == 2:
                release.set()
            yield item

    def work(item):
        if item == 0:
            assert release.wait(10)
        return item

    # the second item is taken before the first is done, the third only after
    results = prefetch(source(), work, threads=2, ahead=8, size_of=lambda item: 6, max_waiting_bytes=10)
    assert next(results) == 0
    assert len(started) <= 4
    assert list(results) == list(range(1, 10))


def test_closing_early_ends_the_threads_and_drops_what_waits():
    done = []
    before = threading.active_count()
    results = prefetch(range(1000), lambda item: done.append(item), threads=2, ahead=50)
    next(results)

    results.close()

    assert threading.active_count() == before
    assert len(done) <= 51


def test_an_error_of_the_work_comes_out_and_ends_the_threads():
    def work(item):
        if item == 3:
            raise ValueError("three")
        return item

    before = threading.active_count()
    results = prefetch(range(10), work, threads=2, ahead=4)

    with pytest.raises(ValueError, match="three"):
        list(results)
    assert threading.active_count() == before


def test_the_cache_of_each_kind_of_device_is_emptied(monkeypatch):
    torch = pytest.importorskip("torch")
    emptied = []
    for kind in ("cuda", "mps", "xpu"):
        monkeypatch.setattr(getattr(torch, kind), "empty_cache", lambda kind=kind: emptied.append(kind))

    for kind in ("cuda", "mps", "xpu", "cpu", "meta"):
        LocalPlacement(torch.nn.Linear(1, 1), torch.device(kind)).empty_cache()

    assert emptied == ["cuda", "mps", "xpu"]


def test_a_gate_keeps_those_inside_within_the_budget():
    semaphore, inside, most = ByteSemaphore(10), [], []

    def work(weight):
        with semaphore.acquire(weight):
            inside.append(weight)
            most.append(sum(inside))
            threading.Event().wait(0.001)
            inside.remove(weight)
        return weight

    weights = [6, 5, 4, 3, 20, 1, 7, 2] * 3
    assert list(prefetch(weights, work, threads=6, ahead=24)) == weights
    assert all(total <= 10 or total == 20 for total in most)


def test_a_gate_opens_again_after_an_error():
    semaphore = ByteSemaphore(1)
    with pytest.raises(ValueError), semaphore.acquire(1):
        raise ValueError

    with semaphore.acquire(1):
        pass
