"""A training from prepared data to its run folder: the method, what it is compared with, the report and the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...csv_cells import csv_text
from ...errors import InputError
from ...imaging import Progress
from .arms.rows import PictureRows
from .base import Base
from .data.checks import CHECKS
from .data.prepare import PreparedData
from .data.report import DataReport
from .frozen import head_outcome, platt_outcome
from .measures.verdict import verdict_on
from .options import HEAD_METHODS, PAIR_METHODS, TOWER_METHODS, TrainOptions
from .outcome import Outcome
from .runs.curves import curves_png
from .runs.report import Report
from .runs.run import (
    CURVES,
    DATA,
    FILES,
    FINDINGS,
    LOG,
    OPENINGS,
    REPORT,
    REPORT_TEXT,
    RUN,
    SPLIT,
    DataKind,
    Run,
    is_run,
    json_bytes,
    read_run,
    test_openings,
    versions,
    write_files,
)
from .tuning.result import OnStep

#: Kinds of findings that a note names.
_FINDINGS_NAMED = 3

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder


def chosen_method(options: TrainOptions, kind: DataKind) -> TrainOptions:
    """The options with the method that suits the kind of data; heads are chosen among later, by their results.

    Raises InputError for a method that does not suit it.
    """
    if options.method == "auto":
        return replace(options, method={"classes": "auto", "pairs": "platt", "captions": "lora"}[kind])
    suits = {"classes": HEAD_METHODS, "pairs": PAIR_METHODS, "captions": ()}[kind]
    if options.method in (*HEAD_METHODS, *PAIR_METHODS) and options.method not in suits:
        told = {"classes": "classes", "pairs": "pairs with labels 1 and 0", "captions": "pictures with captions"}[kind]
        others = ", ".join((*suits, "lora", "last-blocks", "full"))
        raise InputError(f"method is {options.method}, and the data are {told}; choose one of {others}, or auto")
    return options


def check_before_loading(kind: DataKind, encoder: Encoder, options: TrainOptions) -> None:
    """Raises what can be known before pictures and weights are read.

    InputError for a method that does not suit the kind of data or the model, LimitError where the memory is too small.
    """
    wanted = chosen_method(options, kind)
    if wanted.method in TOWER_METHODS:
        # torch is needed by these methods alone
        from .tuning.memory import check_before_loading as check_towers

        check_towers(encoder, kind, wanted)


def check_resumable(folder: Path, method: str) -> None:
    """Raises InputError for a run of another version, or of another method where either trains towers."""
    if not is_run(folder):
        return
    begun = read_run(folder).method
    if begun != method and {begun, method} & {*TOWER_METHODS}:
        raise InputError(
            f"{folder} is a run of {begun}, not of {method}; resume with the options that it was begun with, or choose "
            "another folder"
        )


def cost_of(prepared: PreparedData, encoder: Encoder, options: TrainOptions) -> dict[str, Any]:
    """What training on prepared data will take, for its report; nothing for methods that leave the model as it is.

    Raises InputError for a method that does not suit the kind of data or the model.
    """
    wanted = chosen_method(options, prepared.dataset.kind)
    if wanted.method not in TOWER_METHODS or prepared.report.stops:
        return {}
    from .tuned import cost_on

    return cost_on(PictureRows.of(prepared), prepared.dataset.kind, encoder, wanted).to_dict()


def train_on(
    prepared: PreparedData, encoder: Encoder, options: TrainOptions, folder: Path, *, resume: bool = False,
    on_prepare: Progress | None = None, on_step: OnStep | None = None,
) -> Report:  # fmt: skip
    """Learns from prepared data and writes the run folder, whole or not at all; see ``new_run_folder``.

    Only methods that train weights of the model write while they run: ``run.json`` first, then checkpoints, from which
    ``resume`` goes on. on_prepare, on_step: as of ``tune``.
    Raises InputError for data that cannot be learnt from, see ``DataReport.check_trainable``, and for a method that
    does not suit them; OutputError if the folder cannot be written.
    """
    prepared.report.check_trainable()
    dataset = prepared.dataset
    wanted = chosen_method(options, dataset.kind)
    rows = PictureRows.of(prepared)
    is_tower = wanted.method in TOWER_METHODS
    run = Run(
        method=wanted.method, kind=dataset.kind, base=Base.of(encoder, with_texts=is_tower), options=asdict(options),
        data=dataset.path.name, versions=versions(),
    )  # fmt: skip
    if is_tower:
        # torch is needed by these methods alone
        from .tuned import tower_outcome

        outcome = tower_outcome(
            rows, dataset.kind, encoder, wanted, folder, resume=resume,
            on_begin=partial(_begin, run, folder, resume=resume), on_prepare=on_prepare, on_step=on_step,
        )  # fmt: skip
    else:
        outcome = (platt_outcome if wanted.method in PAIR_METHODS else head_outcome)(rows, encoder, wanted)
    return write_run(replace(run, method=outcome.method, classes=outcome.classes), prepared, outcome, folder)


def _begin(run: Run, folder: Path, *, resume: bool) -> None:
    """Writes what tells the run, and without ``resume`` removes what an earlier one left: no head of two runs."""
    kept = FILES if resume else (OPENINGS,)
    write_files(folder, {RUN: json_bytes(run.to_dict())}, kept)


def _about_data(report: DataReport) -> Iterator[str]:
    """A note on what was found in the data."""
    if not report.findings:
        return
    counts = Counter(one.check for one in report.findings)
    named = ", ".join(f"{count} {CHECKS[check]}" for check, count in counts.most_common(_FINDINGS_NAMED))
    left_out = f"{len(report.left_out)} rows are not used; " if report.left_out else ""
    more = " and others" if len(counts) > _FINDINGS_NAMED else ""
    yield f"{left_out}in the data were found: {named}{more}; {FINDINGS} lists them all"


def write_run(run: Run, prepared: PreparedData, outcome: Outcome, folder: Path) -> Report:
    """The report of an outcome, and all files of its run folder that are not there yet."""
    openings = test_openings(folder) + bool(outcome.arms)
    data = {**prepared.dataset.to_dict(), **prepared.split.to_dict()}
    report = Report(
        run=run, data=data, arms=outcome.arms,
        verdict=verdict_on(outcome.arms, run.method) if outcome.arms else None, test_openings=openings,
        chosen=outcome.chosen, tried=outcome.tried, calibration=outcome.calibration,
        notes=(*outcome.notes, *_about_data(prepared.report)),
    )  # fmt: skip
    files = {
        RUN: json_bytes(run.to_dict()),
        SPLIT: prepared.split.to_json().encode(),
        DATA: json_bytes(prepared.report.to_dict()),
        FINDINGS: prepared.report.findings_csv().encode("utf-8", "replace"),
        CURVES: curves_png(outcome.panels),
        REPORT: json_bytes(report.to_dict()),
        REPORT_TEXT: report.to_markdown().encode("utf-8", "replace"),
        OPENINGS: json_bytes({"count": openings}),
        **outcome.files,
    }
    if outcome.tried and LOG not in files:
        columns = list(outcome.tried[0])
        files[LOG] = csv_text(columns, [[one[name] for name in columns] for one in outcome.tried]).encode()
    write_files(folder, files, outcome.written)
    return report
