"""``clip-grid rank``: pictures from best to worst, by a text or by pictures that they should look like."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ..api import rank
from ..atomic import file_set, fitting_name, output_error
from ..clip_backend.ranking.result import ABOVE_THRESHOLD, RankedPicture, Ranking, RankOptions
from ..errors import InputError, OutputError
from ..grid.arrange.numbers import format_score
from ..grid.pictures.lists import as_line
from .flags import (
    TEXT_OPTIONS,
    add_model_flags,
    add_options,
    add_text_options,
    model_choice,
    model_name,
    read_checked_flags,
)
from .output import DONE, PARTIAL, Bar, add_output_flags, aligned_lines, fail, note, print_json, print_lines, show

USAGE = "[options] IMAGES... (--text TEXT | --like IMAGE...)"
HELP = """\
put pictures in order and tell which are the best

  clip-grid rank renders/ --text 'a red car at night' --k 4
  clip-grid rank renders/ --like favourite.png --threshold 0.8
  clip-grid rank renders/ --text 'a cat' --k 9 --list > best.txt
  clip-grid export best.txt best.png

Exit status 3: done, but a picture could not be read.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("paths", nargs="*", metavar="IMAGES", help="folders, files, globs or .txt lists of them")
    by = parser.add_mutually_exclusive_group(required=True)
    by.add_argument("--text", help="what the best picture shows")
    by.add_argument("--like", nargs="+", metavar="IMAGE", help="pictures that the best one looks like")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--list", action="store_true", help="print only the paths of the kept pictures, the best first")
    shown.add_argument("--json", action="store_true", help="print the report as JSON")
    add("--copy-to", metavar="DIR", help="copy the kept pictures there; nothing is overwritten")
    add_output_flags(parser, with_json=False)
    add_options(parser.add_argument_group("what is kept"), RankOptions, without=TEXT_OPTIONS)
    add_text_options(parser, RankOptions)
    add_model_flags(parser)
    parser.set_defaults(run=rank_pictures)


def rank_pictures(args: argparse.Namespace) -> int:
    """The order as a table, a list or JSON."""
    if not args.paths:
        return fail("give the pictures, before --like, as in: clip-grid rank renders/ --text 'a red car' --k 4")
    if args.text is not None and not args.text.strip():
        raise InputError("--text is empty; say what the best picture shows")
    run = _ranked(args)
    if args.copy_to:
        copy_kept(run, args.copy_to)
    if args.json:
        print_json(run.to_dict())
    elif args.list:
        print_lines(kept_paths(run))
    else:
        show(table(run, model_name(args, run.model)))
    note(args, run.notes)
    return PARTIAL if run.status == "partial" else DONE


def _ranked(args: argparse.Namespace) -> Ranking:
    options = read_checked_flags(args, RankOptions)
    if "threshold" in options:
        options.setdefault("keep", ABOVE_THRESHOLD)
    if args.copy_to:
        check_empty_folder(args.copy_to)
    with Bar(args.quiet) as bar:
        return rank(
            args.paths, text=args.text or "", references=args.like, model=model_choice(args), progress=bar, **options
        )


def kept_paths(run: Ranking) -> list[str]:
    """The kept pictures alone, the best first, as lines of a list that ``export`` reads in any console's code page."""
    return [as_line(one.name, sys.stdout.encoding or "ascii") for one in run.kept]


def table(run: Ranking, model: str) -> Iterator[str]:
    """A line per picture, the best first; the scale of the scores is named above. model: what the user calls it."""
    yield f"{len(run.kept)} of {len(run.pictures)} kept; score: {run.scale}; model: {model}"
    rows = [_row(place, one) for place, one in enumerate(run.pictures, 1)]
    yield from aligned_lines([("place", "score", "kept", "picture", ""), *rows], right=[0, 1])


def _row(place: int, one: RankedPicture) -> tuple[str, ...]:
    return str(place), format_score(one.score), "yes" if one.is_kept else "no", one.name, one.reason


def check_empty_folder(given: str) -> Path:
    """The folder, new or empty; raises OutputError for one that holds files."""
    folder = Path(os.path.expanduser(given))
    try:
        holds = os.path.exists(folder) and any(folder.iterdir())
    except OSError as error:
        raise output_error(folder, error) from error
    if holds:
        raise OutputError(f"the folder {folder} is not empty, and nothing in it is to be overwritten; name a new one")
    return folder


def copy_kept(run: Ranking, given: str) -> None:
    """Copies of the kept pictures, the best first by their names: ``01-name.png``; all of them or none.

    Raises OutputError where they cannot be written, and InputError for a picture that is gone.
    """
    folder = check_empty_folder(given)
    digits = len(str(len(run.kept)))
    with file_set(folder) as files:
        for place, one in enumerate(run.kept, 1):
            source = Path(one.name)
            name = fitting_name(f"{place:0{digits}}-{source.stem}", source.suffix)
            with files.open(folder / name) as target, source.open("rb") as picture:
                shutil.copyfileobj(picture, target)
