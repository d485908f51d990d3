"""A sheet made, saved and shown: its files in ComfyUI's numbering, its pages as IMAGE, its previews in the browser."""

from __future__ import annotations

import io
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...api.sheets import to_plan_inputs
from ...arrays import Pixels
from ...atomic import atomic_file, fitting_name
from ...errors import InputError
from ...grid.pictures.survey import Survey
from ...grid.planner import PlannedSheet
from ...grid.report import BatchReport, GridReport
from ...grid.sheet import plan_and_write
from ...grid.write.files import beside
from ...grid.write.output import SUFFIX, Output
from ...imaging import Progress
from ...plurals import counted
from ..host.host import Host, SavePath
from ..sockets.notes import log_notes
from ..sockets.tensors import page_floats
from .axis_values import with_axis_values
from .request import SheetRequest

#: Browsers get slow with larger pictures on a node, and some refuse them.
PREVIEW_SIDE = 2048
PREVIEW_QUALITY = 85
#: Formats that browsers show.
_SHOWN_FORMATS = frozenset({"png", "jpeg", "webp", "avif"})
#: A file as ComfyUI's /view finds it: filename, subfolder, type.
Entry = dict[str, str]


@dataclass(frozen=True)
class MadeSheet:
    """A saved sheet."""

    #: It names files without the place of ComfyUI's folders.
    report: GridReport
    #: The files of the pages on this machine.
    paths: list[str]
    #: An IMAGE per page.
    images: list[object]
    #: A picture per page for the browser: the saved file, or a picture of it in a format that browsers show.
    shown: list[Entry]
    #: For each page that is larger than browsers like the name of a reduced copy in the temp folder, else "".
    reduced: list[str]
    #: Every file that was written.
    files: list[Entry]


def make_sheet(survey: Survey, request: SheetRequest, host: Host, progress: Progress) -> MadeSheet:
    """Plan, paint and save a sheet; never replaces a file. Raises InputError, LimitError, OutputError."""
    scores, pictures = len(survey.of_pictures(request.inputs.scores)), len(survey.pictures)
    if scores and scores != pictures:
        given, there = counted(scores, "score", "is/are"), counted(pictures, "picture")
        raise InputError(f"{given} linked to {there}; link one score for each picture")
    destination = _Destination(request, host)
    survey = replace(survey, notes=(*request.notes, *survey.notes))
    survey, template = with_axis_values(survey, request.template, request.axes)
    inputs = to_plan_inputs(request.inputs, survey, template)
    report = plan_and_write(survey, template, inputs, destination.choose, progress)
    if (factor := destination.pages.factor) > 1:
        note = f"the grid output is reduced to 1/{factor} of the sheet's width; the saved file is whole"
        report = replace(report, warnings=(*report.warnings, note))
    pages = destination.pages.whole()
    images = [host.image(page_floats(page)) for page in pages]
    paths = list(dict.fromkeys(page.path for page in report.pages))
    public = destination.public(report)
    shown, reduced = destination.shown(report, pages)
    return MadeSheet(public, paths, images, shown, reduced, destination.files(report))


def node_result(
    sheets: Sequence[MadeSheet], report: GridReport | BatchReport, csv: object, host: Host
) -> dict[str, Any]:
    """What a sheet node returns; ``ui`` holds only lists of JSON values, as ComfyUI breaks on others.

    Newer ComfyUI counts every object in these lists as an output of its own: only the pages stand there as objects.
    csv: the CSV file that was used, if any.
    """
    paths = [path for sheet in sheets for path in sheet.paths]
    table = [f"labels from {host.folders.shown_path(str(csv))}"] if csv else []
    notes = notes_of(report)
    log_notes(notes)
    ui = {
        "images": [entry for sheet in sheets for entry in sheet.shown],
        "clip_grid_files": [[entry for sheet in sheets for entry in sheet.files]],
        "clip_grid_reduced": [name for sheet in sheets for name in sheet.reduced],
        "clip_grid_pictures": [sheet.report.images_processed for sheet in sheets],
        "clip_grid": [[report.to_dict()]],
        "clip_notes": notes,
        "text": ["\n".join([*_summary(report), *notes, *table])],
    }
    return {"ui": ui, "result": ([image for sheet in sheets for image in sheet.images], paths, report.to_json())}


def _summary(report: GridReport | BatchReport) -> list[str]:
    return [report.summary()] if isinstance(report, GridReport) else [grid.summary() for grid in report.grids]


def notes_of(report: GridReport | BatchReport) -> list[str]:
    """What the user should know of a sheet: warnings and pictures that are missing; of a batch each once."""
    if isinstance(report, GridReport):
        missing = (f"left out: {one.name}: {one.reason}" for one in report.skipped if not one.deliberate)
        return [*report.warnings, *missing]
    failed = [f"failed: {failure.directory}: {failure.reason}" for failure in report.failed]
    return list(dict.fromkeys([*failed, *(note for grid in report.grids for note in notes_of(grid))]))


