"""``clip-grid match``: whether pictures show what texts say, every score under the name of its scale."""

from __future__ import annotations

import argparse

from ..api import match
from ..clip_backend.matching.options import MatchOptions
from .bar import Bar
from .clip_flags import add_model_flags, chosen_model, shown_model
from .given import add_options, checked_options
from .match_table import lines_of
from .talk import add_talk, note, print_json, status_of

HELP = """\
say whether pictures show what texts say

  clip-grid match --image product.jpg --text 'a red shirt'
  clip-grid match --image renders/ --text 'a red car, at night' --preset percentile-95
  clip-grid match --image a.png b.png --text 'a cat' 'a dog' --mode matrix

Each phrase of a text is scored too: its own cosine, and as support how much the
cosine of the whole text falls without it. Exit status: 0 whatever the verdicts
are, 3 if a picture could not be read.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add(
        "--image", nargs="+", action="extend", required=True, metavar="IMAGE",
        help="pictures, folders, globs or .txt lists of them",
    )  # fmt: skip
    add("--text", nargs="+", action="extend", required=True, metavar="TEXT", help="what they should show")
    add("--calibration", metavar="FILE", help="what clip-grid match-batch learnt: probabilities for your pictures")
    add_talk(parser)
    add_options(parser.add_argument_group("the verdict"), MatchOptions)
    add_model_flags(parser)
    parser.set_defaults(run=match_texts)


def match_texts(args: argparse.Namespace) -> int:
    """The scores as a table or JSON."""
    options = checked_options(args, MatchOptions)
    with Bar(args.quiet) as bar:
        run = match(
            args.image, args.text, model=chosen_model(args), calibration=args.calibration, progress=bar, **options
        )
    if args.json:
        print_json(run.to_dict())
    else:
        for line in lines_of(run, shown_model(args, run.model)):
            print(line)
    note(args, run.notes)
    return status_of(args, len(run.results), run.failed)
