"""A gate that lets in only so much at a time, so that several threads together stay inside a budget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Gate:
    """Who would be too heavy together with those inside waits; who is heavier than the budget goes in alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._changed = Condition()

    @contextmanager
    def passing(self, weight: int) -> Iterator[None]:
        """A scope that counts with this weight."""
        with self._changed:
            self._changed.wait_for(lambda: not self._inside or self._inside + weight <= self._most)
            self._inside += weight
        try:
            yield
        finally:
            with self._changed:
                self._inside -= weight
                self._changed.notify_all()
