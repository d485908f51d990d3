"""The flags of a sheet, for every command that makes one, and what they say of its template and its inputs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ..api import ClipOptions, GridTemplate, SheetInputs
from ..errors import InputError
from ..grid.template import split_columns
from ..grid.write.export import FORMAT_OF
from ..options import add_flags, options_of
from .option_flags import add_options, given_options
from .output import add_talk

#: What other programs call these formats.
_FORMAT_NAMES = {suffix.lstrip("."): name for suffix, name in FORMAT_OF.items()}


def add_sheet_flags(parser: argparse.ArgumentParser) -> None:
    """Paths, talk, and every option of a template."""
    _add_inputs(parser)
    add = parser.add_argument
    add("--cols", metavar="N", default=argparse.SUPPRESS, dest="columns", help="as --columns")
    add("--cell-size", nargs=2, type=int, metavar=("W", "H"), help="as --cell-width and --cell-height")
    add("--resize", nargs=2, type=int, metavar=("W", "H"), help="resize each picture before it is placed")
    add("--resize-mode", choices=("fit", "fill", "stretch"), default="fit", help="how (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace OUT even if it is not a sheet of this program")
    add("--dry-run", action="store_true", help="plan everything, write nothing, print the plan")
    add_talk(parser, verbose="also list every skipped picture")
    add_options(parser.add_argument_group("labels and scores by CLIP"), ClipOptions)
    _add_template_options(parser)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", nargs="*", metavar="IMAGES... OUT", help="folders, files, globs or .txt lists of them, then the sheet")
    add("--batch", nargs="+", metavar="DIR", help="one sheet per directory; the last one is where the sheets go")
    add("--csv", metavar="FILE", help="CSV or JSON table with a row per picture, found by its file name")
    add("--labels", nargs="+", metavar="COLUMN", help="columns to show, as --label-columns")
    add("--text", nargs="+", metavar="LABEL", help="labels, one per picture or one for all")
    add(
        "--template",
        metavar="NAME|FILE",
        default=argparse.SUPPRESS,
        help="a template to start from; see: clip-grid templates",
    )
    add("--save-template", metavar="FILE", help="write the template that results from all options")


def _add_template_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options = dict(options_of(GridTemplate))
    add(
        "--format", metavar="FORMAT", default=argparse.SUPPRESS,
        help=f"{options.pop('format').help}: {', '.join(_FORMAT_NAMES)} (default: from the ending of OUT, else png)",
    )  # fmt: skip
    background = options.pop("background")
    add("--background", nargs="+", metavar="COLOR", default=argparse.SUPPRESS, help=background.help)
    add_flags(parser.add_argument_group("the sheet"), list(options.values()))


def split_background(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a colour, one or three numbers, and the paths that stand after them."""
    count = len(words) if _are_numbers(words) else 3 if _are_numbers(words[:3]) else 1
    return [*words[:count]], [*words[count:]]


def _are_numbers(words: Sequence[str]) -> bool:
    return len(words) >= 3 and all(word.rstrip(",").isdecimal() for word in words)


def template_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of the template that stand on the command line, under their own names."""
    given = given_options(args, GridTemplate)
    if "background" in given:
        given["background"] = " ".join(args.background)
    if "format" in given:
        given["format"] = _FORMAT_NAMES.get(args.format.lower(), args.format)
    if args.cell_size:
        given["cell_width"], given["cell_height"] = args.cell_size
    if args.labels:
        given["label_columns"] = ", ".join(name for part in args.labels for name in split_columns(part))
    return given


def clip_options(args: argparse.Namespace) -> dict[str, Any]:
    """What CLIP is to do for the sheet, as far as the command line says."""
    return given_options(args, ClipOptions)


def idle_clip_flags(args: argparse.Namespace) -> list[str]:
    """A note for each flag of CLIP that does nothing, for want of the flag that asks for it."""
    given = clip_options(args)
    if given.get("use_clip"):
        return []
    notes = ["--vocabulary has no effect without --use-clip"] if given.get("vocabulary") else []
    if "clip_model" in given and not given.get("score_text"):
        notes.append("--clip-model has no effect without --use-clip or --score-text")
    return notes


def sheet_inputs(args: argparse.Namespace) -> SheetInputs:
    """Table, texts and resizing; raises InputError for a size below 1."""
    if args.resize and min(args.resize) < 1:
        raise InputError(f"--resize is {args.resize[0]} {args.resize[1]}; both must be 1 or more")
    resize = ((args.resize[0], args.resize[1]), args.resize_mode) if args.resize else None
    return SheetInputs(csv=args.csv, labels=args.text or (), resize=resize)
