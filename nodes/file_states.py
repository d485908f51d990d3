"""Whether a model must be looked into again: the state of its file, and of those beside it that may tell about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

#: Real path, size and time of change.
State = tuple[str, int, int]
#: With one of these in a folder it matters which other files are there: it tells about a model that is alone.
_CONFIGS = ("config.json", "open_clip_config.json")


def state_reader() -> Callable[[Path], tuple[State, ...]]:
    """A function from a model's path to its state, which lists each folder once; it never raises.

    Of a file it is the file's own and that of the JSON in its folder, of a folder that of every file in it.
    """
    beside = cache(_telling)

    def states_of(path: Path) -> tuple[State, ...]:
        if path.is_dir():
            return tuple(map(_state, _entries(path)))
        return _state(path), *beside(path.parent)

    return states_of


def _telling(folder: Path) -> tuple[State, ...]:
    entries = _entries(folder)
    told = [entry for entry in entries if entry.suffix == ".json"]
    has_config = any(entry.name in _CONFIGS for entry in told)
    names = [(str(entry), 0, 0) for entry in entries] if has_config else []
    return *map(_state, told), *names


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder))
    except OSError:
        # gone, or nobody may list it, since it was found
        return []


def _state(path: Path) -> State:
    try:
        status = os.stat(path)
    except OSError:
        # gone since it was listed, or a link to nowhere: its absence is a state too
        return str(path), -1, -1
    return os.path.realpath(path), status.st_size, status.st_mtime_ns
