"""One sheet for each of several folders; a folder that fails costs only itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import ClipGridError, InputError
from ...grid.pictures.find import folder_files
from ...grid.pictures.survey import Skipped, Survey, survey_files
from ...grid.report import BatchReport, FailedDirectory
from ...imaging import Progress
from ..host.folders import AllowedFolders
from ..host.host import Host
from .requests import SheetRequest
from .sheets import MadeSheet, make_sheet

#: Steps of the progress bar for each folder.
STEPS = 1000


def make_batch(directories: Sequence[str], request: SheetRequest, host: Host) -> tuple[list[MadeSheet], BatchReport]:
    """The sheets, named ``prefix_folder``, and the report on all folders.

    Raises InputError when no folder gave a sheet.
    """
    folders, failed = expand_directories(directories, host.folders)
    made: list[MadeSheet] = []
    show = host.progress()
    for number, folder in enumerate(folders):
        progress = _part(show, number, len(folders))
        own = replace(request, prefix=f"{request.prefix}_{folder.name}", budget=request.budget // len(folders))
        try:
            survey = survey_directory(folder, host.folders, progress, request.template.frame)
            made.append(make_sheet(survey, own, host, progress))
        except ClipGridError as error:
            failed.append(FailedDirectory(str(folder), str(error)))
    if not made:
        reasons = "; ".join(f"{failure.directory}: {failure.reason}" for failure in failed)
        raise InputError(f"no folder gave a sheet: {reasons}")
    return made, BatchReport(tuple(sheet.report for sheet in made), tuple(failed))


def expand_directories(lines: Sequence[str], folders: AllowedFolders) -> tuple[list[Path], list[FailedDirectory]]:
    """The folders that are meant, each once, and the lines that mean none. Raises InputError when nothing is given."""
    found: dict[Path, None] = {}
    failed = []
    for line in lines:
        try:
            found.update(dict.fromkeys(folders.find_directories(line)))
        except ClipGridError as error:
            failed.append(FailedDirectory(line, str(error)))
    if not found and not failed:
        raise InputError("directories is empty; give a folder per line, such as my_renders or my_renders/*")
    return list(found), failed


def survey_directory(directory: Path, folders: AllowedFolders, progress: Progress, frame: int) -> Survey:
    """The pictures of a folder; links that lead out of the allowed folders are skipped."""
    files = folder_files(directory)
    outside = {file for file in files if file.is_symlink() and not folders.holds(file)}
    surveyed = iter(
        survey_files([(file, file.name) for file in files if file not in outside], progress, frame=frame).entries
    )
    reason = "a link that leads out of the folders that this server allows"
    return Survey(tuple(Skipped(str(file), reason) if file in outside else next(surveyed) for file in files))


def _part(show: Progress, number: int, count: int) -> Progress:
    """Progress of one folder as a part of the whole bar."""

    def progress(done: int, total: int) -> None:
        show(number * STEPS + STEPS * done // max(1, total), count * STEPS)

    return progress
