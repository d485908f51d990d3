"""Files that are whole or not there: one alone, or a set of them; and what is said where they cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .file_set import FileSet, file_set, signals_held
from .lock import FileLock, take_lock
from .problems import check_regular, is_empty, make_folder, output_error, writing

__all__ = [
    "FileLock", "FileSet", "atomic_file", "check_regular", "file_set", "is_empty", "make_folder", "output_error",
    "signals_held", "take_lock", "writing",
]  # fmt: skip


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file, open for writing and seekable, that appears under ``path`` only when the block ends well.

    Whatever ends the block early leaves an older file under that name as it was. Raises OutputError when the folder or
    the file cannot be written.
    """
    with file_set(path.parent) as files, files.open(path) as file:
        yield file
