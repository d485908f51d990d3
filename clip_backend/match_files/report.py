"""The results of a file of pairs: a result or a reason for each row, metrics from labels, and the file they go to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...atomic import atomic_file, check_regular
from ...csv_cells import Cell, csv_lines, split_lines
from ...errors import InputError, OutputError
from ...json_text import to_json
from ..calibration.metrics import accuracy, average_precision, best_threshold, roc_auc, roc_auc_interval
from ..matching.result import MatchResult
from .pairs_file import PairRow, PairsTable


@dataclass(frozen=True)
class PairResult:
    """One row of the file: either a result, or why there is none."""

    row: PairRow
    result: MatchResult | None = None
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; every key is there in every row, with None where there is no result."""
        scores = self.result.to_dict() if self.result else {}
        names = {"row": self.row.number, "image_path": self.row.image, "text": self.row.text, "label": self.row.label}
        return names | {key: scores.get(key) for key in SCORE_KEYS} | {"error": self.error}


#: Keys of ``MatchResult.to_dict`` that become columns; the picture's path has a column of its own.
SCORE_KEYS = (
    "cosine", "clip_score", "clip_score_100", "probability", "probability_scale", "z", "percentile",
    "verdict", "reason", "threshold", "threshold_scale", "model", "phrases", "dropped", "clip_similarity_score",
    "clip_match_status", "clip_is_match",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PairMetrics:
    """How well z tells the labelled matches from the labelled mismatches."""

    #: Labelled pairs with a result, and those of them that are labelled as matches.
    pairs: int
    positives: int
    roc_auc: float
    #: Where the true area lies with 95 % confidence (Hanley & McNeil 1982).
    roc_auc_interval: tuple[float, float]
    average_precision: float
    #: The share of verdicts, match or not, that agree with the label.
    accuracy: float
    #: The cosine of highest balanced accuracy, to be given as a threshold.
    best_threshold: float


@dataclass(frozen=True, kw_only=True)
class PairsReport:
    """All rows in their order; ``resumed`` of them were done by an earlier, interrupted run."""

    pairs: str
    #: The file with the results; None if none was written.
    out: str | None
    model: str
    results: tuple[PairResult, ...]
    resumed: int = 0
    metrics: PairMetrics | None = None
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.results)

    @property
    def done(self) -> int:
        """Rows with a result."""
        return sum(one.result is not None for one in self.results)

    @property
    def failed(self) -> int:
        """Rows without one; each says why."""
        return self.rows - self.done

    @property
    def status(self) -> str:
        """``ok``, ``partial`` when some rows failed, ``error`` when all did."""
        return "error" if not self.done else "partial" if self.failed else "ok"

    def labelled(self) -> tuple[list[bool], list[float]]:
        """The labels of the rows that have one, and their z: what a calibration is fitted to."""
        pairs = [(one.row.label, one.result.z) for one in self.results if one.result]
        known = [(label, z) for label, z in pairs if label is not None]
        return [label for label, _ in known], [z for _, z in known]

    def summary(self) -> dict[str, Any]:
        """Plain JSON values of all but the single rows; the keys are stable."""
        counts = {"rows": self.rows, "done": self.done, "failed": self.failed, "resumed": self.resumed}
        names = {"status": self.status, "pairs": self.pairs, "out": self.out, "model": self.model}
        metrics = asdict(self.metrics) if self.metrics else None
        return names | counts | {"metrics": metrics, "notes": list(self.notes)}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        return self.summary() | {"results": [one.to_dict() for one in self.results]}


def measure(results: Sequence[PairResult]) -> PairMetrics | None:
    """The metrics of the labelled rows; None unless there are labels of both kinds."""
    pairs = [(one.row.label, one.result) for one in results if one.result and one.row.label is not None]
    labels = [bool(label) for label, _ in pairs]
    positives = sum(labels)
    if not 0 < positives < len(labels):
        return None
    z = [result.z for _, result in pairs]
    area = roc_auc(labels, z)
    return PairMetrics(
        pairs=len(labels),
        positives=positives,
        roc_auc=area,
        roc_auc_interval=roc_auc_interval(area, positives, len(labels) - positives),
        average_precision=average_precision(labels, z),
        accuracy=accuracy(labels, [result.is_match for _, result in pairs]),
        best_threshold=best_threshold(labels, [result.cosine for _, result in pairs]),
    )


