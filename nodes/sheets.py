"""One sheet for a node: saved by ComfyUI's rules, shown in the node, handed on as IMAGE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..api.sheets import wishes_of
from ..errors import InputError
from ..grid.decide import PlannedSheet, plan_sheet
from ..grid.export import ONE_FILE, SUFFIX, Output
from ..grid.job import write_planned
from ..grid.pictures import Progress, Survey
from ..grid.report import GridReport
from ..grid.scores_csv import SCORES_SUFFIX
from ..imaging import Pixels
from .host import Host
from .previews import PREVIEW_SIDE, CollectedPages, reduction, save_preview
from .requests import SheetRequest
from .tensors import page_floats

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
    planned = plan_sheet(survey, request.template, wishes_of(request.inputs, survey, request.template))
    target = _Target.of(host, request.prefix, planned)
    sizes = [(page.width, page.height) for page in planned.plan.pages]
    collected = CollectedPages(reduction(sizes, request.budget))

    def tap(number: int, band: Pixels) -> None:
        host.check_interrupt()
        collected.add(number, band)

    report = write_planned(planned, Output(target.path, request.inputs.texts, tap=tap), progress)
    pages = collected.pages()
    if collected.factor > 1:
        note = f"the grid output is reduced to 1/{collected.factor} of the sheet's width; the saved file is whole"
        report = replace(report, warnings=(*report.warnings, note))
    images = [host.image(page_floats(page)) for page in pages]
    return MadeSheet(report, images, target.shown(report, pages, host), target.files(report))


def _check_scores(request: SheetRequest, survey: Survey) -> None:
    scores, pictures = len(request.inputs.scores), len(survey.pictures)
    if scores and scores != pictures:
        raise InputError(f"there are {scores} scores but {pictures} pictures; link one score for each picture")


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
