"""Pillow's warnings of oddities in files that can be used all the same."""

from __future__ import annotations

import warnings
from threading import Lock
from typing import Any, cast


class WithoutWarnings:
    """Warnings of Pillow are not shown while any thread is inside.

    ``warnings.catch_warnings`` is not for threads: the first that leaves would undo what the others rely on.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._filter: object = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                warnings.filterwarnings("ignore", module=r"PIL\b")
                self._filter = warnings.filters[0]

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            filters = cast(list[Any], warnings.filters)
            if not self._inside and self._filter in filters:
                filters.remove(self._filter)


without_warnings = WithoutWarnings()
