"""The pixels of a page as bands of any height from the top: cut into equal blocks, and worked on by threads."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..arrays import Pixels
from ..errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")
#: Bytes of a block: several fit in the processor's cache, and the cost of starting one is small.
BLOCK_BYTES = 1 << 20
MAX_WORKERS = 8
#: Items that are read ahead for each worker, so that none waits while the caller is busy.
AHEAD = 3


class Scratch(threading.local):
    """Arrays that each thread reuses from block to block, since allocating them takes longer than filling them."""

    def __init__(self) -> None:
        self._arrays: dict[str, Pixels] = {}

    def take(self, name: str, shape: tuple[int, int]) -> Pixels:
        """This thread's array of this name, uint8 of this shape, not cleared."""
        size = shape[0] * shape[1]
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = np.empty(size, np.uint8)
        return self._arrays[name][:size].reshape(shape)


@dataclass(frozen=True)
class PageShape:
    """Size of a page in pixels, and its channels: 1 grey, 3 RGB, 4 RGBA.

    Raises InputError for a page without pixels or with another number of channels.
    """

    width: int
    height: int
    channels: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise InputError(f"the page is {self.width}x{self.height}; it must have at least one pixel")
        if self.channels not in (1, 3, 4):
            raise InputError(f"the page has {self.channels} channels; it must have 1 (grey), 3 (RGB) or 4 (RGBA)")

    @property
    def row_bytes(self) -> int:
        return self.width * self.channels

    @property
    def block_rows(self) -> int:
        """Rows of a block for PNG and TIFF; it depends on the width alone, so that equal pages give equal files."""
        return max(1, BLOCK_BYTES // self.row_bytes)


def recut(bands: Iterable[Pixels], page: PageShape, rows: int, *, above: int = 0) -> Iterator[Pixels]:
    """Blocks uint8 [above + rows, row_bytes] from the top, the last one shorter.

    The first `above` rows of a block repeat the end of the block before; in the first block they are zeros.
    Blocks are copies, so a band may be overwritten once the next one is requested.
    Raises InputError for a band of another shape or type, and when the bands' heights do not sum to the page's.
    """
    block = _empty_block(page, rows, 0, above)
    block[:above] = 0
    top = filled = 0
    for number, band in enumerate(bands):
        rest = _rows_of(band, number, page, top + filled)
        while len(rest):
            taken = rest[: len(block) - above - filled]
            block[above + filled : above + filled + len(taken)] = taken
            rest = rest[len(taken) :]
            filled += len(taken)
            if above + filled == len(block):
                yield block
                top, filled = top + filled, 0
                block, last = _empty_block(page, rows, top, above), block
                block[:above] = last[len(last) - above :]
    if top != page.height:
        raise InputError(f"the bands hold {top + filled} rows, but the page has {page.height}; give every row once")


def map_in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
    """Results of `work` in the order of `items`, computed by threads a few items ahead.

    `items` is read in the caller's thread. An error of `items` or of `work` is raised here once the threads have
    stopped. Close the generator (contextlib.closing) if you may not read all of it.
    """
    workers = min(os.cpu_count() or 1, MAX_WORKERS)
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="clip-grid-band") as threads:
        try:
            for item in items:
                waiting.append(threads.submit(work, item))
                if len(waiting) > AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _empty_block(page: PageShape, rows: int, top: int, above: int) -> Pixels:
    return np.empty((above + min(rows, page.height - top), page.row_bytes), np.uint8)


def _rows_of(band: Pixels, number: int, page: PageShape, top: int) -> Pixels:
    """The band as uint8 [rows, row_bytes]; raises InputError if it does not belong at row `top` of the page."""
    if band.ndim != 3 or band.shape[1:] != (page.width, page.channels) or band.dtype != np.uint8 or not len(band):
        raise InputError(
            f"band {number} is {band.dtype} {list(band.shape)}; it must be uint8 [rows, {page.width}, {page.channels}]"
        )
    if top + len(band) > page.height:
        raise InputError(f"band {number} ends at row {top + len(band)}, but the page has {page.height} rows")
    return band.reshape(len(band), page.row_bytes)
