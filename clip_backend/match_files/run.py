"""The work of one run: what is known is taken, the rest is scored a few rows at a time, and each step is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..matching.result import MatchResult
from ..running.image_run import Progress
from .part_file import DoneRow, PartFile
from .report import PairResult
from .scoring import Outcome, PairScorer
from .tasks import Task

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
