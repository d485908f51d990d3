"""From pictures and wishes to a finished sheet: the one way that nodes, command line and Python all take."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..atomic import atomic_file
from ..errors import OutputError
from ..imaging import Progress
from .paint.render import Scene
from .paint.style import make_look
from .pictures.survey import Skipped
from .planner import PlannedSheet
from .report import SCORES_SUFFIX, CellReport, GridReport, PageReport, are_scores, is_report, write_scores
from .text.fonts import Faces
from .write.export import Output, SheetJob, write_sheet


def write_planned(planned: PlannedSheet, output: Output, progress: Progress | None = None) -> GridReport:
    """Paint and write all pages and, if the template says so, the files beside them; failures are in the report."""
    scene = _scene(planned, progress)
    sidecar, scores_file = _sidecar(planned, output), _scores_file(planned, output)
    texts = planned.texts
    sources = [label.source for label in planned.labels]
    job = SheetJob(planned.plan, scene, texts, planned.values, planned.scores, sources)
    paths, warnings = write_sheet(job, output)
    report = report_of(planned, [str(path) for path in paths], scene, warnings)
    if scores_file:
        write_scores(scores_file, report.cells)
        report = replace(report, scores_file=str(scores_file))
    if sidecar:
        with atomic_file(sidecar) as file:
            file.write(report.to_json().encode("utf-8"))
    return report


def _sidecar(planned: PlannedSheet, output: Output) -> Path | None:
    """The sidecar's file, None when none is wanted; raises OutputError when it would cost the user another file."""
    if not planned.template.sidecar:
        return None
    path = output.path_of(0, len(planned.plan.pages)).with_suffix(".json")
    # it may be the very table that the labels come from, so that not even permission to overwrite the sheet counts
    if os.path.exists(path) and not is_report(path):
        raise OutputError(
            f"{path} exists and is not the sidecar of a sheet; give the sheet another name, or switch sidecar off"
        )
    return path


def _scores_file(planned: PlannedSheet, output: Output) -> Path | None:
    """The file of the scores, None when none is wanted; raises OutputError when it would cost the user another file."""
    if not planned.template.scores_csv:
        return None
    path = output.path_of(0, len(planned.plan.pages)).with_suffix(SCORES_SUFFIX)
    if os.path.exists(path) and not are_scores(path):
        raise OutputError(
            f"{path} exists and does not hold scores of a sheet; give the sheet another name, or switch scores_csv off"
        )
    return path


def _scene(planned: PlannedSheet, progress: Progress | None) -> Scene:
    look = make_look(planned.template, planned.plan.metrics, planned.faces)
    labels = [label.text for label in planned.labels]
    scene = Scene(look, planned.pictures, labels, planned.resizer, planned.marks)
    if progress:
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            progress(done, len(planned.pictures))

        scene.done = count
    return scene


def report_of(
    planned: PlannedSheet, paths: Sequence[str], scene: Scene | None = None, warnings: Sequence[str] = ()
) -> GridReport:
    """The report of a sheet; without a scene it is that of a plan, as if all pictures could be drawn."""
    failures = dict(scene.failures) if scene else {}
    failed = [Skipped(planned.pictures[index].place, reason) for index, reason in sorted(failures.items())]
    cells = tuple(cell for number in range(len(planned.plan.pages)) for cell in _cells(planned, number, failures))
    first = planned.plan.pages[0]
    pages = [*paths, *[""] * (len(planned.plan.pages) - len(paths))]
    return GridReport(
        images_found=len(planned.pictures) + len(planned.skipped),
        images_processed=len(planned.pictures) - len(failed),
        skipped=(*planned.skipped, *failed),
        rows=first.sheet.rows,
        columns=first.sheet.columns,
        export_format=planned.template.format,
        pages=tuple(PageReport(path, p.width, p.height) for path, p in zip(pages, planned.plan.pages, strict=True)),
        axes=planned.axes,
        cells=cells,
        heat_map=planned.heat_map,
        warnings=(*planned.warnings, *warnings, *(_text_warnings(scene, planned.faces) if scene else ())),
    )


def _cells(planned: PlannedSheet, number: int, failures: Mapping[int, str]) -> list[CellReport]:
    cells = []
    for cell in planned.plan.pages[number].cells:
        index = cell.index
        if index is None or index in failures:
            continue
        label = planned.labels[index]
        cells.append(
            CellReport(
                page=number,
                row=cell.row,
                column=cell.column,
                path=planned.pictures[index].place,
                label=label.text,
                source=label.source,
                box=cell.box,
                image_box=cell.image,
                values=planned.values[index],
                scores=planned.scores[index],
                runner_up=label.runner_up,
                index=planned.given[index],
            )
        )
    return cells


def _text_warnings(scene: Scene, faces: Faces) -> list[str]:
    warnings = list(faces.notes)
    if scene.missing:
        listed = " ".join(f"{char} (U+{ord(char[0]):04X})" for char in sorted(scene.missing)[:20])
        warnings.append(f"no font on this machine has these characters: {listed}; install one, or name it in font")
    if scene.shortened:
        cut = "1 text was" if scene.shortened == 1 else f"{scene.shortened} texts were"
        warnings.append(f"{cut} shortened to fit; larger cells or a smaller font show more")
    return warnings
