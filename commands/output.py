"""How every command talks: exit statuses, results on stdout, notes and errors on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..api import FailedPicture

DONE, FAILED, USAGE, PARTIAL = 0, 1, 2, 3


def add_talk(parser: argparse.ArgumentParser, *, with_json: bool = True, verbose: str = "") -> None:
    """The flags ``--json`` and ``--quiet``; with a help text also ``--verbose``."""
    if with_json:
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no notes")
    if verbose:
        parser.add_argument("--verbose", action="store_true", help=verbose)


def note(args: argparse.Namespace, lines: Sequence[str]) -> None:
    """What the user should know, unless told to be quiet."""
    if not args.quiet:
        for line in lines:
            print(f"note: {line}", file=sys.stderr)


def some(lines: Sequence[str], most: int = 10) -> list[str]:
    """The first of them, and how many more there are."""
    rest = [f"and {len(lines) - most} more; --json lists them"] if len(lines) > most else []
    return [*lines[:most], *rest]


def refused(message: str, status: int = USAGE) -> int:
    """The exit status, after the message: wrong usage, unless it is a failure."""
    print(f"error: {message}", file=sys.stderr)
    return status


def status_of(args: argparse.Namespace, done: int, failed: Sequence[FailedPicture]) -> int:
    """The exit status of a run over pictures, after a note on each that could not be read."""
    note(args, some([f"left out {one.name}: {one.reason}" for one in failed]))
    if not done:
        return refused("none of the pictures could be read", FAILED)
    return PARTIAL if failed else DONE


def print_json(report: Mapping[str, Any]) -> None:
    """The report as JSON of ASCII, which arrives whole whatever the encoding of the terminal or pipe is."""
    print(json.dumps(report, indent=1))


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
