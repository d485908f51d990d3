"""``clip-grid label``: what each picture shows, by given labels or by words of a vocabulary."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..api import label_images
from ..clip_backend.labelling.answers import Labelled
from ..clip_backend.labelling.options import LabelOptions
from ..clip_backend.words.find import find_vocabulary
from ..clip_backend.words.given import given_labels
from ..clip_backend.words.vocabulary import Vocabulary
from ..clip_backend.words.word_files import is_word_file, read_vocabulary
from ..errors import InputError
from .bar import Bar
from .clip_flags import add_model_flags, chosen_model, shown_model
from .csv_file import csv_target, write_csv
from .given import add_options, checked_options
from .label_table import CSV_COLUMNS, csv_row, table
from .talk import add_talk, note, print_json, refused, status_of

HELP = """\
say what each picture shows

  clip-grid label renders/ --labels cats.txt
  clip-grid label renders/ --labels cat dog 'a red car'
  clip-grid label 'renders/**/*.png' --vocabulary words.json --csv labels.csv
  clip-grid label renders/ --contrast

clip-grid export takes the file that --csv writes as its own --csv. Exit status
3: done, but a picture could not be read.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("paths", nargs="*", metavar="IMAGES", help="folders, files, globs or .txt lists of them")
    words = parser.add_mutually_exclusive_group()
    words.add_argument("--labels", nargs="+", metavar="FILE|LABEL", help="labels to choose from, or a file of them")
    words.add_argument(
        "--vocabulary", metavar="FILE|+FILE", default="",
        help="words in facets: a .txt, .csv or .json file; +FILE for the program's own and the file's (default: the "
        "program's own)",
    )  # fmt: skip
    add("--contrast", action="store_true", help="say what tells the pictures apart, no two the same, as on a sheet")
    add("--csv", metavar="FILE", help="also write a row per picture")
    add("--overwrite", action="store_true", help="replace FILE even if it is another table")
    add_talk(parser)
    group = parser.add_argument_group("the labels")
    add_options(group, LabelOptions, without=["templates"])
    group.add_argument(
        "--templates", nargs="+", metavar="SENTENCE", default=argparse.SUPPRESS,
        help="sentences around a label, such as 'a photo of {}' (default: those of the vocabulary)",
    )  # fmt: skip
    add_model_flags(parser)
    parser.set_defaults(run=label)


def label(args: argparse.Namespace) -> int:
    """The labels as a table or JSON, and as a CSV file."""
    if not args.paths:
        return refused("give the pictures, before --labels, as in: clip-grid label renders/ --labels cats.txt")
    target = csv_target(args.csv, CSV_COLUMNS, overwrite=args.overwrite) if args.csv else None
    run = _labelled(args)
    if target:
        write_csv(target, CSV_COLUMNS, (csv_row(one, run.model) for one in run.pictures))
    if args.json:
        print_json(run.to_dict())
    else:
        others = int(args.top_k) - 1 if hasattr(args, "top_k") else None
        for line in table(run, shown_model(args, run.model), others):
            print(line)
    note(args, run.notes)
    return status_of(args, len(run.pictures), run.failed)


def _labelled(args: argparse.Namespace) -> Labelled:
    if hasattr(args, "templates"):
        args.templates = "\n".join(args.templates)
    options = checked_options(args, LabelOptions)
    words = _words(args)
    # it counts the texts of the labels first, then the pictures
    with Bar(args.quiet, unit="") as bar:
        return label_images(
            args.paths, vocabulary=words, contrast=args.contrast, model=chosen_model(args), progress=bar, **options
        )


def _words(args: argparse.Namespace) -> Vocabulary:
    """The labels one by one, or what a file, or words between commas, tell."""
    labels: list[str] = args.labels or []
    if not labels:
        return _found(args.vocabulary)
    if len(labels) == 1 and labels[0].strip():
        return _found(labels[0])
    for text in labels:
        if is_word_file(text):
            raise InputError(f"--labels names the file {text!r} among other labels; give one file, or labels alone")
    return given_labels(labels)


def _found(text: str) -> Vocabulary:
    # a file of another ending is refused, and not taken for a label
    is_file = os.path.isfile(os.path.expanduser(text))
    return read_vocabulary(_at_home(text)) if is_file else find_vocabulary(text, find=_at_home)


def _at_home(text: str) -> Path:
    return Path(os.path.expanduser(text))
