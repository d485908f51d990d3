"""Where sheets go: the file and format of one, its pages' files, and the files of a batch of folders."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..atomic import check_regular, fitting_name
from ..errors import InputError
from ..grid.pictures.find import find_files, matching_folders
from ..grid.pictures.survey import survey_files
from ..grid.template import GridTemplate
from ..grid.write.output import FORMAT_OF, OTHER_SUFFIXES, SUFFIX
from .pictures import Images, StrPath


def target_and_format(
    given: StrPath, template: GridTemplate, format_given: bool, images: Images
) -> tuple[Path, GridTemplate]:
    """The sheet's file and the template with its format; the file's ending and a given format must agree."""
    if not os.fspath(given):
        raise InputError("the sheet has no file name; give one")
    out = home_path(given)
    if os.path.isdir(out) or os.fspath(given).endswith(("/", os.sep)):
        one = os.fspath(images) if isinstance(images, (str, os.PathLike)) else ""
        stem = folder_name(one) if one and os.path.isdir(home_path(one)) else "pictures"
        return out / fitting_name(stem, f"_grid{SUFFIX[template.format]}"), template
    named = FORMAT_OF.get(out.suffix.lower())
    if named is None:
        check_regular(out)
        if out.suffix.lower() in OTHER_SUFFIXES:
            raise InputError(f"{out.name} ends in {out.suffix}; sheets are written as {', '.join(SUFFIX.values())}")
        return out.with_name(out.name + SUFFIX[template.format]), template
    if format_given and named != template.format:
        raise InputError(
            f"{out.name} ends in {out.suffix} but format is {template.format}; make them agree or drop one"
        )
    return out, template.with_options({"format": named})


def folder_name(directory: str) -> str:
    """What a folder is called, whatever way its path is written."""
    return Path(os.path.abspath(os.path.expanduser(directory))).name or "root"


def page_namer(target: Path) -> Callable[[int, int], Path]:
    """Page numbers to files: the target itself, then ``name-2.png``, ``name-3.png``, ..."""

    def path_of(page: int, pages: int) -> Path:
        return target if page == 0 else target.with_name(fitting_name(target.stem, f"-{page + 1}{target.suffix}"))

    return path_of


def expand_directories(directories: Iterable[StrPath]) -> list[str]:
    """Directories with globs replaced by the directories that they match; what matches nothing stays as it is."""
    expanded: list[str] = []
    for entry in directories:
        text = os.path.expanduser(entry)
        # a folder may really be called run[1]
        is_glob = glob.has_magic(text) and not os.path.lexists(text)
        expanded += list(map(str, matching_folders(text) if is_glob else ())) or [text]
    return expanded


def without_own(directories: Sequence[str], out_dir: StrPath) -> list[str]:
    """The directories without the output directory, which a glob may name too, if it holds nothing but our sheets."""
    out = home_path(out_dir)
    if len(directories) < 2 or not os.path.isdir(out):
        return list(directories)
    target = os.path.realpath(out)
    named = [one for one in directories if os.path.realpath(os.path.expanduser(one)) == target]
    if not named or survey_files(find_files([out])).pictures:
        return list(directories)
    return [directory for directory in directories if directory not in named]


def batch_targets(directories: Sequence[str], out_dir: Path, template: GridTemplate) -> list[tuple[str, Path]]:
    """Each directory with its sheet's file, no two the same."""
    used: dict[str, int] = {}
    targets = []
    for directory in directories:
        stem = folder_name(directory)
        # some file systems take A and a for the same
        plain = stem.casefold()
        used[plain] = used.get(plain, 0) + 1
        number = f"_{used[plain]}" if used[plain] > 1 else ""
        targets.append((directory, out_dir / fitting_name(stem, f"_grid{number}{SUFFIX[template.format]}")))
    return targets


def home_path(given: StrPath) -> Path:
    """The path with ~ for the home folder, which stays as it is where there is none."""
    return Path(os.path.expanduser(given))
