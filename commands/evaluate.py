"""``clip-grid evaluate``: a finished run, measured on pictures that it was not trained on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from ..api import evaluate
from ..clip_backend.learning.evaluation import Evaluation
from ..clip_backend.learning.runs.report import metric_table
from .flags import add_model_flags, model_choice
from .output import DONE, Bar, add_output_flags, note, print_json, show
from .train import results

USAGE = "[options] RUN DATA"
HELP = """\
measure a run of clip-grid train on other labelled pictures

  clip-grid evaluate cats new-photos/
  clip-grid evaluate cats photos/ --part test

DATA is of the kind that the run learnt from. Pictures that it was trained on,
and copies of them, are refused: they say nothing about new ones. --part test
takes the run's own test split out of the data that it was made from.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", help="folder that clip-grid train wrote")
    add("data", metavar="DATA", help="a folder or file of labelled pictures")
    add("--part", choices=("all", "test"), default="all", help="test: only the pictures of the run's own test split")
    add("--allow-trained", action="store_true", help="also measure on pictures that were trained on")
    add("--root", metavar="DIR", help="where relative paths of pictures are looked up first")
    add_output_flags(parser)
    add_model_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The exit status."""
    model = model_choice(args)
    if not args.model:
        model = model.with_model(args.run_folder)
    with Bar(args.quiet) as bar:
        found = evaluate(
            args.run_folder, args.data, model=model, part=args.part, allow_trained=args.allow_trained, root=args.root,
            progress=bar,
        )  # fmt: skip
    if args.json:
        print_json(found.to_dict())
    else:
        show(_lines(found, args.run_folder))
    note(args, found.notes)
    return DONE


def _lines(found: Evaluation, folder: str) -> Iterator[str]:
    count = next((arm.rows for arm in found.arms.values()), 0)
    yield f"{Path(folder).name}: {found.run.method} on {found.run.base.name}, {count} examples"
    yield from results(metric_table(found.arms))
