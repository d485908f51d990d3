"""The entry points of the command line; see ``commands/program.py`` for what they run.

A signal ends a process of its own at any moment with one line, also while the commands are imported: see
``interrupts.py``. Called by another program with arguments, they leave signals to it and answer Ctrl-C alone.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence

from .interrupts import end_on_signals, ignore_signals, stop_line


def main(argv: Sequence[str] | None = None) -> int:
    """``clip-grid COMMAND``; answers the exit status: 0 done, 1 failed, 2 wrong usage, 3 done but something is missing.

    argv: the arguments; those of the process without it.
    """

    def run() -> int:
        from .commands.program import clip_grid

        return clip_grid(argv)

    return _ended_well(run) if argv is None else _answering_ctrl_c(run)


def labeled_grid_exporter(argv: Sequence[str] | None = None) -> int:
    """``labeled-grid-exporter IMAGES OUT``: the flags of the script of that name, on this package."""

    def run() -> int:
        from .commands.program import labeled_grid_exporter as exporter

        return exporter(argv)

    return _ended_well(run) if argv is None else _answering_ctrl_c(run)


def _ended_well(run: Callable[[], int]) -> int:
    end_on_signals()
    try:
        return run()
    finally:
        ignore_signals()


def _answering_ctrl_c(run: Callable[[], int]) -> int:
    try:
        return run()
    except KeyboardInterrupt:
        print(stop_line(signal.SIGINT), end="", file=sys.stderr)
        return 128 + signal.SIGINT
