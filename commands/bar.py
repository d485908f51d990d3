"""The progress bar of a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


class Bar:
    """A progress bar on a terminal, nothing in a pipe; called as api.Progress."""

    def __init__(self, quiet: bool, unit: str = "picture") -> None:
        self._hidden = quiet or not sys.stderr.isatty()
        self._unit = unit
        self._bar: Any = None

    def __enter__(self) -> Callable[[int, int], None]:
        return self._update

    def _update(self, done: int, total: int) -> None:
        if self._hidden:
            return
        if self._bar is None or self._bar.total != total or done < self._bar.n:
            from tqdm import tqdm  # only a terminal needs it

            self._close()
            self._bar = tqdm(total=total, unit=self._unit, leave=False)
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def __exit__(self, *_: object) -> None:
        self._close()
