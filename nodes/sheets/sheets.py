"""What is shown of a sheet: its pages, collected while they are painted and reduced as far as need be."""

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
from ...atomic import atomic_file
from ...errors import InputError
from ...grid.pictures.survey import Survey
from ...grid.planner import PlannedSheet
from ...grid.report import SCORES_SUFFIX, BatchReport, GridReport
from ...grid.sheet import plan_and_write
from ...grid.write.export import ONE_FILE, SUFFIX, Output
from ...imaging import Pixels, Progress
from ..host.host import Host
from ..sockets.tensors import page_floats
from .requests import SheetRequest

#: Browsers get sluggish, and some refuse, when a node shows larger pictures.
PREVIEW_SIDE = 2048
PREVIEW_QUALITY = 85


class CollectedPages:
    """Keeps the pages whose bands it is shown, each side divided by ``factor``."""

    def __init__(self, factor: int = 1) -> None:
        self.factor = factor
        self._parts: dict[int, list[Pixels]] = {}
        self._waiting: dict[int, list[Pixels]] = {}

    def add(self, number: int, band: Pixels) -> None:
        """The next band of page ``number``, uint8 [H, W, C]."""
        waiting = self._waiting.setdefault(number, [])
        waiting.append(band)
        if sum(map(len, waiting)) >= self.factor:
            self._reduce(number, whole=True)

    def pages(self) -> list[Pixels]:
        """All pages, uint8 [H, W, C]."""
        for number in self._waiting:
            self._reduce(number, whole=False)
        return [np.concatenate(parts) for parts in self._parts.values()]

    def _reduce(self, number: int, *, whole: bool) -> None:
        """Average what waits; ``whole`` leaves the rows that do not fill a step to the next band."""
        waiting = self._waiting[number]
        if not waiting:
            return
        rows = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        end = len(rows) - len(rows) % self.factor if whole else len(rows)
        reduced = rows[:end] if self.factor == 1 else np.asarray(Image.fromarray(rows[:end]).reduce(self.factor))
        self._parts.setdefault(number, []).append(reduced)
        self._waiting[number] = [rows[end:]] if end < len(rows) else []


def reduction(sizes: Sequence[tuple[int, int]], budget: int) -> int:
    """The whole number by which sides are divided so that pages of these sizes have at most ``budget`` pixels."""
    pixels = sum(width * height for width, height in sizes)
    return max(1, math.ceil(math.sqrt(pixels / budget)))


def save_preview(page: Pixels, folder: Path) -> str:
    """Write a page, reduced to PREVIEW_SIDE, as a WebP file with a name of its own; answers the name."""
    image = Image.fromarray(page)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.BOX, reducing_gap=None)
    data = io.BytesIO()
    image.save(data, "WEBP", quality=PREVIEW_QUALITY)
    name = f"clip_grid_{secrets.token_hex(6)}.webp"
    with atomic_file(folder / name) as file:
        file.write(data.getvalue())
    return name


#: Formats that every browser shows.
SHOWN = frozenset({"png", "jpeg", "webp"})
#: A file as ComfyUI's /view finds it: filename, subfolder, type.
Entry = dict[str, str]


@dataclass(frozen=True)
class MadeSheet:
    """A saved sheet: its report, an IMAGE for each page, and what /view needs to show it and to fetch its files."""

    report: GridReport
    images: list[object]
    shown: list[Entry]
    files: list[Entry]


def make_sheet(survey: Survey, request: SheetRequest, host: Host, progress: Progress) -> MadeSheet:
    """Plan, paint and save one sheet; never replaces a file. Raises InputError, LimitError, OutputError."""
    _check_scores(request, survey)
    destination = _Destination(request, host)
    inputs = to_plan_inputs(request.inputs, survey, request.template)
    report = plan_and_write(survey, request.template, inputs, destination.choose, progress)
    target, collected = destination.target, destination.collected
    pages = collected.pages()
    if collected.factor > 1:
        note = f"the grid output is reduced to 1/{collected.factor} of the sheet's width; the saved file is whole"
        report = replace(report, warnings=(*report.warnings, note))
    images = [host.image(page_floats(page)) for page in pages]
    return MadeSheet(report, images, target.shown(report, pages, host), target.files(report))


def _check_scores(request: SheetRequest, survey: Survey) -> None:
    scores, pictures = len(survey.of_pictures(request.inputs.scores)), len(survey.pictures)
    if scores and scores != pictures:
        raise InputError(f"there are {scores} scores but {pictures} pictures; link one score for each picture")


class _Destination:
    """Where a node's sheet goes once it is planned: into new files, and its pages into memory for the outputs."""

    target: _Target
    collected: CollectedPages

    def __init__(self, request: SheetRequest, host: Host) -> None:
        self._request, self._host = request, host

    def choose(self, planned: PlannedSheet) -> Output:
        sizes = [(page.width, page.height) for page in planned.plan.pages]
        self.target = _Target.of(self._host, self._request.prefix, planned)
        self.collected = CollectedPages(reduction(sizes, self._request.budget))
        return Output(self.target.path, self._request.inputs.texts, tap=self._tap)

    def _tap(self, number: int, band: Pixels) -> None:
        self._host.check_interrupt()
        self.collected.add(number, band)


@dataclass(frozen=True)
class _Target:
    """The files of a sheet: ``stem_00001_.png``, further pages with the next counters."""

    folder: Path
    stem: str
    counter: int
    subfolder: str
    suffix: str

    @classmethod
    def of(cls, host: Host, prefix: str, planned: PlannedSheet) -> _Target:
        first, format = planned.plan.pages[0], planned.template.format
        place = host.save_place(prefix, first.width, first.height)
        target = cls(place.folder, place.stem, place.counter, place.subfolder, SUFFIX[format])
        count = 1 if format in ONE_FILE else len(planned.plan.pages)
        # ComfyUI counts without a look at %batch_num%, so its counter may be taken
        while target._is_taken(count):
            target = replace(target, counter=target.counter + 1)
        return target

    def path(self, page: int, pages: int) -> Path:
        """The file of a page."""
        stem = self.stem.replace("%batch_num%", str(page))
        return self.folder / f"{stem}_{self.counter + page:05}_{self.suffix}"

    def _is_taken(self, count: int) -> bool:
        paths = [self.path(page, count) for page in range(count)]
        return any(path.exists() for path in (*paths, *_beside(paths[0])))

    def shown(self, report: GridReport, pages: list[Pixels], host: Host) -> list[Entry]:
        """A picture per page: the file itself, or a reduced copy where a browser could not show it well."""
        entries = []
        for made, page in zip(report.pages, pages, strict=True):
            if report.export_format in SHOWN and max(made.width, made.height) <= PREVIEW_SIDE:
                entries.append(self._entry(Path(made.path)))
            else:
                name = save_preview(page, host.folders.temp)
                entries.append({"filename": name, "subfolder": "", "type": "temp"})
        return entries

    def files(self, report: GridReport) -> list[Entry]:
        """Every file that was written: the pages, the sidecar and the scores."""
        paths = [Path(path) for path in dict.fromkeys(page.path for page in report.pages)]
        return [self._entry(path) for path in (*paths, *filter(Path.exists, _beside(paths[0])))]

    def _entry(self, path: Path) -> Entry:
        return {"filename": path.name, "subfolder": self.subfolder, "type": "output"}


def _beside(page: Path) -> tuple[Path, Path]:
    """The files of a sheet beside its pages, which need not be wanted: the sidecar and the scores."""
    return page.with_suffix(".json"), page.with_suffix(SCORES_SUFFIX)


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
