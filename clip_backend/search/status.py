"""What an index holds, counted."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .database import LEFT_OUT, open_for_reading, path_text, read_settings, translated

_FAILED_FILE = f"stage NOT IN ('', '{LEFT_OUT}') AND missing IS NULL"


@dataclass(frozen=True)
class Failure:
    """A file or folder that is not in the index, and why."""

    path: str
    #: "list", "read" or "encode".
    stage: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """The fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class RootStatus:
    """A folder that is indexed with all below it."""

    path: str
    files: int
    #: Whether it could not be listed at the last update, so that its pictures were left as they are.
    is_away: bool


@dataclass(frozen=True)
class IndexStatus:
    """What an index holds."""

    folder: str
    #: The model's name, the file that it is loaded from, and its embedding space; empty before the first picture.
    model: str
    source: str
    space: str
    #: Numbers of a vector.
    dim: int
    #: Contents with a vector, and files that have one of these.
    pictures: int
    files: int
    #: Files that are gone, and those that could not be used.
    missing: int
    failed: int
    roots: tuple[RootStatus, ...]
    size_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


def index_status(folder: Path, *, measured: bool = True) -> IndexStatus:
    """What the index in a folder holds; raises InputError where there is none.

    measured: also look at each of its files for ``size_bytes``, which takes seconds in a large one; else that is 0.
    """
    with closing(open_for_reading(folder)) as connection, translated(folder):
        settings = read_settings(connection)
        roots = connection.execute(
            "SELECT path, (SELECT count(*) FROM files WHERE root = roots.id AND missing IS NULL), is_away FROM roots"
            " ORDER BY path"
        ).fetchall()
        return IndexStatus(
            folder=str(folder),
            model=settings.get("model", ""),
            source=settings.get("source", ""),
            space=settings.get("space", ""),
            dim=int(settings.get("dim", 0)),
            pictures=_count(connection, "pictures WHERE row IS NOT NULL"),
            files=_count(connection, "files WHERE picture IS NOT NULL AND missing IS NULL"),
            missing=_count(connection, "files WHERE missing IS NOT NULL"),
            failed=_count(connection, f"files WHERE {_FAILED_FILE}"),
            roots=tuple(RootStatus(path_text(path), files, bool(is_away)) for path, files, is_away in roots),
            size_bytes=sum(map(_size, folder.rglob("*"))) if measured else 0,
        )


def index_failures(folder: Path, most: int = -1) -> Sequence[Failure]:
    """The files that could not be used at the last time that they were read, in the order of their paths.

    most: how many of them at most; -1 for all.
    """
    with closing(open_for_reading(folder)) as connection, translated(folder):
        rows = connection.execute(
            "SELECT roots.path, folder, name, stage, reason FROM files JOIN roots ON roots.id = root"
            f" WHERE {_FAILED_FILE} ORDER BY roots.path, folder, name LIMIT ?",
            (most,),
        )
        return [Failure(path_text(root, below, name), stage, reason) for root, below, name, stage, reason in rows]


def _size(path: Path) -> int:
    """The bytes of a file; 0 for what is none, and for one that a writer has just removed."""
    try:
        status = path.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _count(connection: sqlite3.Connection, what: str) -> int:
    """How many rows of a table fulfil a condition, both of which are texts of this module."""
    ((count,),) = connection.execute(f"SELECT count(*) FROM {what}")
    return int(count)
