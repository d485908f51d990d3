"""The files of one sheet: its pages, the files beside them, and what is left of an earlier export of the same sheet."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...atomic import FileSet, check_regular, fitting_name, is_empty
from ...errors import OutputError
from ..pictures.own import SheetRecord, is_clip_grid_sheet, sheet_record_of
from ..planner import PlannedSheet
from ..report import SCORES_SUFFIX, are_scores, read_report
from .output import FORMAT_OF, ONE_FILE, Output

SIDECAR_SUFFIX = ".json"
#: An earlier sheet is not searched for more pages.
_MOST_PAGES = 10_000


@dataclass(frozen=True)
class SheetFiles:
    """What is written, and what vanishes when it appears."""

    #: One for each page, or one for all.
    pages: tuple[Path, ...]
    sidecar: Path | None
    scores: Path | None
    #: Pages, sidecar and scores of an earlier export that this one does not have.
    stale: tuple[Path, ...]


def sheet_files(planned: PlannedSheet, output: Output, files: FileSet) -> SheetFiles:
    """The files of the sheet, in names that are free or may be replaced; new names are taken from ``output``.

    Raises OutputError when a file is in the way that is not of an earlier export of this sheet.
    """
    template, count = planned.template, len(planned.plan.pages)
    numbers = range(1 if template.format in ONE_FILE else count)

    def paths() -> list[Path]:
        return [output.path_of(number, count) for number in numbers]

    while output.next_names and not files.take_names([*paths(), *beside(paths()[0])]):
        output.next_names()
    pages = paths()
    for number, path in enumerate(pages):
        _check_page(path, number, may_replace=output.replace and number == 0)
    earlier = sheet_record_of(pages[0])
    sidecar, sidecar_is_old = _beside(pages[0], SIDECAR_SUFFIX, _is_sidecar_of)
    scores, scores_are_old = _beside(pages[0], SCORES_SUFFIX, _are_scores_of)
    # it may be the very table that the labels come from, so that not even permission to overwrite the sheet counts
    if template.sidecar and not sidecar_is_old:
        _check_beside(sidecar, read_report(sidecar) is not None, "is not the sidecar of a sheet", "sidecar")
    if template.scores_csv and not scores_are_old:
        _check_beside(scores, are_scores(scores), "does not hold scores of a sheet", "scores_csv")
    stale = _stale_pages(output, len(pages), earlier)
    stale += [sidecar] if sidecar_is_old and not template.sidecar else []
    stale += [scores] if scores_are_old and not template.scores_csv and sidecar_is_old else []
    return SheetFiles(
        tuple(pages),
        sidecar if template.sidecar else None,
        scores if template.scores_csv else None,
        tuple(stale),
    )


def beside(page: Path) -> tuple[Path, Path]:
    """The sidecar and the scores file of a sheet with this first page, where its name is not shared."""
    return _renamed(page, page.stem, SIDECAR_SUFFIX), _renamed(page, page.stem, SCORES_SUFFIX)


def _renamed(page: Path, stem: str, suffix: str) -> Path:
    return page.with_name(fitting_name(stem, suffix))


def _check_page(path: Path, number: int, *, may_replace: bool) -> None:
    check_regular(path)
    if may_replace or not os.path.exists(path) or is_empty(path):
        return
    cure = "choose another name" if number else "choose another name, or allow overwriting"
    record = sheet_record_of(path)
    if record is None:
        raise OutputError(f"{path} exists and is not a sheet of this program; {cure}")
    if record.page == number:
        return
    what = f"page {record.page + 1} of another sheet" if record.page else "a sheet of its own"
    raise OutputError(f"{path} exists and is {what}, but would be page {number + 1} of this one; {cure}")


def _stale_pages(output: Output, count: int, earlier: SheetRecord | None) -> list[Path]:
    """The further pages of the sheet that is replaced, which are known by their records."""
    pages = min(earlier.pages, _MOST_PAGES) if earlier else 0
    paths = {number: output.path_of(number, pages) for number in range(count, pages)}
    return [path for number, path in paths.items() if sheet_record_of(path) == SheetRecord(number, pages)]


def _beside(page: Path, suffix: str, is_of: Callable[[Path, Path], bool]) -> tuple[Path, bool]:
    """The file beside a sheet, and whether it is there from an earlier export of it.

    Of two sheets that differ in their ending alone, the second has its ending in the name: ``z.json``, ``z.jpg.json``.
    """
    short, long = _renamed(page, page.stem, suffix), _renamed(page, page.name, suffix)
    if os.path.lexists(long):
        return long, is_of(long, page)
    if os.path.lexists(short) and not is_of(short, page) and _has_twin(page):
        return long, False
    return short, os.path.lexists(short) and is_of(short, page)


def _has_twin(page: Path) -> bool:
    """Whether there is a sheet of the same name and another ending."""
    twins = (_renamed(page, page.stem, suffix) for suffix in FORMAT_OF if suffix != page.suffix.lower())
    return any(os.path.exists(twin) and is_clip_grid_sheet(twin) for twin in twins)


def _is_sidecar_of(path: Path, page: Path) -> bool:
    """Whether the file holds the report of the sheet with this first page."""
    report = read_report(path)
    pages = report.get("pages") if report else None
    first = pages[0].get("path") if isinstance(pages, list) and pages and isinstance(pages[0], dict) else None
    return isinstance(first, str) and Path(first).name == page.name


def _are_scores_of(path: Path, page: Path) -> bool:
    """Whether the file holds the scores of the sheet with this first page, as far as its sidecar tells."""
    if not are_scores(path):
        return False
    _, is_old = _beside(page, SIDECAR_SUFFIX, _is_sidecar_of)
    return is_old or not _has_twin(page)


def _check_beside(path: Path, is_ours: bool, problem: str, option: str) -> None:
    check_regular(path)
    if os.path.exists(path) and not is_ours and not is_empty(path):
        raise OutputError(f"{path} exists and {problem}; give the sheet another name, or switch {option} off")
