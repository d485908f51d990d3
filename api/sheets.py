"""Sheets by one call: from pictures in files or memory to the finished file and its report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ClipGridError, InputError
from ..grid.labels.clip import Labeller, Scorer
from ..grid.pictures.find import check_folder, find_files
from ..grid.pictures.survey import Survey, pictures_from_arrays, resized_survey, survey_files
from ..grid.planner import PlanInputs, PlannedSheet, plan_sheet
from ..grid.report import BatchReport, FailedDirectory, GridReport
from ..grid.sheet import plan_and_write, report_of
from ..grid.table.table import Table, parse_table, read_table
from ..grid.template import GridTemplate, find_template, read_template
from ..grid.write.output import ONE_FILE, Output
from ..imaging import Progress
from .clip_sheets import ClipOptions, clip_functions, split_options
from .models import AUTO, Model, ModelChoice
from .pictures import Images, StrPath, as_arrays, as_sequence, no_pictures, paths_or_pictures
from .sheet_files import batch_targets, expand_directories, home_path, page_namer, target_and_format, without_own
from .torch_resize import resizer_for

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import AssembleKeywords, SheetKeywords


@dataclass(frozen=True, kw_only=True)
class SheetInputs:
    """What a sheet is made from beside pictures and template."""

    #: One label per picture, in the order in which the pictures were given, or one for all.
    labels: Sequence[str] = ()
    #: CSV or JSON file with a row per picture.
    csv: StrPath | None = None
    #: The table itself, as text or as rows: one row per picture in order, unless a column names the files.
    metadata: str | Sequence[Mapping[str, object]] | Mapping[str, object] | None = None
    #: Scores per picture, by name, in the order in which the pictures were given.
    scores: Sequence[Mapping[str, float]] = ()
    #: Finds labels in the pictures for those that no given text and no table names.
    labeller: Labeller | None = None
    #: Finds scores in the pictures; given scores of the same name beat them.
    scorer: Scorer | None = None
    #: What the user should know of their results; it may grow while they run.
    clip_notes: Sequence[str] = ()
    #: Texts embedded in the sheet, such as ``workflow`` and ``prompt``.
    texts: Mapping[str, str] = field(default_factory=dict)
    #: Names for pictures given as arrays.
    names: Sequence[str] = ()
    #: (size, fit, stretch or fill): each picture is resized so before it is placed.
    resize: tuple[tuple[int, int], str] | None = None
    #: Torch resizes for ``resample`` fast, too, where it knows LANCZOS: for programs that have loaded it anyway.
    uses_torch: bool = False

    def table(self, *, needs_names: bool = True) -> Table | None:
        """The table given as a file, text or rows; raises InputError when both a file and metadata are given.

        needs_names: a CSV file must have a column of file names.
        """
        if self.csv and self.metadata:
            raise InputError("both csv and metadata were given; give one of them")
        if self.csv:
            return read_table(home_path(self.csv), needs_names=needs_names)
        if not self.metadata:
            return None
        text = self.metadata if isinstance(self.metadata, str) else json.dumps(self.metadata, default=str)
        return parse_table(text, name="metadata")


def export_grid(
    images: Images,
    out: StrPath,
    *,
    template: GridTemplate | StrPath | None = None,
    inputs: SheetInputs | None = None,
    model: Model = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Unpack[SheetKeywords],
) -> GridReport:
    """One labelled sheet from pictures; answers what was placed where, and what was skipped and why.

    out: the sheet's file; its ending sets the format unless ``format`` is given. Further pages are ``name-2.png`` and
    so on. An existing file is replaced only if it is a sheet of this program, or with ``overwrite``.
    template: a template, its name, or its file; ``options`` are fields of GridTemplate, which beat it, and of
    ClipOptions (``use_clip``, ``clip_model``, ``vocabulary``, ``score_text``).
    model: what labels and scores, in place of the one that ``clip_model`` names, such as an encoder that is loaded.
    progress: called with (pictures done, pictures in all); what it raises stops the work and leaves no file.
    Raises InputError, LimitError, OutputError.
    """
    clip, rest = split_options(options)
    inputs = with_clip(inputs or SheetInputs(), clip, progress, model)
    chosen = _in_given_order(images, choose_template(template, rest), rest)
    return _export(images, out, chosen, inputs, "format" in rest, overwrite=overwrite, progress=progress)


def plan_export(
    images: Images,
    out: StrPath,
    *,
    template: GridTemplate | StrPath | None = None,
    inputs: SheetInputs | None = None,
    model: Model = None,
    progress: Progress | None = None,
    **options: Unpack[SheetKeywords],
) -> tuple[PlannedSheet, Path]:
    """The plan of what ``export_grid`` would do, and the file it would write; nothing is painted or written."""
    clip, rest = split_options(options)
    inputs = with_clip(inputs or SheetInputs(), clip, progress, model)
    chosen = _in_given_order(images, choose_template(template, rest), rest)
    survey, chosen, target = _read_pictures(images, out, chosen, inputs, "format" in rest, progress)
    return plan_sheet(survey, chosen, to_plan_inputs(inputs, survey, chosen)), target


def _export(
    images: Images,
    out: StrPath,
    template: GridTemplate,
    inputs: SheetInputs,
    is_format_given: bool,
    *,
    overwrite: bool,
    progress: Progress | None,
) -> GridReport:
    survey, chosen, target = _read_pictures(images, out, template, inputs, is_format_given, progress)
    output = Output(page_namer(target), inputs.texts, overwrite)
    return plan_and_write(survey, chosen, to_plan_inputs(inputs, survey, chosen), lambda _: output, progress)


def _read_pictures(
    images: Images,
    out: StrPath,
    template: GridTemplate,
    inputs: SheetInputs,
    is_format_given: bool,
    progress: Progress | None,
) -> tuple[Survey, GridTemplate, Path]:
    """The pictures, the template with the format of the sheet's file, and that file."""
    survey = survey_of(images, inputs, progress, frame=template.frame)
    target, chosen = target_and_format(out, template, is_format_given, images)
    return survey, chosen, target


