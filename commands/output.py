"""What commands print and write: results on stdout, notes and errors on stderr, tables, CSV files, progress.

The exit statuses are DONE, FAILED, USAGE and PARTIAL (some of a batch failed).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from ..api import FailedPicture, GridReport
from ..atomic import (
    atomic_file,
    check_regular,
    is_empty,
    kept_work,
    output_error,
    remove_unfinished,
    written_files,
)
from ..csv_cells import Cell, csv_text
from ..errors import OutputError
from ..interrupts import NOTHING_WRITTEN
from ..json_text import to_ascii
from ..visible_text import printable

DONE, FAILED, USAGE, PARTIAL = 0, 1, 2, 3
#: Files that the line of a command that is ended names; it counts the others.
_FILES_NAMED = 10


def add_output_flags(parser: argparse.ArgumentParser, *, with_json: bool = True, verbose: str = "") -> None:
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
            print_error(f"note: {line}")


def first_lines(lines: Sequence[str], most: int = 10) -> list[str]:
    """The first of them, and how many more there are."""
    rest = [f"and {len(lines) - most} more; --json lists them"] if len(lines) > most else []
    return [*lines[:most], *rest]


def duration(seconds: float) -> str:
    """A time in words: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def fail(message: str, status: int = USAGE) -> int:
    """The exit status, after the message: wrong usage, unless it is a failure."""
    print_error(f"error: {message}")
    return status


def status_of(args: argparse.Namespace, done: int, failed: Sequence[FailedPicture]) -> int:
    """The exit status of a run over pictures, after a note on each that could not be read."""
    note(args, first_lines([f"left out {one.name}: {one.reason}" for one in failed]))
    if not done:
        return fail("none of the pictures could be read", FAILED)
    return PARTIAL if failed else DONE


def print_json(report: Mapping[str, Any]) -> None:
    """The report as JSON of ASCII, which arrives whole whatever the encoding of the terminal or pipe is."""
    print(json.dumps(report, indent=1))


def print_report(report: GridReport) -> None:
    """Prints a sheet's JSON, a cell to a line; a report of 100,000 pictures is never whole in memory."""
    for part in report.json_parts():
        sys.stdout.write(to_ascii(part))
    print()


def show(lines: Iterable[str]) -> None:
    """Prints what people read, a line each; names and labels in it give the terminal no orders."""
    for line in lines:
        print(printable(line))


def print_error(line: str) -> None:
    """Prints one line that is not a result, to stderr."""
    print(printable(line), file=sys.stderr)


def print_lines(lines: Iterable[str]) -> None:
    """Prints what programs read, as it is."""
    for line in lines:
        print(line)


def what_was_written() -> str:
    """Removes the temporary files of a command that is ended, and says which files it has written."""
    Bar.close_all()
    remove_unfinished()
    written = [printable(str(path)) for path in written_files()]
    told = NOTHING_WRITTEN
    if written:
        rest = [f"and {len(written) - _FILES_NAMED} more"] if len(written) > _FILES_NAMED else []
        told = f"written: {', '.join([*written[:_FILES_NAMED], *rest])}; no other output file was written or changed"
    return "; ".join([told, *map(printable, kept_work())])


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line with the cure; arguments in it give the terminal no orders."""

    def error(self, message: str) -> NoReturn:
        told = self._in_words(message)
        sys.exit(fail(f"{told}{'' if told.endswith('?') else ';'} see: {self.prog} --help"))

    def refuse(self, arguments: Sequence[str]) -> NoReturn:
        """Ends the command because of arguments that it has no place for, with the flag that each is most like."""
        flags = [word.partition("=")[0] for word in arguments if word.startswith("-")]
        if not flags:
            self.error(f"unexpected {', '.join(map(repr, arguments))}")
        known = [flag for action in self._actions for flag in action.option_strings]
        self.error("; ".join(f"there is no flag {flag}{_nearest(flag, known)}" for flag in flags))

    def _in_words(self, message: str) -> str:
        """What argparse reports, with the flag's values or the nearest choice named."""
        if needed := _NEEDED.fullmatch(message):
            names = needed[1].split(", ") if needed[1] else needed[2].split()
            return f"give {(' and ' if needed[1] else ' or ').join(map(self._with_values, names))}"
        told = _REPORT.match(message)
        action = told and next((one for one in self._actions if told[1] in (*one.option_strings, one.metavar)), None)
        if not told or not action:
            return message
        if told["count"]:
            values = action.metavar if isinstance(action.metavar, tuple) else (action.metavar or action.dest.upper(),)
            return (
                f"{told[1]} needs {_COUNTS.get(told['count'], told['count'] + ' values')}: {told[1]} {' '.join(values)}"
            )
        choices = [str(choice) for choice in action.choices or ()]
        given = told["value"].strip("'")
        nearest = _nearest(_OTHER_NAMES.get(given, given), choices)
        if action.option_strings:
            return f"{told[1]} is {told['value']}; it must be one of {', '.join(choices)}{nearest}"
        return f"there is no command {told['value']}{nearest or '; choose from ' + ', '.join(choices)}"

    def _with_values(self, flag: str) -> str:
        """A flag as it is written with its values; what stands without a flag as it is."""
        action = next((one for one in self._actions if flag in one.option_strings), None)
        values = action and (action.metavar or action.dest.upper())
        return f"{flag} {values}" if isinstance(values, str) else flag


