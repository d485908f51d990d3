"""``clip-grid train``: a head, a calibration or trained weights from labelled pictures, with a report."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..api import train
from ..clip_backend.learning.options import TrainOptions
from ..clip_backend.learning.runs.report import Report
from ..clip_backend.learning.runs.run import REPORT_TEXT
from ..clip_backend.learning.tuning.result import SEARCH, Step
from ..errors import InputError
from .data_report import dry_run
from .flags import add_model_flags, add_options, model_choice, read_checked_flags
from .output import DONE, Bar, add_output_flags, aligned_lines, duration, note, print_error, print_json, show

USAGE = "[options] DATA"
HELP = """\
learn from labelled pictures: classes, captions, or pairs that match or not

  clip-grid train photos/ --out cats
  clip-grid train labels.csv --dry-run
  clip-grid train labels.csv --out cats --method ridge
  clip-grid train --train-csv train.csv --val-csv val.csv --epochs 5
  clip-grid label new/ --head cats

DATA is a folder with a folder for each class, a CSV file of image_path, text
and label, pictures with captions beside them, or another layout; see
docs/learning.md. It ends with a table and one sentence: whether what was learnt
is better than the base model and than ridge. The folder --out holds it all.
--dry-run only checks the data: exit status 1 for errors, 3 for warnings.
"""
#: What concerns every method; all others are for those that train weights of the model.
_COMMON = ("method", "val", "test", "seed", "group_prompts", "templates", "tip_alpha", "tip_beta")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("data", nargs="?", metavar="DATA", help="a folder or file of labelled pictures")
    add("--train-csv", "--train-data", dest="train_data", metavar="DATA", help="another way to give DATA")
    add("--val-csv", "--val-data", dest="val_data", metavar="DATA", help="data that settings are chosen on")
    add("--test-csv", "--test-data", dest="test_data", metavar="DATA", help="data that the report is made from")
    add("--out", metavar="RUN", help="folder of the run (default: the name of the data with -run, in this folder)")
    add("--root", metavar="DIR", help="where relative paths of pictures are looked up first")
    add("--split", metavar="FILE", help="the split.json of an earlier run, whose pictures stay in their parts")
    add("--dry-run", action="store_true", help="check the data and show the split; train nothing")
    add("--findings", metavar="FILE", help="with --dry-run: write all findings to a CSV file")
    add("--resume", action="store_true", help="go on with a run that was stopped")
    add("--overwrite", action="store_true", help="replace an earlier run in the folder")
    add_output_flags(parser)
    group = parser.add_argument_group("what is learnt")
    others = [name for name in TrainOptions.__dataclass_fields__ if name not in _COMMON]
    add_options(group, TrainOptions, without=[*others, "templates"])
    group.add_argument(
        "--templates", nargs="+", metavar="SENTENCE", default=argparse.SUPPRESS,
        help="sentences around the name of a class (default: 'a photo of a {}' and '{}')",
    )  # fmt: skip
    weights = parser.add_argument_group("training weights of the model: lora, last-blocks and full")
    add_options(weights, TrainOptions, without=_COMMON)
    add_model_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The exit status."""
    data = _data(args)
    out = args.out or f"{Path(data).stem}-run"
    if hasattr(args, "templates"):
        args.templates = "\n".join(args.templates)
    if args.dry_run:
        return dry_run(args, data, read_checked_flags(args, TrainOptions))
    if args.findings:
        raise InputError("--findings is for --dry-run; a training writes findings.csv into its folder")
    steps = StepBar(args.quiet)
    with Bar(args.quiet) as bar, steps:
        report = train(
            data, out, model=model_choice(args), val_data=args.val_data, test_data=args.test_data, root=args.root,
            split=args.split, overwrite=args.overwrite, resume=args.resume, progress=bar,
            on_step=steps.show,
            **read_checked_flags(args, TrainOptions),
        )  # fmt: skip
    if args.json:
        print_json({**report.to_dict(), "out": str(out)})
    else:
        show(_lines(report, out))
    note(args, report.notes)
    return DONE


class StepBar(Bar):
    """The bar of training steps, with loss, learning rate and val; the time it takes is told once, in pipes too."""

    def __init__(self, quiet: bool) -> None:
        super().__init__(quiet, "step")
        self._quiet = quiet
        self._is_told = False

    def show(self, step: Step) -> None:
        """Called after every step."""
        if step.seconds_left is not None and not self._is_told and not self._quiet:
            self._is_told = True
            print_error(f"training takes about {duration(step.seconds_left)}, or less if val gets no better")
        self._update(step.step, step.steps)
        if self._bar is not None:
            val = "" if step.metric is None else f", val {step.metric:.3f}"
            self._bar.set_description("finding the learning rate" if step.stage == SEARCH else None, refresh=False)
            self._bar.set_postfix_str(f"loss {step.loss:.3f}, rate {step.learning_rate:.1e}{val}", refresh=False)


def _data(args: argparse.Namespace) -> str:
    given = [one for one in (args.data, args.train_data) if one]
    if len(given) != 1:
        what = "DATA and --train-csv were both given" if given else "there is no DATA"
        raise InputError(f"{what}; give one, as in: clip-grid train photos/ --out cats")
    return str(given[0])


def _lines(report: Report, out: str) -> Iterator[str]:
    data = report.data
    sizes = ", ".join(f"{data[part]} {part}" for part in ("train", "val", "test"))
    yield f"{report.run.data}: {data['layout']}; {sizes}"
    yield from results(report.table())
    yield report.sentence
    yield f"run: {out}; the whole report: {Path(out) / REPORT_TEXT}"


def results(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """The table of a report, indented."""
    if table:
        yield from ("    " + line for line in aligned_lines(table))
