"""The report of a sheet: what was placed where, what was skipped and why; and the file of its scores."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from ..csv_cells import Cell, csv_text
from ..input_files import open_file
from ..json_text import parse_object, to_json
from ..plurals import counted
from ..visible_text import printable
from .arrange.axes import Axes
from .arrange.heat_map import HeatMap
from .layout.plan import Box
from .pictures.find import readable
from .pictures.survey import Skipped
from .table.records import name_columns

SCORES_SUFFIX = ".scores.csv"
#: The columns before those of the scores, by which such a file is recognised.
SCORES_COLUMNS = ("path", "label", "source", "page", "row", "column")
#: How the cells of a report begin in a file, and the bytes before them at most.
_CELLS, _HEAD_BYTES = b'\n "cells": [', 16 << 20
_NO_CELLS = '\n "cells": []'


@dataclass(frozen=True)
class PageReport:
    """One page; ``path`` is empty before it is written."""

    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class CellReport:
    """One picture on a page; boxes are pixels of that page."""

    page: int
    row: int
    column: int
    path: str
    label: str
    source: str
    box: Box
    image_box: Box
    values: Mapping[str, str]
    scores: Mapping[str, float]
    #: The second best label, where the label is from CLIP.
    runner_up: str = ""
    #: Place among the pictures of the sheet in the order in which they were given, from 0; None = not known.
    index: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "page": self.page,
            "row": self.row,
            "column": self.column,
            "path": self.path,
            "label": self.label,
            "source": self.source,
            **({"runner_up": self.runner_up} if self.runner_up else {}),
            "box": list(self.box),
            "image_box": list(self.image_box),
            "values": dict(self.values),
            # JSON has no NaN and no infinity
            "scores": {name: score if isfinite(score) else None for name, score in self.scores.items()},
            **({} if self.index is None else {"index": self.index}),
        }


@dataclass(frozen=True)
class GridReport:
    """The report of one sheet; ``images_processed + len(skipped) == images_found`` always holds."""

    images_found: int
    images_processed: int
    skipped: tuple[Skipped, ...]
    rows: int
    columns: int
    export_format: str
    pages: tuple[PageReport, ...]
    axes: Axes | None
    cells: tuple[CellReport, ...]
    warnings: tuple[str, ...] = ()
    heat_map: HeatMap | None = None
    #: The CSV file of the scores; empty when none was written.
    scores_file: str = ""
    #: Where the labels stand, as in the template.
    label_position: str = "below"

    @property
    def status(self) -> str:
        """``ok``, or ``partial`` when a picture is missing that was not left out on purpose."""
        return "ok" if all(skip.deliberate for skip in self.skipped) else "partial"

    @property
    def label_sources(self) -> dict[str, int]:
        """How many labels came from each source."""
        return dict(Counter(cell.source for cell in self.cells))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values; the keys are stable, ``heatmap`` and ``scores_file`` only where they are."""
        first = self.pages[0]
        return {
            "status": self.status,
            "images_found": self.images_found,
            "images_processed": self.images_processed,
            "skipped": [{"path": skip.name, "reason": skip.reason} for skip in self.skipped],
            "grid_dimensions": f"{self.rows}x{self.columns}",
            "canvas_size": f"{first.width}x{first.height}",
            "export_format": self.export_format,
            "pages": [{"path": readable(page.path), "width": page.width, "height": page.height} for page in self.pages],
            "label_sources": self.label_sources,
            "label_position": self.label_position,
            "axes": self.axes.to_dict() if self.axes else {"constant": {}},
            "cells": [cell.to_dict() for cell in self.cells],
            "warnings": [readable(warning) for warning in self.warnings],
            **({"heatmap": self.heat_map.to_dict()} if self.heat_map else {}),
            **({"scores_file": readable(self.scores_file)} if self.scores_file else {}),
        }

    def with_paths(self, path: Callable[[str], str], text: Callable[[str], str]) -> GridReport:
        """The report with other paths: ``path`` is applied to each, ``text`` to each sentence that may hold one."""
        return replace(
            self,
            skipped=tuple(replace(one, name=path(one.name), reason=text(one.reason)) for one in self.skipped),
            pages=tuple(replace(page, path=path(page.path)) for page in self.pages),
            cells=tuple(replace(cell, path=path(cell.path)) for cell in self.cells),
            warnings=tuple(map(text, self.warnings)),
            scores_file=path(self.scores_file),
        )

    def to_json(self) -> str:
        """The report as JSON text that every encoding of Unicode can hold, a cell to a line."""
        return "".join(self.json_parts())

    def json_parts(self) -> Iterator[str]:
        """The text of ``to_json`` piece by piece: that of 100,000 pictures is never whole in memory."""
        without_cells = replace(self, cells=()).to_dict() | {"label_sources": self.label_sources}
        head, cells, rest = to_json(without_cells, indent=1).partition(_NO_CELLS)
        yield head + cells[:-1]
        for number, cell in enumerate(self.cells):
            yield (",\n  " if number else "\n  ") + to_json(cell.to_dict())
        yield "]" + rest

    def summary(self) -> str:
        """A few lines for people."""
        return "\n".join(self.summary_lines())

    def summary_lines(self) -> list[str]:
        """What was made, and the files of the pages; names in it are such that a terminal only shows them."""
        first = self.pages[0]
        pages = f" on {len(self.pages)} pages" if len(self.pages) > 1 else ""
        return [
            f"{self.images_processed} of {counted(self.images_found, 'picture')}, grid {self.rows}x{self.columns}, "
            f"canvas {first.width}x{first.height}{pages}, {self.export_format}",
            *dict.fromkeys(printable(page.path) for page in self.pages if page.path),
        ]


