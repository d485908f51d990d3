"""What ``clip-grid train --dry-run`` prints: what is wrong in a data set, and how it would be split."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from ..api import check_data
from ..clip_backend.learning.data.checks import CHECKS
from ..clip_backend.learning.data.dataset import PARTS, Finding
from ..clip_backend.learning.data.report import SHOWN, DataReport
from ..clip_backend.learning.data.split import Split
from ..plurals import counted
from .flags import model_choice
from .models import file_size
from .output import DONE, FAILED, PARTIAL, Bar, duration, note, print_json, show

#: The exit status for what was found.
_STATUS = {"ok": DONE, "warnings": PARTIAL, "errors": FAILED}
#: Classes that are shown with their numbers.
_CLASSES = 12


def dry_run(args: argparse.Namespace, data: str, options: Mapping[str, Any]) -> int:
    """The report on the terminal or as JSON; the exit status tells errors from warnings."""
    with Bar(args.quiet) as bar:
        report = check_data(
            data, model=model_choice(args), val_data=args.val_data, test_data=args.test_data, root=args.root,
            split=args.split, findings=args.findings, overwrite=args.overwrite, progress=bar, **options,
        )  # fmt: skip
    if args.json:
        print_json(report.to_dict())
    else:
        show(_lines(report, args.findings))
    note(args, [f"not checked: {one}" for one in report.unchecked])
    return _STATUS[report.status]


def _lines(report: DataReport, file: str | None) -> Iterator[str]:
    told = report.to_dict()
    yield f"{report.dataset.path.name}: {told['layout']}; {counted(told['rows'], 'row')}, {told['usable']} usable"
    if report.labels:
        what = "classes" if report.dataset.kind == "classes" else "labels"
        shown = [f"{label} {count}" for label, count in list(report.labels.items())[:_CLASSES]]
        more = [f"and {len(report.labels) - _CLASSES} more"] if len(report.labels) > _CLASSES else []
        yield f"{what}: {', '.join([*shown, *more])}"
    for check, findings in report.by_check().items():
        severities = [one.severity for one in findings]
        for severity in dict.fromkeys(severities):
            yield f"{counted(severities.count(severity), severity)}: {CHECKS[check]}"
        yield from map(_finding, findings[:SHOWN])
        if len(findings) > SHOWN:
            yield f"    and {len(findings) - SHOWN} more; {'see ' + file if file else '--findings FILE lists them'}"
    if report.split:
        yield from _split(report.split)
    if report.training:
        yield from _training(report.training)
    yield f"{counted(told['errors'], 'error')}, {counted(told['warnings'], 'warning')}"
    if report.stops:
        yield "nothing can be trained before the errors are mended"
    if file:
        yield f"findings: {file}"


def _training(cost: Mapping[str, Any]) -> Iterator[str]:
    memory, disk, free = cost["memory"], cost["disk"], cost["free"]
    room = "" if free is None else f" of {file_size(free)} that are free"
    takes = f"about {file_size(memory)} of memory{room}, {file_size(disk)} on disk while it runs"
    if free is not None and memory > free:
        yield f"{cost['method']}: {cost['steps']} steps take {takes}, which is too much memory: give a smaller batch"
        return
    yield f"{cost['method']}: {cost['steps']} steps take about {duration(cost['seconds'])}, {takes}"


def _finding(one: Finding) -> str:
    place = one.where if not one.picture or one.row is None else f"{one.where} {one.picture}"
    return f"    {place}: {one.message}" if place else f"    {one.message}"


def _split(split: Split) -> Iterator[str]:
    told = split.to_dict()
    yield f"split: {', '.join(f'{told[part]} {part}' for part in PARTS)}, in {counted(told['groups'], 'group')}"
    if split.reasons:
        joined = ", ".join(f"{reason} {count}" for reason, count in split.reasons.items())
        yield f"    joined: {joined}"
    if split.least_cosine is not None:
        yield f"    near-duplicates by embedding: cosine of at least {split.least_cosine:.4f}, by this data"
