"""``clip-grid match-batch``: the pairs of a CSV file, matched row by row, with how well the model did."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator

from ..api import match_pairs
from ..clip_backend.match_files.report import PairMetrics, PairsReport
from ..clip_backend.matching.result import MatchOptions
from ..plurals import counted
from .flags import (
    TEXT_OPTIONS,
    add_model_flags,
    add_options,
    add_text_options,
    model_choice,
    model_name,
    read_checked_flags,
)
from .match import pairs, threshold_line
from .output import (
    DONE,
    FAILED,
    PARTIAL,
    Bar,
    add_output_flags,
    aligned_lines,
    fail,
    first_lines,
    note,
    print_json,
    show,
)

USAGE = "[options] PAIRS.csv"
HELP = """\
match the pictures and texts of a CSV file, pair by pair

  clip-grid match-batch pairs.csv --out results.csv
  clip-grid match-batch pairs.csv --out results.jsonl --preset percentile-95
  clip-grid match-batch labelled.csv --save-calibration mine.json
  clip-grid match-batch pairs.csv --out results.csv --calibration mine.json

The file has the columns image_path and text, and perhaps label (1 for a match,
0 for none), from which ROC-AUC, accuracy and the best threshold are told. A run
that was stopped goes on where it was. Exit status 3: done, but some rows failed;
each says why.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("pairs", metavar="PAIRS.csv", help="the pairs; paths are relative to the file's folder or to the current one")
    add("--out", metavar="FILE", help="where the results go: .csv, .json or .jsonl (default: a table on the terminal)")
    add("--no-resume", action="store_true", help="start with the first pair, whatever a run that was stopped has done")
    add("--overwrite", action="store_true", help="replace files even if they are not of this program")
    add(
        "--calibration", metavar="FILE|RUN",
        help="take the probabilities from what --save-calibration wrote, or from a run of clip-grid train (default: "
        "from a run that --model is)",
    )  # fmt: skip
    add("--save-calibration", metavar="FILE", help="learn from the labels what a cosine is worth, and write it there")
    add_output_flags(parser)
    add_options(parser.add_argument_group("the verdict"), MatchOptions, without=["mode", *TEXT_OPTIONS])
    add_text_options(parser, MatchOptions)
    add_model_flags(parser)
    parser.set_defaults(run=match_file)


def match_file(args: argparse.Namespace) -> int:
    """The results as a file, a table or JSON, and a summary."""
    with Bar(args.quiet, "pair") as bar:
        report = match_pairs(
            args.pairs, args.out, model=model_choice(args), calibration=args.calibration,
            save_calibration=args.save_calibration, resume=not args.no_resume, overwrite=args.overwrite, progress=bar,
            **read_checked_flags(args, MatchOptions),
        )  # fmt: skip
    if args.json:
        print_json(report.to_dict())
    else:
        show(_lines(report, model_name(args, report.model)))
    failures = [f"row {one.row.number} failed: {one.error}" for one in report.results if one.error]
    note(args, [*report.notes, *first_lines(failures)])
    if report.status == "error":
        return fail("none of the rows could be matched", FAILED)
    return PARTIAL if report.failed else DONE


def _lines(report: PairsReport, model: str) -> Iterator[str]:
    """The scales, the results unless a file holds them, and the summary."""
    found = [one.result for one in report.results if one.result]
    if found:
        yield threshold_line(found, model)
    if found and not report.out:
        yield from pairs(found)
    yield from summary(report)


def summary(report: PairsReport) -> Iterator[str]:
    """What was done, the verdicts, and how they agree with the labels."""
    resumed = f", {report.resumed} of them by an earlier run" if report.resumed else ""
    yield f"{report.pairs}: {counted(report.rows, 'pair')}, {report.done} matched{resumed}, {report.failed} failed"
    if report.out:
        yield f"results: {report.out}"
    found = [one.result for one in report.results if one.result]
    if found:
        counts = Counter(one.verdict for one in found)
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
        yield f"verdicts: {verdicts}"
    if report.metrics:
        yield from _metrics(report.metrics)


def _metrics(one: PairMetrics) -> Iterator[str]:
    low, high = one.roc_auc_interval
    yield f"labels: {counted(one.pairs, 'pair')}, {one.positives} of them matches"
    rows = [
        ("ROC-AUC of z", f"{one.roc_auc:.3f}", f"{low:.3f} to {high:.3f} with 95 % confidence"),
        ("average precision", f"{one.average_precision:.3f}", ""),
        ("accuracy of the verdicts", f"{one.accuracy:.3f}", ""),
        ("best threshold", f"{one.best_threshold:.3f}", "cosine of highest balanced accuracy"),
    ]
    yield from ("    " + line for line in aligned_lines(rows, right=[1]))