@dataclass(frozen=True)
class FailedDirectory:
    """A directory of a batch that gave no sheet."""

    directory: str
    reason: str


@dataclass(frozen=True)
class BatchReport:
    """The reports of several directories."""

    grids: tuple[GridReport, ...]
    failed: tuple[FailedDirectory, ...] = ()

    @property
    def status(self) -> str:
        """``ok``; ``partial`` when a directory or a picture failed; ``error`` when no sheet was made."""
        if not self.grids:
            return "error"
        complete = not self.failed and all(grid.status == "ok" for grid in self.grids)
        return "ok" if complete else "partial"

    def to_dict(self) -> dict[str, Any]:
        failed = [{"directory": readable(f.directory), "reason": readable(f.reason)} for f in self.failed]
        return {"status": self.status, "grids": [grid.to_dict() for grid in self.grids], "failed": failed}

    def to_json(self) -> str:
        """The report as JSON text that every encoding of Unicode can hold."""
        return to_json(self.to_dict(), indent=1)


def read_report(path: Path) -> dict[str, Any] | None:
    """The report of a sheet in a file, as plain JSON values without its cells; None if it holds something else."""
    try:
        with open_file(path) as file:
            start = file.read(_HEAD_BYTES)
        # those of 100,000 pictures take much time and memory
        head, cells, _ = start.partition(_CELLS)
        report = parse_object(head + cells + b"]}" if cells else start)
    except (OSError, ValueError):
        return None
    return report if {"images_found", "grid_dimensions", "cells"} <= report.keys() else None


def scores_csv(cells: Sequence[CellReport]) -> bytes:
    """The CSV file of the scores in UTF-8; pages, rows and columns count from 0, as in the report.

    A picture without a score has an empty cell.
    """
    scores = list(dict.fromkeys(name for cell in cells for name in cell.scores))
    # a score may be called like one of our columns
    header, _ = name_columns([*SCORES_COLUMNS, *scores])
    return csv_text(header, [_row(cell, scores) for cell in cells]).encode("utf-8", "replace")


def _row(cell: CellReport, scores: Sequence[str]) -> list[Cell]:
    place: list[Cell] = [cell.path, cell.label, cell.source, cell.page, cell.row, cell.column]
    return [*place, *(cell.scores.get(name) for name in scores)]


def are_scores(path: Path) -> bool:
    """Whether a file holds the scores of a sheet."""
    if not os.path.isfile(path):
        return False
    try:
        with path.open(encoding="utf-8") as file:
            header = file.readline(10_000)
    except (OSError, ValueError):
        return False
    return tuple(header.rstrip("\r\n").split(",")[: len(SCORES_COLUMNS)]) == SCORES_COLUMNS
