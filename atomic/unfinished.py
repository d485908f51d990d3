"""What is to be removed when this process is ended early, and which files it has written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from .signals import signals_held

_removals: list[Callable[[], object]] = []
#: Files in the order in which they appeared; None while nobody asks.
_written: list[Path] | None = None
#: Blocks of ``unlisted`` that run.
_unlisted = 0
#: What is kept on purpose of work that is not done, by what it is.
_kept: dict[str, str] = {}


def record_written() -> None:
    """Begins to keep the names of all files that are written; for programs that end, since they are never forgotten."""
    global _written
    _written = []
    _kept.clear()


def written_files() -> list[Path]:
    """All files since ``record_written``, each once."""
    return list(dict.fromkeys(_written or ()))


def add_written(paths: Sequence[Path]) -> None:
    """Files that are in place now."""
    if _written is not None and not _unlisted:
        _written.extend(paths)


@contextmanager
def unlisted() -> Iterator[None]:
    """What the block writes serves the next run alone: ``written_files`` does not name it, ``set_kept`` may."""
    global _unlisted
    _unlisted += 1
    try:
        yield
    finally:
        _unlisted -= 1


def set_kept(what: str, sentence: str) -> None:
    """A sentence on unfinished work that stays for the next run; an empty one takes it back."""
    _kept[what] = sentence


def kept_work() -> list[str]:
    """The sentences on unfinished work that stays."""
    return [sentence for sentence in _kept.values() if sentence]


@contextmanager
def removed_when_ended(remove: Callable[[], object]) -> Iterator[None]:
    """``remove_unfinished`` calls the function while the block runs."""
    _removals.append(remove)
    try:
        yield
    finally:
        _removals.remove(remove)


def remove_unfinished() -> None:
    """Removes the temporary files and locks of this process, which must end then."""
    for remove in reversed(_removals):
        remove()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder in the system's folder of temporary files that is gone after the block."""
    with signals_held():
        folder = TemporaryDirectory(prefix="clip_grid_", ignore_cleanup_errors=True)
        removal = partial(shutil.rmtree, folder.name, ignore_errors=True)
        _removals.append(removal)
    try:
        yield Path(folder.name)
    finally:
        with signals_held():
            folder.cleanup()
            _removals.remove(removal)
