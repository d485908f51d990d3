"""Ctrl-C, SIGTERM and SIGHUP end the command line at any moment with one line and the exit status 128 + their number.

The package imports this file first, which is why it needs little itself. A handler ends the process itself instead of
raising an exception: third-party code swallows exceptions at some moments, and prints them at others.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
_PROGRAMS = ("clip-grid", "clip-grid-script", "labeled-grid-exporter", "labeled-grid-exporter-script")
NOTHING_WRITTEN = "no output file was written or changed"


def _nothing_written() -> str:
    return NOTHING_WRITTEN


_cleaned_up: Callable[[], str] = _nothing_written


def is_command_line() -> bool:
    """Whether this process runs the command line, as far as its arguments tell while the package is imported."""
    program = sys.argv[0] if sys.argv else ""
    # Python calls itself so while it looks for the module of python -m
    return program == "-m" or os.path.basename(program).removesuffix(".py").removesuffix(".exe") in _PROGRAMS


def end_on_signals() -> None:
    """Lets each of the signals end this process, but for those that are ignored, as nohup lets SIGHUP be."""
    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def ignore_signals() -> None:
    """The work is done: a signal while Python shuts down does not change the exit status any more."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def clean_up_by(function: Callable[[], str]) -> None:
    """Sets what is done before a signal ends this process: it removes temporary files and says what was written."""
    global _cleaned_up
    _cleaned_up = function


def stop_line(number: int) -> str:
    """Cleans up; the line that says so."""
    return f"{'stopped' if number == signal.SIGINT else 'ended'}; {_cleaned_up()}\n"


def _end(number: int, _: FrameType | None) -> None:
    ignore_signals()
    try:
        os.write(2, stop_line(number).encode(sys.stderr.encoding if sys.stderr else "ascii", "backslashreplace"))
    finally:
        # not by an exception, whatever this one is: the streams may be closed or in the middle of a line
        os._exit(128 + number)