class _Destination:
    """Where a sheet goes: new files, ``stem_00001_.png`` and further pages with the next counters, and into memory."""

    def __init__(self, request: SheetRequest, host: Host) -> None:
        self._request = request
        self._host = host
        self._suffix = ""
        #: Path of the first page.
        self._file = SavePath(Path(), "", 1, "")
        self.pages = CollectedPages()

    def choose(self, planned: PlannedSheet) -> Output:
        """Files that do not exist, for a sheet with these pages."""
        pages, format = planned.plan.pages, planned.template.format
        self._suffix = SUFFIX[format]
        self._file = self._host.save_path(self._request.prefix, pages[0].width, pages[0].height)
        self.pages = CollectedPages(reduction([(page.width, page.height) for page in pages], self._request.budget))
        texts = self._request.inputs.texts
        return Output(self._path, texts, next_names=self._count_on, public=self.public, on_band=self._collect)

    def public(self, report: GridReport) -> GridReport:
        """The report without the place of ComfyUI's folders on this machine, which may name its user."""
        folders = self._host.folders
        return report.with_paths(folders.shown_path, folders.shown_text)

    def _path(self, page: int, pages: int) -> Path:
        stem = self._file.stem.replace("%batch_num%", str(page))
        return self._file.folder / fitting_name(stem, f"_{self._file.counter + page:05}_{self._suffix}")

    def _count_on(self) -> None:
        # ComfyUI counts files before it replaces %batch_num%, and others may save at the same time
        self._file = replace(self._file, counter=self._file.counter + 1)

    def _collect(self, number: int, band: Pixels) -> None:
        self._host.check_interrupt()
        self.pages.add(number, band)

    def shown(self, report: GridReport, pages: list[Pixels]) -> tuple[list[Entry], list[str]]:
        """For each page the picture for the browser, and the name of its reduced copy or ""."""
        shown, reduced = [], []
        for saved, page in zip(report.pages, pages, strict=True):
            is_shown = report.export_format in _SHOWN_FORMATS
            is_small = is_shown and max(saved.width, saved.height) <= PREVIEW_SIDE
            copy = "" if is_small else save_preview(page, self._host.folders.temp)
            temp = {"filename": copy, "subfolder": "", "type": "temp"}
            shown.append(self._entry(Path(saved.path)) if is_shown else temp)
            reduced.append(copy if is_shown else "")
        return shown, reduced

    def files(self, report: GridReport) -> list[Entry]:
        """The pages, the sidecar and the scores."""
        paths = [Path(path) for path in dict.fromkeys(page.path for page in report.pages)]
        return [self._entry(path) for path in (*paths, *filter(Path.exists, beside(paths[0])))]

    def _entry(self, path: Path) -> Entry:
        return {"filename": path.name, "subfolder": self._file.subfolder, "type": "output"}


def reduction(sizes: Sequence[tuple[int, int]], budget: int) -> int:
    """The integer to divide the sides of pages of these sizes by, so that they have at most ``budget`` pixels."""
    pixels = sum(width * height for width, height in sizes)
    return max(1, math.ceil(math.sqrt(pixels / budget)))


class CollectedPages:
    """Collects painted pages band by band, each side divided by ``factor``."""

    def __init__(self, factor: int = 1) -> None:
        self.factor = factor
        self._parts: dict[int, list[Pixels]] = {}
        self._waiting: dict[int, list[Pixels]] = {}

    def add(self, number: int, band: Pixels) -> None:
        """The next band of page ``number``, uint8 [H, W, C]."""
        waiting = self._waiting.setdefault(number, [])
        waiting.append(band)
        if sum(map(len, waiting)) >= self.factor:
            self._reduce(number)

    def whole(self) -> list[Pixels]:
        """The complete pages, uint8 [H, W, C]."""
        for number, waiting in self._waiting.items():
            if waiting:
                self._reduce(number, is_last=True)
        return [np.concatenate(parts) for parts in self._parts.values()]

    def _reduce(self, number: int, *, is_last: bool = False) -> None:
        """Reduce the waiting rows; those that do not fill a step wait for the next band, unless it is the last."""
        waiting = self._waiting[number]
        rows = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        end = len(rows) if is_last else len(rows) - len(rows) % self.factor
        reduced = rows[:end] if self.factor == 1 else np.asarray(Image.fromarray(rows[:end]).reduce(self.factor))
        self._parts.setdefault(number, []).append(reduced)
        self._waiting[number] = [rows[end:]] if end < len(rows) else []


def save_preview(page: Pixels, folder: Path) -> str:
    """Write a page, reduced to PREVIEW_SIDE, as a WebP file with a random name; returns the name."""
    image = Image.fromarray(page)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.BOX, reducing_gap=None)
    data = io.BytesIO()
    image.save(data, "WEBP", quality=PREVIEW_QUALITY)
    name = f"clip_grid_{secrets.token_hex(6)}.webp"
    with atomic_file(folder / name) as file:
        file.write(data.getvalue())
    return name