SUFFIXES = (".csv", ".json", ".jsonl")
RESULT_COLUMNS = (
    "cosine", "clip_score", "probability", "probability_scale", "z", "percentile", "verdict", "reason",
    "threshold", "threshold_scale", "missing_phrases", "model", "error", "clip_similarity_score", "clip_match_status",
    "clip_is_match",
)  # fmt: skip
#: How a JSON file of results begins.
_MARK = '{"clip_grid": "match-batch"'
_HEAD_BYTES = 1 << 16


def check_target(out: Path, pairs: Path, *, overwrite: bool) -> None:
    """Whether ``out`` may be written.

    Raises InputError for an unknown ending or the file of pairs itself, and OutputError for an existing file without
    results of this program, unless it may be overwritten.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"{out} ends in {out.suffix or 'nothing'!r}; results are written as {', '.join(SUFFIXES)}")
    check_regular(out)
    if not os.path.exists(out):
        return
    if os.path.exists(pairs) and os.path.samefile(out, pairs):
        raise InputError(f"the results would replace the pairs in {pairs}; choose another name for them")
    if not overwrite and not _is_own(out):
        raise OutputError(
            f"{out} exists and does not hold results of this program; choose another name, or allow overwriting"
        )


def write_results(out: Path, table: PairsTable, report: PairsReport) -> None:
    """The file in the format of its ending, whole or not at all; raises OutputError if it cannot be written."""
    suffix = out.suffix.lower()
    if suffix == ".csv":
        lines = _csv(table.columns, report.results)
    else:
        lines = _json_lines(report.results) if suffix == ".jsonl" else _json(report)
    with atomic_file(out) as file:
        for line in lines:
            file.write(line.encode("utf-8", "replace"))


def _csv(columns: Sequence[str], results: Iterable[PairResult]) -> Iterator[str]:
    # the pairs may themselves be a file of results; their old scores are replaced
    kept = [place for place, column in enumerate(columns) if column not in RESULT_COLUMNS]
    rows: list[list[Cell]] = []
    for one in results:
        missing = one.result.missing_phrases if one.result else ()
        values = one.to_dict() | {"missing_phrases": "; ".join(phrase.text for phrase in missing)}
        rows.append([*(one.row.cells[place] for place in kept), *(values[column] for column in RESULT_COLUMNS)])
    return csv_lines([*(columns[place] for place in kept), *RESULT_COLUMNS], rows)


def _json(report: PairsReport) -> Iterator[str]:
    """The whole report, a line for each row."""
    summary = to_json(report.summary())
    yield f'{_MARK}, {summary[1:-1]}, "results": [\n'
    last = len(report.results) - 1
    for place, line in enumerate(_json_lines(report.results)):
        yield line if place == last else line[:-1] + ",\n"
    yield "]}\n"


def _json_lines(results: Iterable[PairResult]) -> Iterator[str]:
    return (to_json(one.to_dict()) + "\n" for one in results)


def _is_own(path: Path) -> bool:
    """Whether the file is empty or holds results of this program."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).decode("utf-8-sig", "replace")
    except OSError as error:
        raise OutputError(f"{path} is in the way and cannot be read: {error.strerror or error}") from error
    if not head or path.suffix.lower() == ".json":
        return head.startswith(_MARK) or not head
    if path.suffix.lower() == ".jsonl":
        return head.startswith('{"row": ') and '"clip_similarity_score": ' in head.partition("\n")[0]
    return set(RESULT_COLUMNS) <= set(next(split_lines(head, ",")).cells)
