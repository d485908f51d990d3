"""Matches the pairs of a CSV file: what an earlier run did is reused, the rest is scored a few rows at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ...atomic import the_only_run
from ...errors import CheckpointError, InputError, PictureError, SpaceError
from ...imaging import Progress
from ..calibration.calibration import Calibration
from ..encoding.cache import row_key
from ..finding.folders import StrPath
from ..matching.match import dropped_note, match_pictures
from ..matching.result import Matches, MatchOptions, MatchResult
from ..scoring.scales import bank
from .pairs_file import PairRow, find_picture, read_pairs
from .part_file import DoneRow, PartFile
from .report import PairResult, PairsReport, check_target, measure, write_results

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder
#: A picture that can be read.
_ANY_PICTURE = np.zeros((8, 8, 3), np.uint8)
NOT_FINITE = "its cosine is not a number; choose dtype='fp32'"
Outcome = MatchResult | str
#: ``match_pictures`` or what takes its place: (encoder, pictures, texts, options=, calibration=) -> results.
Match = Callable[..., Matches]
#: Changes when the rules of scores and verdicts do.
RULES = 2
#: Pairs that are scored and then saved at a time: what an interruption costs at most.
CHUNK = 64
#: The note where rows have labels but no metrics.
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
    alone. While it runs, finished rows are kept in OUT.part; unless ``resume`` is False, a later run of the same
    settings and model reuses those whose picture and text are the same, and one of others begins anew and notes what
    differs. Once ``out`` is complete the part file is removed, and the next run scores all rows again, with the
    encoder's own cache. overwrite: also replace a file that holds no results of this program. model: the user's name
    for it; where all rows are done by a model of this name, the encoder is not opened. progress: called with (rows
    done, rows in all). match: instead of ``match_pictures``.
    Raises InputError for a file of pairs that cannot be used or a setting that suits no pair, SpaceError for a
    calibration of another model, and OutputError if ``out`` cannot be written, or another run is writing it.
    """
    source, *rest = (Path(os.path.abspath(os.path.expanduser(path))) for path in (pairs, out) if path is not None)
    target = rest[0] if rest else None
    if target:
        check_target(target, source, overwrite=overwrite)
    table = read_pairs(source)
    options = replace(options, mode="pairs")
    planned = [task_of(row, (source.parent, Path.cwd())) for row in table.rows]
    with the_only_run(target) if target else nullcontext():
        part = PartFile(target, settings_of(options, calibration, model)) if target else None
        known = part.read() if part else {}
        if part and not resume:
            part.remove()
            known = {}
        run = PairsRun(planned, open_encoder, match, options, calibration, part)
        if part and resume and part.differences:
            run.begins_anew("; ".join(part.differences))
        run.work(known, is_same_model=bool(model), progress=progress)
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


@dataclass(frozen=True)
class Task:
    """A row that can be matched, with the file of its picture."""

    row: PairRow
    picture: Path
    #: Equal only for the same file in its present state and the same text.
    key: str


def settings_of(options: MatchOptions, calibration: Calibration | None, model: str) -> dict[str, str]:
    """What results depend on beside picture and text, by name."""
    given = {name: str(value) for name, value in asdict(options).items() if name != "mode"}
    fitted = row_key(calibration) if calibration else "none"
    return {**given, "calibration": fitted, "model": model, "rules": f"{RULES}, bank {bank().version}"}


def model_id(encoder: Encoder) -> str:
    """Equal only for models that give the same cosines: weights, number type and preparation of pictures."""
    preprocessing = encoder.identity.preprocessing
    return row_key(encoder.fingerprint, encoder.identity.cache_key, preprocessing.key if preprocessing else "")


def task_of(row: PairRow, folders: Sequence[Path]) -> Task | PairResult:
    """The task for a row, or a failed result that says why it cannot be matched.

    folders: where a relative path is looked up, in this order.
    """
    if row.problem:
        return PairResult(row, error=row.problem)
    try:
        picture = find_picture(row.image, folders)
        status = os.stat(picture)
    except PictureError as error:
        return PairResult(row, error=error.reason)
    except OSError as error:
        return PairResult(row, error=f"it cannot be opened: {error.strerror or error}")
    key = row_key(str(picture), status.st_size, status.st_mtime_ns, row.text)
    return Task(row, picture, key)


