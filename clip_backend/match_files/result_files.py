"""The files of results: CSV with the columns that were given and ours behind them, JSON, or JSON line by line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ...atomic import atomic_file
from ...csv_cells import Cell, csv_lines, split_lines
from ...errors import InputError, OutputError
from .pairs_file import PairsTable
from .report import PairResult, PairsReport

SUFFIXES = (".csv", ".json", ".jsonl")
RESULT_COLUMNS = (
    "cosine", "clip_score", "probability", "probability_scale", "percentile", "noise_floor", "verdict", "reason",
    "threshold", "threshold_scale", "missing_phrases", "model", "error", "clip_similarity_score", "clip_match_status",
    "clip_is_match",
)  # fmt: skip
#: How our JSON begins.
_MARK = '{"clip_grid": "match-batch"'
_HEAD_BYTES = 1 << 16


def check_target(out: Path, pairs: Path, *, overwrite: bool) -> None:
    """Raises InputError for an ending that is no format or for the file of pairs itself, and OutputError for a file in
    the way that is not one of our results, unless it may be overwritten.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"{out} ends in {out.suffix or 'nothing'!r}; results are written as {', '.join(SUFFIXES)}")
    if os.path.isdir(out):
        raise OutputError(f"{out} is a folder; give the name of a file in it")
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
            file.write(line.encode())


def _csv(columns: Sequence[str], results: Iterable[PairResult]) -> Iterator[str]:
    # the pairs may themselves be a file of results: their old scores give way
    kept = [place for place, column in enumerate(columns) if column not in RESULT_COLUMNS]
    rows = ([*(one.row.cells[place] for place in kept), *_cells(one)] for one in results)
    return csv_lines([*(columns[place] for place in kept), *RESULT_COLUMNS], rows)


def _cells(one: PairResult) -> list[Cell]:
    told = one.to_dict()
    missing = one.result.missing_phrases if one.result else ()
    told["missing_phrases"] = "; ".join(phrase.text for phrase in missing)
    return [told[column] for column in RESULT_COLUMNS]


def _json(report: PairsReport) -> Iterator[str]:
    """The whole report, a line for each row."""
    summary = json.dumps(report.summary(), ensure_ascii=False)
    yield f'{_MARK}, {summary[1:-1]}, "results": [\n'
    last = len(report.results) - 1
    for place, line in enumerate(_json_lines(report.results)):
        yield line if place == last else line[:-1] + ",\n"
    yield "]}\n"


def _json_lines(results: Iterable[PairResult]) -> Iterator[str]:
    return (json.dumps(one.to_dict(), ensure_ascii=False) + "\n" for one in results)


def _is_own(path: Path) -> bool:
    """Whether the file is empty or holds results of ours."""
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
