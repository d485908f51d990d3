"""Signals that wait until a few steps are done which belong together."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..interrupts import STOPPING


@contextmanager
def signals_held() -> Iterator[None]:
    """Ctrl-C and SIGTERM take effect when the block has ended; Python sees them in the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    # None is a handler that Python did not set and cannot set again
    held = {number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}
    try:
        for number in held:
            signal.signal(number, lambda caught, _: waiting.append(caught))
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for number in waiting:
            signal.raise_signal(number)
