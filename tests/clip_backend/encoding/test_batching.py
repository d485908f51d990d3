"""Batches: full, in order, bounded, and smaller when memory runs out."""

from __future__ import annotations

import threading

import pytest
from clip_grid.clip_backend.encoding.batching import (
    CPU_BATCH,
    BatchSize,
    ByteSemaphore,
    batch_for,
    batched,
    prefetch,
    run_shrinking,
)
from clip_grid.errors import LimitError


class ToyMemory:
    """Memory for so many at a time; with none on the device, only the CPU has some."""

    def __init__(self, capacity: int, cpu_capacity: int = 1000) -> None:
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