#: Commands by the names that other tools for CLIP have for them.
_OTHER_NAMES = {
    "test": "match", "batch-test": "match-batch", "predict": "label", "classify": "label", "finetune": "train",
    "fine-tune": "train", "convert": "export-model",
}  # fmt: skip
#: Reports of argparse that are said in other words.
_NEEDED = re.compile(r"the following arguments are required: (.+)|one of the arguments (.+) is required", re.DOTALL)
_REPORT = re.compile(
    r"argument ([^\s/:]+)[^:]*: (?:expected (?P<count>.+) arguments?$|invalid choice: (?P<value>'.*?'))", re.DOTALL
)
_COUNTS = {"one": "a value", "at least one": "at least one value"}


def _nearest(given: str, known: Sequence[str]) -> str:
    """A question for the known word that is most like the given one; empty where none is."""
    near = get_close_matches(given[:200], known, 1)
    return f"; did you mean {near[0]}?" if near else ""


class Bar:
    """A progress bar on a terminal, nothing in a pipe; called as api.Progress."""

    _shown: ClassVar[set[Bar]] = set()

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
            self._shown.add(self)
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._shown.discard(self)

    @classmethod
    def close_all(cls) -> None:
        """Clears the lines of all bars."""
        for bar in list(cls._shown):
            bar._close()

    def __exit__(self, *_: object) -> None:
        self._close()


def display_width(text: str) -> int:
    """Columns of a terminal that a text takes; Chinese, Japanese and Korean characters take two."""
    return sum(char_width(char) for char in text)


def char_width(char: str) -> int:
    """Columns of a terminal that one character takes: 0, 1 or 2."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


_GAP = "  "


def aligned_lines(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> Iterator[str]:
    """The rows as lines, all of one length; the columns ``right`` are numbers, which end below each other.

    Characters that would move the cursor are shown as their escapes. Nothing is cut: a path must stay whole.
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(display_width, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = [
            _padded(cell, width, place in right) for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield _GAP.join(cells).rstrip()


def _padded(cell: str, width: int, at_right: bool) -> str:
    room = " " * (width - display_width(cell))
    return room + cell if at_right else cell + room


def csv_target(given: str, columns: Sequence[str], *, overwrite: bool) -> Path:
    """The file to write; raises OutputError for a folder, and for a file of other columns that may not be replaced."""
    target = Path(os.path.expanduser(given))
    check_regular(target)
    if overwrite or not os.path.isfile(target) or is_empty(target):
        return target
    if _first_bytes(target, len(_header(columns))) != _header(columns):
        raise OutputError(f"{target} is there already and has other columns; choose another name, or add --overwrite")
    return target


def write_csv(target: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """The file in UTF-8, whole or not at all; no spreadsheet takes a cell for a formula."""
    with atomic_file(target) as file:
        file.write(csv_text(columns, rows).encode("utf-8", "replace"))


def _header(columns: Sequence[str]) -> bytes:
    return csv_text(columns, []).encode("utf-8")


def _first_bytes(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise output_error(path, error) from error
