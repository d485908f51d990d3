"""All commands: arguments become one call of the API; results go to stdout, notes and errors to stderr.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 done but a picture, a row or a directory of a batch is missing.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from ..api.configuration import version
from ..atomic import record_written
from ..errors import ClipGridError
from ..interrupts import clean_up_by
from . import (
    check_model,
    demo,
    evaluate,
    export,
    export_model,
    index,
    info,
    label,
    legacy_exporter,
    match,
    match_batch,
    models,
    rank,
    search,
    templates,
    train,
)
from .output import FAILED, USAGE, Parser, fail, what_was_written
from .sheet_flags import split_background

#: Each has the function ``add_arguments``, and the texts USAGE and HELP, whose first line stands in the list.
_COMMANDS = {
    "export": export,
    "label": label,
    "match": match,
    "match-batch": match_batch,
    "rank": rank,
    "index": index,
    "search": search,
    "train": train,
    "evaluate": evaluate,
    "export-model": export_model,
    "models": models,
    "check-model": check_model,
    "info": info,
    "templates": templates,
    "demo": demo,
}


_EPILOG = "Begin with: clip-grid export PICTURES/ sheet.png. clip-grid COMMAND --help lists the options of a command."


def clip_grid(argv: Sequence[str] | None) -> int:
    """``clip-grid COMMAND``; answers the exit status."""
    parser = _parser()
    args = _parse(parser, argv)
    if not hasattr(args, "run"):
        parser.print_help(sys.stderr)
        return USAGE
    return _run(args)


def labeled_grid_exporter(argv: Sequence[str] | None) -> int:
    """``labeled-grid-exporter IMAGES OUT``: the flags of the script of that name, on this package."""
    parser = Parser("labeled-grid-exporter", description="Make a labelled sheet from a folder of pictures.")
    parser.add_argument("--version", action="version", version=version())
    legacy_exporter.add_arguments(parser)
    return _run(_parse(parser, argv))


def _parser() -> Parser:
    parser = Parser("clip-grid", description="Labelled image grids, and what CLIP says of pictures.", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    formatter = argparse.RawDescriptionHelpFormatter
    for name, command in _COMMANDS.items():
        title, _, _ = command.HELP.partition("\n")
        # --mode must not be taken for --model
        parts = commands.add_parser(
            name, help=title, description=command.HELP, formatter_class=formatter, allow_abbrev=False,
            usage=f"%(prog)s {command.USAGE}",
        )  # fmt: skip
        command.add_arguments(parts)
        parts.set_defaults(parser=parts)
    return parser


def _parse(parser: Parser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; paths may also stand after flags, and after the numbers of a background colour."""
    args, rest = parser.parse_known_args(argv)
    if rest and (any(text.startswith("-") for text in rest) or not hasattr(args, "paths")):
        getattr(args, "parser", parser).refuse(rest)
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
    record_written()
    clean_up_by(what_was_written)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except ClipGridError as error:
        return fail(str(error), FAILED)
    except BrokenPipeError:
        # whoever reads the results has seen enough, as head has; what is still held goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status
