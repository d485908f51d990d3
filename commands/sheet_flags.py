"""The flags of a sheet: its pictures, labels and table, every option of a template, grouped by subject."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ..api import ClipOptions, GridTemplate, SheetInputs
from ..errors import InputError
from ..grid.template import split_columns
from ..grid.write.output import FORMAT_OF
from ..options import add_flags, options_of
from .flags import FLAG_OF, add_model_flags, add_options, load_keywords, read_flags
from .output import add_output_flags

#: What other programs call these formats.
_FORMAT_NAMES = {suffix.lstrip("."): name for suffix, name in FORMAT_OF.items()}
#: The options of a template in the groups of the help; those of the first one stand among the basic options.
_GROUPS = {
    "": ("title", "columns", "label_position"),
    "the labels": (
        "label_columns", "label_format", "label_sources", "label_align", "font", "font_size", "min_font_size",
        "text_color", "outline_color", "outline_width",
    ),
    "the table and the order of the pictures": (
        "x_axis", "y_axis", "page_axis", "row_headers", "column_headers", "sort_by", "reverse",
    ),
    "pages and cells": (
        "rows", "cell_width", "cell_height", "fit", "enlarge", "margin", "gap", "on_overflow", "header", "footer",
        "legend", "page_text_color", "pad_color", "border_width", "border_color",
    ),
    "scores on the sheet": ("badge", "winner", "heatmap", "scores_csv"),
    "reading and writing": ("quality", "sidecar", "resample", "frame"),
}  # fmt: skip


def add_sheet_flags(parser: argparse.ArgumentParser) -> None:
    """Paths, talk, and every option of a template; what most sheets need stands first."""
    _add_basic_flags(parser)
    groups = {title: parser.add_argument_group(title) if title else parser for title in _GROUPS}
    _add_labels(groups["the labels"])
    for title, names in _GROUPS.items():
        if title:
            _add_template_options(groups[title], names)
    _add_files(groups["reading and writing"])
    add_options(parser.add_argument_group("labels and scores by CLIP"), ClipOptions, without=["clip_model", "use_clip"])
    add_model_flags(parser, "--clip-model")


def _add_basic_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", nargs="*", metavar="IMAGES... OUT", help="folders, files, globs or .txt lists of them, then the sheet")
    _add_template_options(parser, _GROUPS[""])
    add("--csv", metavar="FILE", help="CSV or JSON table with a row per picture, found by its file name")
    options = options_of(GridTemplate)
    add(
        "--format", metavar="FORMAT", default=argparse.SUPPRESS,
        help=f"{options['format'].help}: {', '.join(_FORMAT_NAMES)} (default: from the ending of OUT, else png)",
    )  # fmt: skip
    add("--background", nargs="+", metavar="COLOR", default=argparse.SUPPRESS, help=options["background"].help)
    add(
        "--template", metavar="NAME|FILE", default=argparse.SUPPRESS,
        help="a template to start from; see: clip-grid templates",
    )  # fmt: skip
    add_options(parser, ClipOptions, only=["use_clip"])
    add("--batch", nargs="+", metavar="DIR", help="one sheet per directory; the last one is where the sheets go")
    add("--dry-run", action="store_true", help="plan everything, write nothing, print the plan")
    add("--overwrite", action="store_true", help="replace files even if they are not of this program")
    add_output_flags(
        parser, verbose="also tell where the labels come from and how long it took, and list every skipped picture"
    )


def _add_labels(group: argparse._ActionsContainer) -> None:
    group.add_argument("--text", nargs="+", metavar="LABEL", help="labels, one per picture or one for all")


def _add_files(group: argparse._ActionsContainer) -> None:
    add = group.add_argument
    add("--resize", nargs=2, type=int, metavar=("W", "H"), help="resize each picture before it is placed")
    add(
        "--resize-mode",
        choices=("fit", "fill", "stretch"),
        default="fit",
        help="inside that size, filling it and cropped, or stretched to it (default: %(default)s)",
    )
    add("--save-template", metavar="FILE", help="write the template that results from all options")


def _add_template_options(group: argparse._ActionsContainer, names: Sequence[str]) -> None:
    """A flag per option, each with what else is taken for it behind it."""
    for name in names:
        aliases = ["--cols"] if name == "columns" else []
        add_flags(group, [options_of(GridTemplate)[name]], aliases)
        if name == "label_columns":
            group.add_argument("--labels", nargs="+", metavar="COLUMN", help="as --label-columns")
        if name == "cell_height":
            group.add_argument(
                "--cell-size", nargs=2, type=int, metavar=("W", "H"), help="as --cell-width and --cell-height"
            )


def split_background(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a colour, one or three numbers, and the paths that stand after them."""
    count = len(words) if _are_numbers(words) else 3 if _are_numbers(words[:3]) else 1
    return [*words[:count]], [*words[count:]]


def _are_numbers(words: Sequence[str]) -> bool:
    return len(words) >= 3 and all(word.rstrip(",").isdecimal() for word in words)


def template_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of the template that stand on the command line, under their own names."""
    given = read_flags(args, GridTemplate)
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
    return read_flags(args, ClipOptions)


def unused_clip_flags(args: argparse.Namespace) -> list[str]:
    """A note for each flag of CLIP that does nothing, for want of the flag that asks for it."""
    given = clip_options(args)
    if given.get("use_clip"):
        return []
    notes = ["--vocabulary has no effect without --use-clip"] if given.get("vocabulary") else []
    if not given.get("score_text"):
        unused = ["--clip-model"] if args.model else []
        unused += [FLAG_OF.get(name, "--" + name.replace("_", "-")) for name in load_keywords(args)]
        notes += [f"{flag} has no effect without --use-clip or --score-text" for flag in unused]
    return notes


def sheet_inputs(args: argparse.Namespace) -> SheetInputs:
    """Table, texts and resizing; raises InputError for a size below 1."""
    if args.resize and min(args.resize) < 1:
        raise InputError(f"--resize is {args.resize[0]} {args.resize[1]}; both must be 1 or more")
    resize = ((args.resize[0], args.resize[1]), args.resize_mode) if args.resize else None
    return SheetInputs(csv=args.csv, labels=args.text or (), resize=resize)
