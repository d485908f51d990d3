"""One sheet for each of several folders; a folder that fails does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import ClipGridError, InputError
from ...grid.pictures.find import folder_files
from ...grid.pictures.survey import Picture, Skipped, Survey, survey_files
from ...grid.report import BatchReport, FailedDirectory
from ...imaging import Progress
from ..host.folders import AllowedFolders
from ..host.host import Host
from .request import SheetRequest
from .sheet import MadeSheet, make_sheet

#: Steps of the progress bar per folder.
STEPS = 1000


def make_batch(lines: Sequence[str], request: SheetRequest, host: Host) -> tuple[list[MadeSheet], BatchReport]:
    """The sheets, with the prefix ``prefix_folder``, and the report on all folders.

    lines: folders, or globs such as ``parent/*``. Raises InputError without folders, and if no folder gave a sheet.
    """
    folders, failed, meanings = _expand(lines, host.folders)
    request = replace(request, notes=(*request.notes, *meanings))
    made: list[MadeSheet] = []
    show = host.progress()
    for number, folder in enumerate(folders):
        progress = _part(show, number, len(folders))
        own = replace(request, prefix=f"{request.prefix}_{folder.name}", budget=request.budget // len(folders))
        try:
            survey = _survey(folder, host.folders, progress, request.template.frame)
            survey = survey if host.embeds_metadata else _without_generation_data(survey)
            made.append(make_sheet(survey, own, host, progress))
        except ClipGridError as error:
            shown = host.folders
            failed.append(FailedDirectory(shown.shown_path(str(folder)), shown.shown_text(str(error))))
    if not made:
        reasons = "; ".join(f"{failure.directory}: {failure.reason}" for failure in failed)
        raise InputError(f"no folder gave a sheet: {reasons}")
    return made, BatchReport(tuple(sheet.report for sheet in made), tuple(failed))


def _expand(lines: Sequence[str], allowed: AllowedFolders) -> tuple[list[Path], list[FailedDirectory], tuple[str, ...]]:
    """The folders, each once, the lines that name none, and what some lines mean."""
    folders: dict[Path, None] = {}
    failed = []
    for line in lines:
        try:
            folders.update(dict.fromkeys(allowed.find_directories(line)))
        except ClipGridError as error:
            failed.append(FailedDirectory(allowed.shown_path(line), allowed.shown_text(str(error))))
    if not folders and not failed:
        raise InputError("directories is empty; give a folder per line, such as my_renders or my_renders/*")
    return list(folders), failed, tuple(filter(None, map(allowed.meaning, lines)))


def _survey(folder: Path, allowed: AllowedFolders, progress: Progress, frame: int) -> Survey:
    """The images of a folder; links that lead out of the allowed folders are skipped."""
    files = folder_files(folder)
    outside = {file for file in files if os.path.islink(file) and not allowed.contains(file)}
    survey = survey_files([(file, file.name) for file in files if file not in outside], progress, frame=frame)
    entries = dict(zip((file for file in files if file not in outside), survey.entries, strict=True))
    reason = "a link that leads out of the folders that this server allows"
    return Survey(tuple(entries.get(file) or Skipped(str(file), reason) for file in files))


def _without_generation_data(survey: Survey) -> Survey:
    """The pictures as if their files held none, with a warning for those whose files do."""
    warning = "its generation data is not used, since ComfyUI runs with --disable-metadata"
    return Survey(
        tuple(
            replace(one, values={}, warning=warning) if isinstance(one, Picture) and one.values else one
            for one in survey.entries
        )
    )


def _part(show: Progress, number: int, count: int) -> Progress:
    """The progress of one folder as a part of the whole bar."""

    def progress(done: int, total: int) -> None:
        show(number * STEPS + STEPS * done // max(1, total), count * STEPS)

    return progress
