"""Files that are whole or not there: one alone, or a set of them; and what is said where they cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError
from .file_set import FileSet, file_set, hidden_name
from .lock import take_lock
from .names import fitting_name
from .problems import check_regular, check_replaceable, is_empty, make_folder, output_error, writing
from .signals import signals_held
from .unfinished import (
    kept_work,
    record_written,
    remove_unfinished,
    removed_when_ended,
    set_kept,
    temporary_folder,
    unlisted,
    written_files,
)

__all__ = [
    "FileSet", "atomic_file", "check_regular", "check_replaceable", "file_set", "fitting_name", "is_empty", "kept_work",
    "make_folder", "output_error", "record_written", "remove_unfinished", "set_kept", "signals_held",
    "temporary_folder", "the_only_run", "unlisted", "writing", "written_files",
]  # fmt: skip


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file, open for writing and seekable, that appears under ``path`` only when the block ends well.

    Whatever ends the block early leaves an older file under that name as it was. Raises OutputError when the folder or
    the file cannot be written.
    """
    with file_set(path.parent) as files, files.open(path) as file:
        yield file


@contextmanager
def the_only_run(path: Path) -> Iterator[None]:
    """No other block of the same path runs meanwhile, in any process; raises OutputError where one does."""
    make_folder(path.parent)
    with ExitStack() as block:
        with signals_held():
            with writing(path):
                lock = take_lock(path.with_name(hidden_name(path.name, ".lock")))
            if lock is None:
                raise OutputError(f"another run is writing {path}; wait until it is done, or choose another name")
            block.enter_context(removed_when_ended(lock.remove))
            block.callback(lock.remove)
        try:
            yield
        finally:
            with signals_held():
                block.close()
