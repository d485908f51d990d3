"""Rows that can be matched: each with the file of its picture and a key of all that its result depends on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import PictureError
from ..running.cache import row_key
from .pairs_file import PairRow
from .report import PairResult


@dataclass(frozen=True)
class Task:
    """A row to be matched."""

    row: PairRow
    picture: Path
    #: Equal only for the same file as it is now, the same text and the same settings.
    key: str


def task_of(row: PairRow, folders: Sequence[Path], settings: str) -> Task | PairResult:
    """What is to be done for a row, or why nothing can be.

    folders: where a relative path is looked for, in their order.
    """
    if row.problem:
        return PairResult(row, error=row.problem)
    try:
        picture = find_picture(row.image, folders)
        status = os.stat(picture)
    except PictureError as error:
        return PairResult(row, error=error.reason)
    except OSError as error:
        return PairResult(row, error=f"it cannot be opened: {error.strerror or error}")
    key = row_key(str(picture), status.st_size, status.st_mtime_ns, row.text, settings)
    return Task(row, picture, key)


def find_picture(name: str, folders: Sequence[Path]) -> Path:
    """The file of this name in the first folder that has it, also with the slashes of Windows; else PictureError."""
    spellings = dict.fromkeys((name, name.replace("\\", "/")))
    for path in (folder / spelling for folder in folders for spelling in spellings):
        if os.path.isfile(path):
            return path
    looked = "" if Path(name).is_absolute() else f" in {' or '.join(dict.fromkeys(map(str, folders)))}"
    raise PictureError(name, f"there is no file {name}{looked}; check the path")
