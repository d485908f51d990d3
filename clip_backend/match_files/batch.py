"""A file of pairs to a file of results; a broken row costs itself alone, and a run that was stopped goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..calibration.calibration import Calibration
from ..finding.model_paths import StrPath
from ..matching.match import match_pictures
from ..matching.notes import dropped_note
from ..matching.options import MatchOptions
from ..running.image_run import Progress
from .pairs_file import read_pairs
from .part_file import DoneRow, PartFile
from .report import PairsReport, measure
from .result_files import check_target, write_results
from .run import PairsRun
from .scoring import Match, PairScorer
from .tasks import task_of

if TYPE_CHECKING:
    from ..encoder import Encoder

#: Why there is no measure of rows that have labels.
ONE_KIND = "the labels of the rows that were matched are all the same; ROC-AUC and accuracy need some of both kinds"


def match_batch(
    pairs: StrPath,
    out: StrPath | None,
    open_encoder: Callable[[], Encoder],
    *,
    options: MatchOptions,
    calibration: Calibration | None = None,
    resume: bool = True,
    overwrite: bool = False,
    model: str = "",
    progress: Progress | None = None,
    match: Match = match_pictures,
) -> PairsReport:
    """The score of each pair in a CSV file of image_path, text and perhaps label, written to ``out`` when all is done.

    Paths are relative to the file's folder, or to the current one. out: .csv, .json or .jsonl; None for the report
    alone. While it runs, finished rows are kept in OUT.part; a run that was stopped goes on from there, unless
    ``resume`` is False, with what is the same still: picture, text, settings and model. Once ``out`` is written it is
    replaced by the next run, which takes what it can from the encoder's own cache. overwrite: also replace a file that
    holds no results of ours. model: what the user calls it; where all rows are done by a model of this name, the
    encoder is not opened. progress: called with (rows done, rows in all). match: instead of ``match_pictures``.
    Raises InputError for a file of pairs that cannot be used or a setting that suits no pair, SpaceError for a
    calibration of another model, and OutputError if ``out`` cannot be written.
    """
    source, target = _path(pairs), None if out is None else _path(out)
    if target:
        check_target(target, source, overwrite=overwrite)
    table = read_pairs(source)
    settings = repr((replace(options, mode="pairs"), calibration, model))
    planned = [task_of(row, (source.parent, Path.cwd()), settings) for row in table.rows]
    part = PartFile(target) if target else None

    def open_scorer() -> PairScorer:
        return PairScorer(open_encoder(), match, options, calibration)

    run = PairsRun(planned, open_scorer, part)
    run.work(_known(part, resume=resume), is_same_model=bool(model), progress=progress)
    report = _report(run, source, target)
    if target and part:
        write_results(target, table, report)
        part.remove()
    return report


def _report(run: PairsRun, source: Path, target: Path | None) -> PairsReport:
    results = run.results()
    done = [one.result for one in results if one.result]
    dropped = sum(bool(result.dropped) for result in done)
    metrics = measure(results)
    notes = [dropped_note(dropped, len(done))] if dropped else []
    if metrics is None and any(one.result and one.row.label is not None for one in results):
        notes.append(ONE_KIND)
    return PairsReport(
        pairs=str(source),
        out=str(target) if target else None,
        model=done[0].model if done else "",
        results=results,
        resumed=run.resumed,
        metrics=metrics,
        notes=(*run.notes, *notes),
    )


def _known(part: PartFile | None, *, resume: bool) -> dict[str, DoneRow]:
    """What an earlier run has done; forgotten if it is not to be resumed."""
    if part is None:
        return {}
    known = part.read()
    if not resume:
        part.remove()
    return known if resume else {}


def _path(given: StrPath) -> Path:
    return Path(os.path.abspath(os.path.expanduser(given)))
