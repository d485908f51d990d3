"""Files that match a pattern of *, ?, [...] and **, which stands for any number of folders; nothing hidden."""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path


def matching_files(pattern: str, base: Path) -> list[tuple[Path, str]]:
    """Files that match, each with its path below the last folder that is fixed in the pattern, forward slashes.

    base: the folder that a relative pattern starts in; its own name is never a pattern.

    Links to folders are followed, but ``**`` goes into each real folder only once. Names that begin with a dot match
    only where the pattern's part begins with one. Folders that cannot be read have no files. Order is that of the disk.
    """
    parts, anchor = Path(pattern).parts, Path(pattern).anchor
    # the anchor of a long path on Windows has a question mark
    first = next((i for i, part in enumerate(parts) if glob.has_magic(part) and part != anchor), len(parts))
    fixed = base.joinpath(*parts[:first])
    return [(path, path.relative_to(fixed).as_posix()) for path in _matches(fixed, parts[first:])]


def _matches(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    if not parts:
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        for below in _folders_below(folder):
            yield from _matches(below, rest or ("*",))
    elif rest:
        for name in _names(folder, part, os.path.isdir):
            yield from _matches(folder / name, rest)
    else:
        yield from (folder / name for name in _names(folder, part, os.path.isfile))


def _names(folder: Path, part: str, wanted: Callable[[Path], bool]) -> list[str]:
    """Names in the folder that match one part of the pattern and are of the wanted kind."""
    if not glob.has_magic(part):
        return [part] if wanted(folder / part) else []
    try:
        names = os.listdir(folder)
    except (OSError, ValueError):
        return []
    fits = (name for name in names if fnmatch(name, part) and (part.startswith(".") or not name.startswith(".")))
    return [name for name in fits if wanted(folder / name)]


def _folders_below(folder: Path) -> Iterator[Path]:
    """The folder and all folders below it; linked ones last, so that a picture is named by its real place."""
    waiting = deque([folder])
    seen: set[str] = set()
    while waiting:
        current = waiting.pop()
        real = os.path.realpath(current)
        if real in seen:
            continue
        seen.add(real)
        yield current
        for name in _names(current, "*", os.path.isdir):
            (waiting.appendleft if os.path.islink(current / name) else waiting.append)(current / name)
