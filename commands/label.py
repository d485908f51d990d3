"""``clip-grid label``: what each picture shows, as a table, JSON or CSV."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from ..api import label_images
from ..clip_backend.labelling.options import LabelOptions
from ..clip_backend.labelling.result import UNLABELED, Labelled, PictureLabels
from ..clip_backend.words.files import is_vocabulary_file, read_vocabulary
from ..clip_backend.words.sources import vocabulary_from_text
from ..clip_backend.words.vocabulary import Vocabulary, vocabulary_from_labels
from ..csv_cells import Cell
from ..errors import InputError
from .flags import add_model_flags, add_options, model_choice, model_name, read_checked_flags
from .output import (
    Bar,
    add_output_flags,
    aligned_lines,
    csv_target,
    fail,
    note,
    print_json,
    show,
    status_of,
    write_csv,
)

USAGE = "[options] IMAGES..."
HELP = """\
say what each picture shows

  clip-grid label renders/ --labels cats.txt
  clip-grid label renders/ --labels cat dog 'a red car'
  clip-grid label 'renders/**/*.png' --vocabulary words.json --csv labels.csv
  clip-grid label renders/ --head runs/cats
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
    words.add_argument(
        "--head", metavar="RUN|FILE",
        help="classes that clip-grid train learnt (default: those of a run that --model is)",
    )  # fmt: skip
    add("--overwrite", action="store_true", help="replace FILE even if it is another table")
    add_output_flags(parser)
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
        return fail("give the pictures, before --labels, as in: clip-grid label renders/ --labels cats.txt")
    target = csv_target(args.csv, CSV_COLUMNS, overwrite=args.overwrite) if args.csv else None
    run = _labelled(args)
    if target:
        write_csv(target, CSV_COLUMNS, (csv_row(one, run.model) for one in run.pictures))
    if args.json:
        print_json(run.to_dict())
    else:
        others = int(args.top_k) - 1 if hasattr(args, "top_k") else None
        show(table(run, model_name(args, run.model), others))
    note(args, run.notes)
    return status_of(args, len(run.pictures), run.failed)


def _labelled(args: argparse.Namespace) -> Labelled:
    if hasattr(args, "templates"):
        args.templates = "\n".join(args.templates)
    options = read_checked_flags(args, LabelOptions)
    given = {"head": args.head} if args.head else {"vocabulary": _words(args)} if _has_words(args) else {}
    # it counts the texts of the labels first, then the pictures
    with Bar(args.quiet, unit="") as bar:
        return label_images(
            args.paths, contrast=args.contrast, model=model_choice(args), progress=bar, **given, **options
        )


def _has_words(args: argparse.Namespace) -> bool:
    return bool(args.labels or args.vocabulary)


def _words(args: argparse.Namespace) -> Vocabulary:
    """The labels one by one, or what a file, or words between commas, tell."""
    labels: list[str] = args.labels or []
    if not labels:
        return _read_words(args.vocabulary)
    if len(labels) == 1 and labels[0].strip():
        return _read_words(labels[0])
    for text in labels:
        if is_vocabulary_file(text):
            raise InputError(f"--labels names the file {text!r} among other labels; give one file, or labels alone")
    return vocabulary_from_labels(labels)


def _read_words(text: str) -> Vocabulary:
    # a file of another ending is refused rather than taken for a label
    is_file = os.path.isfile(os.path.expanduser(text))
    return read_vocabulary(_user_path(text)) if is_file else vocabulary_from_text(text, resolve=_user_path)


def _user_path(text: str) -> Path:
    return Path(os.path.expanduser(text))


CSV_COLUMNS = (
    "path", "label", "score", "scale", "source", "labels", "runner_up", "runner_up_probability", "reason", "model",
)  # fmt: skip


def table(run: Labelled, model: str, others: int | None = None) -> Iterator[str]:
    """A line per picture: its label, how probable it is, and where it is; the scale is named above.

    model: what the user calls it. others: how many more labels are shown of each picture, at most as many as the run
    holds; None for the next best one where all labels are of one facet, for those of several do not compete.
    """
    if not run.pictures:
        return
    if others is None:
        others = 1 if all(len(one.facets) == 1 for one in run.pictures) else 0
    scales = " or ".join(sorted({one.scale for one in run.pictures}))
    yield f"labels: {run.vocabulary}; probability: {scales}; model: {model}"
    head = ["label", "probability", *(["next best"] if others else []), "picture", ""]
    yield from aligned_lines([head, *(_row(one, others) for one in run.pictures)], right=[1])


def _row(one: PictureLabels, others: int) -> list[str]:
    if one.label == UNLABELED:
        return [one.label, "–", *([""] if others else []), one.name, one.reason]
    more = ", ".join(f"{other.label} {other.probability:.3f}" for other in one.others[:others])
    return [_all_labels(one), f"{one.score:.3f}", *([more] if others else []), one.name, ""]


def _all_labels(one: PictureLabels) -> str:
    """The label, and the further ones where several were asked for; words of several facets are one label."""
    return ", ".join(one.labels) if len(one.facets) == 1 and len(one.labels) > 1 else one.label


def csv_row(one: PictureLabels, model: str) -> tuple[Cell, ...]:
    """The cells of one picture, in the order of CSV_COLUMNS."""
    runner_up = next(iter(one.others), None)
    label, probability = (runner_up.label, runner_up.probability) if runner_up else (None, None)
    found = (one.name, one.label, one.score, one.scale, one.source, " | ".join(one.labels))
    return (*found, label, probability, one.reason or None, model)