@dataclass
class PairsRun:
    """Scores the rows of a file that have no result yet."""

    #: All rows in their order: tasks, and results of those that cannot be matched.
    planned: Sequence[Task | PairResult]
    open_encoder: Callable[[], Encoder]
    match: Match
    options: MatchOptions
    calibration: Calibration | None
    part: PartFile | None
    #: Rows whose result comes from an earlier run.
    resumed: int = 0
    #: Notes for the user, each once.
    notes: dict[str, None] = field(default_factory=dict)
    #: Outcomes by row number.
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def work(self, known: Mapping[str, DoneRow], *, is_same_model: bool, progress: Progress | None = None) -> None:
        """Scores every row without a known result; an interruption keeps the chunks that are done.

        known: results by key. is_same_model: whether they are surely of this run's model, which is then opened only if
        there is a row to score. Raises SpaceError for a calibration of another model.
        """
        encoder, tasks = None, [one for one in self.planned if isinstance(one, Task)]
        if tasks and not (is_same_model and all(task.key in known for task in tasks)):
            encoder = self.open_encoder()
            if self.calibration:
                self.calibration.check(encoder, self.options)
            model = model_id(encoder)
            same = {key: row for key, row in known.items() if row.model == model}
            if len(same) < len(known):
                self.begins_anew("the model changed")
            known = same
        self.outcomes = {task.row.number: known[task.key].result for task in tasks if task.key in known}
        self.resumed = len(self.outcomes)
        self._report(progress)
        waiting = [task for task in tasks if task.row.number not in self.outcomes]
        for start in range(0, len(waiting), CHUNK):
            # waiting is empty where no encoder was opened
            self._score(waiting[start : start + CHUNK], cast("Encoder", encoder))
            self._report(progress)

    def begins_anew(self, why: str) -> None:
        """Notes that results of an earlier run are not used."""
        self.notes |= {f"an earlier run was not continued, and its rows are scored anew: {why}": None}

    def results(self) -> tuple[PairResult, ...]:
        """The results of all rows, in their order."""
        return tuple(one if isinstance(one, PairResult) else self._result(one) for one in self.planned)

    def _score(self, tasks: Sequence[Task], encoder: Encoder) -> None:
        pairs = list(zip(tasks, self._outcomes_of(tasks, encoder), strict=True))
        self.outcomes |= {task.row.number: outcome for task, outcome in pairs}
        if self.part:
            model = model_id(encoder)
            done = {task.key: DoneRow(model, one) for task, one in pairs if isinstance(one, MatchResult)}
            self.part.append(done)

    def _outcomes_of(self, tasks: Sequence[Task], encoder: Encoder) -> list[Outcome]:
        """The result of each task, or why it has none; raises errors that any other pair would meet too."""
        settings = {"options": self.options, "calibration": self.calibration}
        try:
            texts = [task.row.text for task in tasks]
            matches = self.match(encoder, [task.picture for task in tasks], texts, **settings)
        except (SpaceError, CheckpointError):
            raise
        except InputError as error:
            # an error that does not come from one of these pairs is raised here as well
            self.match(encoder, [_ANY_PICTURE], ["a picture"], **settings)
            if len(tasks) == 1:
                return [str(error)]
            return [outcome for task in tasks for outcome in self._outcomes_of([task], encoder)]
        # this note counts only these few rows; the report counts all of them
        counted = {dropped_note(count, len(tasks)) for count in range(1, len(tasks) + 1)}
        self.notes |= dict.fromkeys(note for note in matches.notes if note not in counted)
        outcomes: dict[int, Outcome] = {one.index: one.reason for one in matches.failed}
        for result in matches.results:
            # the picture percentile would only compare the few pictures of this chunk
            own = replace(result, picture_percentile=None)
            outcomes[result.image_index] = own if math.isfinite(own.cosine) else NOT_FINITE
        return [outcomes[place] for place in range(len(tasks))]

    def _report(self, progress: Progress | None) -> None:
        if progress:
            failed = sum(isinstance(one, PairResult) for one in self.planned)
            progress(failed + len(self.outcomes), len(self.planned))

    def _result(self, task: Task) -> PairResult:
        outcome = self.outcomes[task.row.number]
        if isinstance(outcome, str):
            return PairResult(task.row, error=outcome)
        place = task.row.number - 1
        return PairResult(task.row, replace(outcome, image_index=place, text_index=place))