def dry_report(planned: PlannedSheet, target: Path) -> GridReport:
    """The report of a plan, with the files that would be written."""
    count = len(planned.plan.pages)
    name = page_namer(target)
    in_one = planned.template.format in ONE_FILE
    return report_of(planned, [str(name(0 if in_one else page, count)) for page in range(count)])


def export_batch(
    directories: Iterable[StrPath],
    out_dir: StrPath,
    *,
    template: GridTemplate | StrPath | None = None,
    inputs: SheetInputs | None = None,
    model: Model = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    each: Callable[[str, GridReport | ClipGridError], None] | None = None,
    **options: Unpack[SheetKeywords],
) -> BatchReport:
    """One sheet per directory, ``<directory>_grid.<ending>`` in ``out_dir``; a directory that fails costs only itself.

    A glob such as ``parent/*`` stands for the directories that it matches. Two directories of the same name get
    ``_2`` and so on. model: as for ``export_grid``. each: called with every directory's name and its report or error.
    """
    clip, rest = split_options(options)
    # for all directories, so that a model is loaded once
    inputs = with_clip(inputs or SheetInputs(), clip, progress, model)
    chosen = choose_template(template, rest)
    grids: list[GridReport] = []
    failed: list[FailedDirectory] = []
    wanted = without_own(expand_directories(directories), out_dir)
    for directory, target in batch_targets(wanted, home_path(out_dir), chosen):
        try:
            check_folder(home_path(directory), directory)
            report = _export(directory, target, chosen, inputs, True, overwrite=overwrite, progress=progress)
        except ClipGridError as error:
            failed.append(FailedDirectory(directory, str(error)))
            outcome: GridReport | ClipGridError = error
        else:
            grids.append(report)
            outcome = report
        if each:
            each(directory, outcome)
    return BatchReport(tuple(grids), tuple(failed))


