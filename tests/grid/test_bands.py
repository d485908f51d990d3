from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest
from clip_grid.errors import InputError
from clip_grid.grid.bands import PageShape, Scratch, map_in_order, recut

#: 300,000 bytes a row: blocks of 3 rows.
WIDE = PageShape(100_000, 7, 3)


def wide_rows(first: int, last: int) -> np.ndarray:
    """Rows of WIDE filled with their own number, counted from 1."""
    return np.broadcast_to(np.arange(first, last, dtype=np.uint8)[:, None, None] + 1, (last - first, 100_000, 3))


def band_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("clip-grid-band")]


@pytest.mark.parametrize("cuts", [[0, 7], [0, 1, 2, 3, 4, 5, 6, 7], [0, 2, 6, 7], [0, 3, 6, 7]])
def test_blocks_do_not_depend_on_the_bands(cuts):
    bands = [wide_rows(a, b) for a, b in pairwise(cuts)]

    blocks = list(recut(bands, WIDE, WIDE.block_rows))

    assert [block[:, 0].tolist() for block in blocks] == [[1, 2, 3], [4, 5, 6], [7]]


def test_a_block_starts_with_the_row_above_it():
    blocks = list(recut([wide_rows(0, 5), wide_rows(5, 7)], WIDE, WIDE.block_rows, above=1))

    assert [block[:, -1].tolist() for block in blocks] == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7]]


def test_a_band_may_be_drawn_over_once_the_next_one_is_asked_for():
    def reused() -> Iterator[np.ndarray]:
        band = np.empty((1, 100_000, 3), np.uint8)
        for number in range(7):
            band[:] = number
            yield band

    blocks = list(recut(reused(), WIDE, WIDE.block_rows))

    assert np.concatenate(blocks)[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "band, message",
    [
        (np.zeros((2, 5, 3), np.float32), r"band 1 is float32 \[2, 5, 3\]; it must be uint8 \[rows, 5, 3\]"),
        (np.zeros((2, 4, 3), np.uint8), r"band 1 is uint8 \[2, 4, 3\]"),
        (np.zeros((2, 5), np.uint8), r"band 1 is uint8 \[2, 5\]"),
        (np.zeros((0, 5, 3), np.uint8), r"band 1 is uint8 \[0, 5, 3\]"),
        (np.zeros((4, 5, 3), np.uint8), "band 1 ends at row 5, but the page has 4 rows"),
        (np.zeros((2, 5, 3), np.uint8), "the bands hold 3 rows, but the page has 4"),
    ],
)
def test_a_band_that_does_not_fit_is_named(band, message):
    with pytest.raises(InputError, match=message):
        list(recut([np.zeros((1, 5, 3), np.uint8), band], PageShape(5, 4, 3), rows=3))


def test_blocks_have_as_many_rows_as_asked_for():
    assert [len(block) for block in recut([wide_rows(0, 7)], WIDE, rows=5)] == [5, 2]


@pytest.mark.parametrize("size", [(0, 1, 3), (1, 0, 3), (1, 1, 2)])
def test_a_page_without_pixels_or_of_two_channels_is_refused(size):
    with pytest.raises(InputError, match="the page"):
        PageShape(*size)


@pytest.mark.parametrize("cores", [1, 2, 5, None])
def test_results_come_in_the_order_of_the_items(cores, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)

    assert list(map_in_order(lambda item: item * item, range(50))) == [n * n for n in range(50)]


def test_only_a_few_items_are_read_ahead(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    read = []

    with closing(map_in_order(str, (read.append(n) or n for n in range(100)))) as results:
        next(results)

    assert len(read) == 3 * 2 + 1


def test_an_error_of_the_work_reaches_the_caller_and_stops_the_threads():
    def fail_at_three(item: int) -> int:
        if item == 3:
            raise ZeroDivisionError("three")
        return item

    read = []
    with pytest.raises(ZeroDivisionError, match="three"):
        list(map_in_order(fail_at_three, (read.append(n) or n for n in range(1000))))

    assert len(read) < 20
    assert band_threads() == []


def test_an_error_of_the_items_reaches_the_caller_and_stops_the_threads():
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("no picture")

    with pytest.raises(KeyError, match="no picture"):
        list(map_in_order(str, broken()))

    assert band_threads() == []


def test_threads_stop_when_the_caller_leaves_early():
    with closing(map_in_order(str, range(1000))) as results:
        next(results)

    assert band_threads() == []


def test_scratch_arrays_are_reused_by_name_and_by_thread():
    scratch, other = Scratch(), []
    first = scratch.take("a", (2, 3))
    thread = threading.Thread(target=lambda: other.append(scratch.take("a", (2, 3))))
    thread.start()
    thread.join()

    assert np.shares_memory(first, scratch.take("a", (3, 1)))
    assert not np.shares_memory(first, scratch.take("b", (2, 3)))
    assert not np.shares_memory(first, other[0])
