"""From pictures to a finished sheet and its report: the call that nodes, command line and Python share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..atomic import file_set
from ..color_profiles import profiles_note
from ..imaging import Progress
from ..plurals import counted
from .paint.render import PaintJob
from .paint.style import make_style
from .pictures.survey import Skipped, Survey
from .planner import PlanInputs, PlannedSheet, plan_sheet
from .report import CellReport, GridReport, PageReport, scores_csv
from .template import GridTemplate
from .text.fonts import Faces
from .write.export import write_sheet
from .write.files import sheet_files
from .write.output import Output, check_format

#: Letters without font that a warning names; it counts the others.
_LETTERS_NAMED = 20


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

    They appear together at the end, in the place of those of an earlier export. Raises LimitError for a page that the
    memory does not hold, OutputError for a file that cannot be written; everything is as it was then.
    """
    check_format(planned.template.format)
    job, count = _paint_job(planned, progress), len(planned.plan.pages)
    with file_set(output.path_of(0, count).parent) as files:
        chosen = sheet_files(planned, output, files)
        warnings = write_sheet(planned, job, output, chosen.pages, files)
        paths = [str(path) for path in chosen.pages] * (count // len(chosen.pages))
        report = report_of(planned, paths, job, warnings)
        if chosen.scores:
            report = replace(report, scores_file=str(chosen.scores))
            with files.open(chosen.scores) as file:
                file.write(scores_csv(output.public(report).cells))
        if chosen.sidecar:
            with files.open(chosen.sidecar) as file:
                file.writelines(part.encode("utf-8") for part in output.public(report).json_parts())
        for path in chosen.stale:
            files.remove(path)
    return report


def _paint_job(planned: PlannedSheet, progress: Progress | None) -> PaintJob:
    style = make_style(planned.template, planned.plan.metrics, planned.faces)
    job = PaintJob(style, planned.pictures, planned.texts.labels, planned.resizer, planned.badges)
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
        label_position=planned.template.label_position,
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
        listed = " ".join(f"{char} (U+{ord(char[0]):04X})" for char in sorted(job.missing)[:_LETTERS_NAMED])
        rest = len(job.missing) - _LETTERS_NAMED
        listed += f" and {rest} more, {len(job.missing)} in all" if rest > 0 else ""
        warnings.append(f"no font on this machine has these characters: {listed}; install one, or name it in font")
    if job.shortened:
        cut = counted(job.shortened, "text", "was/were")
        warnings.append(f"{cut} shortened to fit; larger cells or a smaller font show more")
    if job.profile_problems:
        warnings.append(profiles_note(job.profile_problems))
    return warnings
