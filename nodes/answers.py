"""What a sheet node gives back to ComfyUI: its outputs, and what the browser and headless users read from ``ui``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..grid.report import BatchReport, GridReport
from .sheets import MadeSheet


def answer(made: Sequence[MadeSheet], report: GridReport | BatchReport, csv: Path | None) -> dict[str, Any]:
    """Outputs ``grid``, ``path``, ``report``; in ``ui`` only lists of JSON values, because ComfyUI breaks on others."""
    paths = [path for sheet in made for path in dict.fromkeys(page.path for page in sheet.report.pages)]
    ui = {
        "images": [entry for sheet in made for entry in sheet.shown],
        "clip_grid_files": [entry for sheet in made for entry in sheet.files],
        "clip_grid": [report.to_dict()],
        "text": ["\n".join([*_summary(report), *([f"labels from {csv}"] if csv else [])])],
    }
    return {"ui": ui, "result": ([image for sheet in made for image in sheet.images], paths, report.to_json())}


def _summary(report: GridReport | BatchReport) -> list[str]:
    if isinstance(report, GridReport):
        return [report.summary(), *report.warnings]
    sheets = [line for grid in report.grids for line in _summary(grid)]
    return [*sheets, *(f"failed: {failure.directory}: {failure.reason}" for failure in report.failed)]
