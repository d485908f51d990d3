"""From pictures to a finished sheet and its report: the call that nodes, command line and Python share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..atomic import atomic_file
from ..color_profiles import profiles_note
from ..errors import OutputError
from ..imaging import Progress
from .paint.render import PaintJob
from .paint.style import make_style
from .pictures.survey import Skipped, Survey
from .planner import PlanInputs, PlannedSheet, plan_sheet
from .report import SCORES_SUFFIX, CellReport, GridReport, PageReport, are_scores, is_report, write_scores
from .template import GridTemplate
from .text.fonts import Faces
from .write.export import write_sheet
from .write.output import Output


def plan_and_write(
    survey: Survey,
    template: GridTemplate,
    inputs: PlanInputs,
    choose_output: Callable[[PlannedSheet], Output],
    progress: Progress | None = None,
) -> GridReport:
    """One sheet: planned, painted and written; what could not be drawn is in the report.

    choose_output: where the sheet goes, asked once the number and the sizes of its pages are known.
    Raises InputError, LimitError, OutputError; no file of the sheet is left then.
    """
    planned = plan_sheet(survey, template, inputs)
    return write_planned(planned, choose_output(planned), progress)


def write_planned(planned: PlannedSheet, output: Output, progress: Progress | None = None) -> GridReport:
    """Paint and write all pages and, if the template asks for them, the files beside them; failures are in the report.

    Raises LimitError for a page that the memory does not hold, OutputError for a file that cannot be written.
    """
    job = _paint_job(planned, progress)
    first_page = output.path_of(0, len(planned.plan.pages))
    sidecar = first_page.with_suffix(".json") if planned.template.sidecar else None
    scores_file = first_page.with_suffix(SCORES_SUFFIX) if planned.template.scores_csv else None
    # it may be the very table that the labels come from, so that not even permission to overwrite the sheet counts
    if sidecar and os.path.exists(sidecar) and not is_report(sidecar):
        raise _in_the_way(sidecar, "is not the sidecar of a sheet", "sidecar")
    if scores_file and os.path.exists(scores_file) and not are_scores(scores_file):
        raise _in_the_way(scores_file, "does not hold scores of a sheet", "scores_csv")
    paths, warnings = write_sheet(planned, job, output)
    report = report_of(planned, [str(path) for path in paths], job, warnings)
    if scores_file:
        write_scores(scores_file, report.cells)
        report = replace(report, scores_file=str(scores_file))
    if sidecar:
        with atomic_file(sidecar) as file:
            file.write(report.to_json().encode("utf-8"))
    return report


def _in_the_way(path: Path, problem: str, option: str) -> OutputError:
    return OutputError(f"{path} exists and {problem}; give the sheet another name, or switch {option} off")


def _paint_job(planned: PlannedSheet, progress: Progress | None) -> PaintJob:
    style = make_style(planned.template, planned.plan.metrics, planned.faces)
    labels = [label.text for label in planned.labels]
    job = PaintJob(style, planned.pictures, labels, planned.resizer, planned.badges)
    if progress:
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            progress(done, len(planned.pictures))

        job.on_picture = count
    return job


def report_of(
    planned: PlannedSheet, paths: Sequence[str], job: PaintJob | None = None, warnings: Sequence[str] = ()
) -> GridReport:
    """The report of a sheet; without a job it is that of a plan, as if all pictures could be drawn."""
    failures = dict(job.failures) if job else {}
    failed = [Skipped(planned.pictures[index].path_text, reason) for index, reason in sorted(failures.items())]
    pages = planned.plan.pages
    all_paths = [*paths, *[""] * (len(pages) - len(paths))]
    return GridReport(
        images_found=len(planned.pictures) + len(planned.skipped),
        images_processed=len(planned.pictures) - len(failed),
        skipped=(*planned.skipped, *failed),
        rows=pages[0].table.rows,
        columns=pages[0].table.columns,
        export_format=planned.template.format,
        pages=tuple(PageReport(path, page.width, page.height) for path, page in zip(all_paths, pages, strict=True)),
        axes=planned.axes,
        cells=tuple(cell for page in range(len(pages)) for cell in _cells(planned, page, failures)),
        heat_map=planned.heat_map,
        warnings=(*planned.warnings, *warnings, *(_paint_warnings(job, planned.faces) if job else ())),
    )


def _cells(planned: PlannedSheet, page: int, failures: Mapping[int, str]) -> list[CellReport]:
    """The pictures that were drawn on a page."""
    cells = []
    for cell in planned.plan.pages[page].cells:
        index = cell.index
        if index is None or index in failures:
            continue
        label = planned.labels[index]
        cells.append(
            CellReport(
                page=page,
                row=cell.row,
                column=cell.column,
                path=planned.pictures[index].path_text,
                label=label.text,
                source=label.source,
                box=cell.box,
                image_box=cell.image,
                values=planned.values[index],
                scores=planned.scores[index],
                runner_up=label.runner_up,
                index=planned.input_indices[index],
            )
        )
    return cells


def _paint_warnings(job: PaintJob, faces: Faces) -> list[str]:
    warnings = list(faces.notes)
    if job.missing:
        listed = " ".join(f"{char} (U+{ord(char[0]):04X})" for char in sorted(job.missing)[:20])
        warnings.append(f"no font on this machine has these characters: {listed}; install one, or name it in font")
    if job.shortened:
        cut = "1 text was" if job.shortened == 1 else f"{job.shortened} texts were"
        warnings.append(f"{cut} shortened to fit; larger cells or a smaller font show more")
    if job.profile_problems:
        warnings.append(profiles_note(job.profile_problems))
    return warnings
