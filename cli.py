"""The command line: arguments become one call of the API; results go to stdout, notes and errors to stderr.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 done but a picture, a row or a directory of a batch is missing.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from .api.configuration import version
from .commands import (
    check_model,
    demo,
    export,
    info,
    label,
    legacy_exporter,
    match,
    match_batch,
    models,
    rank,
    templates,
)
from .commands.flags import split_background
from .commands.output import FAILED, USAGE, fail
from .errors import ClipGridError

_STOPPED = 130
#: Each has the function ``add_arguments`` and the text HELP, whose first line stands in the list of commands.
_COMMANDS = {
    "export": export,
    "label": label,
    "match": match,
    "match-batch": match_batch,
    "rank": rank,
    "models": models,
    "check-model": check_model,
    "info": info,
    "templates": templates,
    "demo": demo,
}


def main(argv: Sequence[str] | None = None) -> int:
    """``clip-grid COMMAND``; answers the exit status."""
    parser = _parser()
    args = _parse(parser, argv)
    if not hasattr(args, "run"):
        parser.print_help(sys.stderr)
        return USAGE
    return _run(args)


def labeled_grid_exporter(argv: Sequence[str] | None = None) -> int:
    """``labeled-grid-exporter IMAGES OUT``: the flags of the script of that name, on this package."""
    parser = argparse.ArgumentParser(
        "labeled-grid-exporter", description="Make a labelled sheet from a folder of pictures."
    )
    parser.add_argument("--version", action="version", version=version())
    legacy_exporter.add_arguments(parser)
    return _run(_parse(parser, argv))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("clip-grid", description="Labelled image grids, and what CLIP says of pictures.")
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    formatter = argparse.RawDescriptionHelpFormatter
    for name, command in _COMMANDS.items():
        title, _, _ = command.HELP.partition("\n")
        # --mode must not be taken for --model
        parts = commands.add_parser(
            name, help=title, description=command.HELP, formatter_class=formatter, allow_abbrev=False
        )
        command.add_arguments(parts)
    return parser


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; paths may also stand after flags, and after the numbers of a background colour."""
    args, rest = parser.parse_known_args(argv)
    if rest and (any(text.startswith("-") for text in rest) or not hasattr(args, "paths")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if hasattr(args, "background"):
        args.background, after = split_background(args.background)
        rest = [*after, *rest]
    if rest:
        args.paths = [*args.paths, *rest]
    return args


def _run(args: argparse.Namespace) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a file name may hold what the terminal's encoding cannot
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _ended_by_signals():
            status: int = args.run(args)
            sys.stdout.flush()
    except ClipGridError as error:
        return fail(str(error), FAILED)
    except BrokenPipeError:
        # whoever reads the results has seen enough, as head has; what is still held goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        print("stopped; no file was left half written", file=sys.stderr)
        return _STOPPED
    except _Ended as ended:
        print("ended; no file was left half written", file=sys.stderr)
        return 128 + ended.signal
    return status


class _Ended(BaseException):
    """Another program ends this one, which shall clean up first."""

    def __init__(self, signal: int) -> None:
        super().__init__()
        self.signal = signal


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a closed terminal, raise _Ended where they would have ended the process at once."""

    def end(number: int, _: FrameType | None) -> None:
        raise _Ended(number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    in_main = threading.current_thread() is threading.main_thread()
    ours = [number for number in numbers if in_main and signal.getsignal(number) == signal.SIG_DFL]
    try:
        for number in ours:
            signal.signal(number, end)
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
