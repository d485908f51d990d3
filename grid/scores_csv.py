"""The scores of a sheet as a CSV file: a row per picture, a column per score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..atomic import atomic_file
from ..csv_cells import Cell, csv_text
from .columns import name_columns
from .report import CellReport

SCORES_SUFFIX = ".scores.csv"
#: The columns before those of the scores, by which such a file is known.
COLUMNS = ("path", "label", "source", "page", "row", "column")


def write_scores(path: Path, cells: Sequence[CellReport]) -> None:
    """Write the file whole or not at all, as UTF-8; pages, rows and columns count from 0, as in the report.

    A picture without a score has an empty cell. Raises OutputError when the file cannot be written.
    """
    scores = list(dict.fromkeys(name for cell in cells for name in cell.scores))
    # a score may be called like one of our columns
    header, _ = name_columns([*COLUMNS, *scores])
    with atomic_file(path) as file:
        file.write(csv_text(header, [_row(cell, scores) for cell in cells]).encode("utf-8", "replace"))


def _row(cell: CellReport, scores: Sequence[str]) -> list[Cell]:
    place: list[Cell] = [cell.path, cell.label, cell.source, cell.page, cell.row, cell.column]
    return [*place, *(cell.scores.get(name) for name in scores)]


def are_scores(path: Path) -> bool:
    """Whether a file holds the scores of a sheet."""
    try:
        with path.open(encoding="utf-8") as file:
            header = file.readline(10_000)
    except (OSError, ValueError):
        return False
    return tuple(header.rstrip("\r\n").split(",")[: len(COLUMNS)]) == COLUMNS
