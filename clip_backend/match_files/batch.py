"""Rows that can be matched: each with the file of its picture and a key of all that its result depends on."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import CheckpointError, InputError, PictureError, SpaceError
from ...imaging import Progress
from ..calibration.calibration import Calibration
from ..encoding.cache import row_key
from ..finding.folders import StrPath
from ..matching.match import dropped_note, match_pictures
from ..matching.result import Matches, MatchOptions, MatchResult
from ..scoring.banks import noise_pictures
from .pairs_file import PairRow, read_pairs
from .part_file import DoneRow, PartFile
from .report import PairResult, PairsReport, check_target, measure, write_results

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder


@dataclass(frozen=True)
class Task:
    """A row to be matched."""

    row: PairRow
    picture: Path
    #: Equal only for the same file as it is now, the same text and the same settings.
    key: str


def task_of(row: PairRow, folders: Sequence[Path], settings: str) -> Task | PairResult:
    """What is to be done for a row, or why nothing can be.

    folders: where a relative path is looked for, in their order.
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
    key = row_key(str(picture), status.st_size, status.st_mtime_ns, row.text, settings)
    return Task(row, picture, key)


def find_picture(name: str, folders: Sequence[Path]) -> Path:
    """The file of this name in the first folder that has it, also with the slashes of Windows; else PictureError."""
    spellings = dict.fromkeys((name, name.replace("\\", "/")))
    for path in (folder / spelling for folder in folders for spelling in spellings):
        if os.path.isfile(path):
            return path
    looked = "" if Path(name).is_absolute() else f" in {' or '.join(dict.fromkeys(map(str, folders)))}"
    raise PictureError(name, f"there is no file {name}{looked}; check the path")


NOT_FINITE = "its cosine is not a number; choose dtype='fp32'"
Outcome = MatchResult | str


class Match(Protocol):
    """Scores pictures and texts as ``match_pictures`` does."""

    def __call__(
        self,
        encoder: Encoder,
        pictures: Sequence[Any],
        texts: Sequence[str],
        *,
        options: MatchOptions,
        calibration: Calibration | None,
    ) -> Matches:
        """The results, with the places of their pictures; those that cannot be read are among the failed."""


@dataclass(frozen=True)
class PairScorer:
    """A model with the settings of a run; raises SpaceError for a calibration of another model."""

    encoder: Encoder
    match: Match
    options: MatchOptions
    calibration: Calibration | None = None
    #: What the user should know, each once.
    notes: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.calibration:
            self.calibration.check(self.encoder)

    def score(self, tasks: Sequence[Task]) -> list[Outcome]:
        """The result of each task, or why it has none; raises what would go wrong with any other pair too."""
        try:
            return self._scored(tasks)
        except (SpaceError, CheckpointError):
            raise
        except InputError as error:
            # if the fault is not that of one of these pairs, this one has it too
            self._match(noise_pictures()[:1], ["a picture"])
            if len(tasks) == 1:
                return [str(error)]
            return [outcome for task in tasks for outcome in self.score([task])]

    def _scored(self, tasks: Sequence[Task]) -> list[Outcome]:
        found = self._match([task.picture for task in tasks], [task.row.text for task in tasks])
        self.notes.update(dict.fromkeys(found.notes))
        for count in range(1, len(tasks) + 1):
            # of these few tasks; the run tells it of all
            self.notes.pop(dropped_note(count, len(tasks)), None)
        outcomes: dict[int, Outcome] = {one.index: one.reason for one in found.failed}
        for result in found.results:
            # the percentile among the pictures of a run would be one among those of these few tasks
            own = replace(result, picture_percentile=None)
            outcomes[result.image_index] = own if math.isfinite(own.cosine) else NOT_FINITE
        return [outcomes[place] for place in range(len(tasks))]

    def _match(self, pictures: Sequence[Any], texts: Sequence[str]) -> Matches:
        options = replace(self.options, mode="pairs")
        return self.match(self.encoder, pictures, texts, options=options, calibration=self.calibration)


#: Pairs that are scored, and then kept, at a time: what an interruption costs at most.
CHUNK = 64


class PairsRun:
    """The rows of a file on their way to results."""

    def __init__(
        self, planned: Sequence[Task | PairResult], open_scorer: Callable[[], PairScorer], part: PartFile | None
    ) -> None:
        #: Rows that are to be done, and those that cannot be, in their order.
        self._planned = planned
        self._tasks = [one for one in planned if isinstance(one, Task)]
        self._open_scorer = open_scorer
        self._part = part
        self._outcomes: dict[int, Outcome] = {}
        #: Rows that an earlier run has done.
        self.resumed = 0
        #: What the user should know.
        self.notes: tuple[str, ...] = ()

    def work(self, known: Mapping[str, DoneRow], *, is_same_model: bool, progress: Progress | None = None) -> None:
        """Does what is not known; whatever stops it, the rows of earlier chunks are kept.

        known: results by key. is_same_model: whether they are surely of the model of this run, which is not opened then
        unless there is something to do.
        """
        if not self._tasks or (is_same_model and all(task.key in known for task in self._tasks)):
            self._take({key: row.result for key, row in known.items()})
            self._report(progress)
            return
        scorer = self._open_scorer()
        fingerprint = scorer.encoder.fingerprint
        self._take({key: row.result for key, row in known.items() if row.fingerprint == fingerprint})
        self._report(progress)
        waiting = [task for task in self._tasks if task.row.number not in self._outcomes]
        for start in range(0, len(waiting), CHUNK):
            self._score(waiting[start : start + CHUNK], scorer)
            self._report(progress)
        self.notes = tuple(scorer.notes)

    def results(self) -> tuple[PairResult, ...]:
        """Of all rows, in their order."""
        return tuple(one if isinstance(one, PairResult) else self._result(one) for one in self._planned)

    def _take(self, known: Mapping[str, MatchResult]) -> None:
        self._outcomes |= {task.row.number: known[task.key] for task in self._tasks if task.key in known}
        self.resumed = len(self._outcomes)

    def _score(self, tasks: Sequence[Task], scorer: PairScorer) -> None:
        pairs = list(zip(tasks, scorer.score(tasks), strict=True))
        self._outcomes |= {task.row.number: outcome for task, outcome in pairs}
        if self._part:
            fingerprint = scorer.encoder.fingerprint
            done = {task.key: DoneRow(fingerprint, one) for task, one in pairs if isinstance(one, MatchResult)}
            self._part.append(done)

    def _report(self, progress: Progress | None) -> None:
        if progress:
            lost = len(self._planned) - len(self._tasks)
            progress(lost + len(self._outcomes), len(self._planned))

    def _result(self, task: Task) -> PairResult:
        outcome = self._outcomes[task.row.number]
        if isinstance(outcome, str):
            return PairResult(task.row, error=outcome)
        place = task.row.number - 1
        return PairResult(task.row, replace(outcome, image_index=place, text_index=place))


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