def with_clip(
    inputs: SheetInputs, options: ClipOptions, progress: Progress | None = None, model: Model = None
) -> SheetInputs:
    """The inputs with the functions that label and score by CLIP; a function that is there already stays.

    Raises InputError where both a model and the name of one are given.
    """
    if model is not None and options.clip_model != AUTO:
        raise InputError("both model and clip_model were given; give one of them")
    clip = clip_functions(options, progress, model=None if model is None else ModelChoice.of(model))
    return replace(
        inputs,
        labeller=inputs.labeller or clip.labeller,
        scorer=inputs.scorer or clip.scorer,
        clip_notes=inputs.clip_notes or clip.notes,
    )


def assemble_grid_enhanced(
    input_dir: StrPath,
    output_path: StrPath,
    template: GridTemplate | None = None,
    label_columns: Sequence[str] | None = None,
    csv_path: StrPath | None = None,
    use_clip: bool = False,
    clip_model: str = AUTO,
    **options: Unpack[AssembleKeywords],
) -> dict[str, Any]:
    """One sheet from a folder, under the name and with the result keys of the tool that this one grew from."""
    chosen = choose_template(template, {"label_columns": ", ".join(label_columns)} if label_columns else {})
    report = export_grid(
        input_dir, output_path, template=chosen, inputs=SheetInputs(csv=csv_path), use_clip=use_clip,
        clip_model=clip_model, **options,
    )  # fmt: skip
    return report.to_dict() | {"input_dir": str(input_dir), "output_path": str(output_path)}


def choose_template(template: GridTemplate | StrPath | None, options: Mapping[str, object]) -> GridTemplate:
    """The template, its file, or the built-in one of that name, with the options put over it."""
    if template is None:
        chosen = GridTemplate()
    elif isinstance(template, GridTemplate):
        chosen = template
    elif os.path.isfile(home_path(template)):
        chosen = read_template(home_path(template))
    else:
        chosen = find_template(os.fspath(template))
    return chosen.with_options(options)


def _in_given_order(images: Images, template: GridTemplate, options: Mapping[str, object]) -> GridTemplate:
    """The template; pictures of lists alone keep the order of their lines, unless another order is asked for."""
    # a generator can be gone through once only
    several = as_sequence(images) if isinstance(images, (str, os.PathLike, Sequence)) else ()
    paths = [os.fspath(one) for one in several if isinstance(one, (str, os.PathLike))]
    are_lists = bool(paths) and all(path.strip().strip("\"'").lower().endswith(".txt") for path in paths)
    is_asked = "sort_by" in options or template.sort_by != GridTemplate.sort_by
    return template if is_asked or not are_lists else template.with_options({"sort_by": "given"})


def survey_of(images: Images, inputs: SheetInputs, progress: Progress | None = None, *, frame: int = 0) -> Survey:
    """The pictures meant by ``images``; raises InputError when a source does not exist."""
    paths, arrays = paths_or_pictures(images)
    if arrays:
        survey = pictures_from_arrays(as_arrays(arrays), inputs.names)
    else:
        notes: list[str] = []
        survey = survey_files(find_files(paths, notes), progress, frame=frame)
        survey = replace(survey, notes=tuple(notes))
        if paths and not survey.entries:
            raise InputError(no_pictures(paths))
    return resized_survey(survey, *inputs.resize) if inputs.resize else survey


def to_plan_inputs(inputs: SheetInputs, survey: Survey, template: GridTemplate) -> PlanInputs:
    """The inputs as the planner takes them; rows of a CSV file must name their pictures where these are files.

    Labels and scores of files that were skipped are left out, so that the other pictures keep theirs.
    """
    return PlanInputs(
        labels=_labels_of(survey, inputs.labels),
        table=inputs.table(needs_names=any(picture.path for picture in survey.pictures)),
        scores=survey.of_pictures(inputs.scores),
        labeller=inputs.labeller,
        scorer=inputs.scorer,
        clip_notes=inputs.clip_notes,
        resizer=resizer_for(template.resample, uses_torch=inputs.uses_torch),
    )


def _labels_of(survey: Survey, labels: Sequence[str]) -> Sequence[str | None]:
    """The labels of the pictures; one that is left of several, since files were skipped, is not one for all."""
    if len(labels) == 1:
        return labels
    kept = survey.of_pictures(labels)
    return [*kept, *[None] * (len(survey.pictures) - 1)] if len(kept) == 1 else kept
