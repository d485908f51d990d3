"""The one process that writes an index: its lock, its recovery after a kill, and what it keeps, batch by batch.

A batch first goes to the file of vectors and onto the disk, then one transaction names its rows. Whatever moment a
process ends at, the index is that of the last transaction.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np

from ...atomic import make_folder, writing
from ...atomic.lock import FileLock, take_lock
from ...errors import InputError, OutputError
from .database import (
    PROMPT_COLUMNS,
    has_full_text,
    is_known,
    open_for_writing,
    read_settings,
    transaction,
    translated,
    write_settings,
)
from .thumbnails import remove_thumbnail, write_thumbnail
from .tree import Changes, FoundFile
from .vectors import Vectors, VectorWriter, read_vectors, stored_rows, vector_file

LOCK = "writer.lock"
#: The file of vectors is made anew without its holes once they are more than this share of it.
MOST_HOLES = 0.25
#: Rows that are copied at a time then.
_COPIED_AT_ONCE = 65_536


@dataclass(frozen=True)
class Description:
    """What is known of a picture beside its embedding."""

    width: int = 0
    height: int = 0
    #: Generation data by column.
    properties: Mapping[str, str] = field(default_factory=dict)
    #: A small picture in WebP; empty for none.
    thumbnail: bytes = b""


@dataclass(frozen=True)
class KeptFile:
    """A file after it was read."""

    root: int
    found: FoundFile
    #: The hash of its content; empty if it could not be used.
    hash: str = ""
    #: Unit vector [dim]; None where the index has that of this content already.
    vector: Vectors | None = None
    description: Description = Description()
    #: Why it could not be used, and in which stage.
    stage: str = ""
    reason: str = ""


class IndexWriter:
    """An index that is open for writing; use it as a context manager.

    space, dim, model: of the encoder, to which a new index is bound; model is its name for users. Raises InputError for
    an index of another space, and OutputError while another process writes, and for a folder that cannot be written.
    """

    def __init__(self, folder: Path, *, space: str = "", dim: int = 0, model: str = "") -> None:
        self.folder = folder
        self._lock = _locked(folder)
        try:
            self.connection = open_for_writing(folder)
        except BaseException:
            self._lock.remove()
            raise
        try:
            with translated(folder):
                self._bind(space, dim, model)
                self._vectors = self._recovered()
                self._has_full_text = has_full_text(self.connection)
        except BaseException:
            self.connection.close()
            self._lock.remove()
            raise

    def __enter__(self) -> IndexWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files and lets others write."""
        if self._vectors:
            self._vectors.close()
        self.connection.close()
        self._lock.remove()

    # --- roots

    def root_of(self, path: Path) -> tuple[int, bytes]:
        """The root that holds a folder, made if there is none, and the folder's place below it.

        Roots that lie inside of a new one become part of it. Raises InputError for what is no folder.
        """
        wanted = os.fsencode(os.path.abspath(path))
        roots = {root: id for id, root in self.connection.execute("SELECT id, path FROM roots")}
        for root, id in roots.items():
            if wanted == root or wanted.startswith(_with_separator(root)):
                return id, wanted[len(_with_separator(root)) :]
        if not os.path.isdir(wanted):
            raise InputError(f"{path} is no folder; give a folder with pictures")
        with translated(self.folder), transaction(self.connection):
            new = self.connection.execute("INSERT INTO roots (path) VALUES (?)", (wanted,)).lastrowid or 0
            for root, id in roots.items():
                if root.startswith(_with_separator(wanted)):
                    self._put_below(id, new, root[len(_with_separator(wanted)) :])
        return new, b""

    def _put_below(self, root: int, new: int, folder: bytes) -> None:
        """Makes a root a folder of another one."""
        rows = self.connection.execute("SELECT DISTINCT folder FROM files WHERE root = ?", (root,)).fetchall()
        for (old,) in rows:
            self.connection.execute(
                "UPDATE files SET root = ?, folder = ? WHERE root = ? AND folder = ?",
                (new, os.path.join(folder, old) if old else folder, root, old),
            )
        self.connection.execute(
            "UPDATE roots SET device = (SELECT device FROM roots WHERE id = ?) WHERE id = ?", (root, new)
        )
        self.connection.execute("DELETE FROM roots WHERE id = ?", (root,))

    def keep_changes(self, root: int, changes: Changes) -> None:
        """Keeps what a look at the folders has told: new names, files that are gone, and those that are back."""
        with translated(self.folder), transaction(self.connection):
            execute, now = self.connection.executemany, int(time.time())
            self.connection.execute(
                "UPDATE roots SET is_away = ?, device = CASE ? WHEN '' THEN device ELSE ? END WHERE id = ?",
                (not changes.device, changes.device, changes.device, root),
            )
            execute("UPDATE files SET missing = ? WHERE id = ?", [(now, id) for id in changes.gone])
            execute("UPDATE files SET missing = NULL WHERE id = ?", [(id,) for id in changes.back])
            execute(
                "UPDATE files SET root = ?, folder = ?, name = ?, missing = NULL WHERE id = ?",
                [(root, found.folder, found.name, id) for id, found in changes.moved],
            )
            for picture, found in changes.linked:
                self._keep_file(root, found, picture, "", "")
            if changes.moved:
                # the old places of a root that was renamed are gone with the last of its files
                self.connection.execute(
                    "DELETE FROM roots WHERE id <> ? AND is_away AND id NOT IN (SELECT root FROM files)", (root,)
                )

    # --- pictures

    def keep(self, files: Sequence[KeptFile]) -> None:
        """Keeps a batch: all of it, or nothing if the process or the disk ends before."""
        fresh = {one.hash: one for one in files if one.vector is not None and not is_known(self.connection, one.hash)}
        with translated(self.folder):
            first = self._vectors.rows if self._vectors else 0
            if fresh:
                if self._vectors is None:
                    raise InputError(f"the index in {self.folder} is open without a model; give one to add pictures")
                first = self._vectors.append(np.stack([one.vector for one in fresh.values() if one.vector is not None]))
            for one in fresh.values():
                if one.description.thumbnail:
                    write_thumbnail(self.folder, one.hash, one.description.thumbnail)
            with transaction(self.connection):
                for row, one in enumerate(fresh.values(), first):
                    self._keep_picture(one, row)
                for one in files:
                    self._keep_file(one.root, one.found, self._picture(one.hash), one.stage, one.reason)
                if fresh:
                    write_settings(self.connection, rows=first + len(fresh))
            if self._vectors:
                self._vectors.commit(len(fresh))

    def _keep_picture(self, one: KeptFile, row: int) -> None:
        shown = one.description
        self.connection.execute(
            "INSERT INTO pictures (hash, row, width, height, has_thumbnail) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (hash) DO UPDATE SET row = excluded.row",
            (one.hash, row, shown.width, shown.height, bool(shown.thumbnail)),
        )
        picture = self._picture(one.hash)
        has_properties = self.connection.execute(
            "SELECT 1 FROM properties WHERE picture = ? LIMIT 1", (picture,)
        ).fetchone()
        if shown.properties and not has_properties:
            self._keep_properties(picture or 0, shown.properties)

    def _keep_properties(self, picture: int, properties: Mapping[str, str]) -> None:
        self.connection.executemany(
            "INSERT INTO properties VALUES (?, ?, ?, ?)",
            [(picture, name, text, _number(text)) for name, text in properties.items()],
        )
        prompts = [properties.get(name, "") for name in PROMPT_COLUMNS]
        if self._has_full_text and any(prompts):
            self.connection.execute(f"INSERT INTO prompts (rowid, {_PROMPTS}) VALUES (?, ?, ?)", (picture, *prompts))

    def _picture(self, hash: str) -> int | None:
        found = self.connection.execute("SELECT id FROM pictures WHERE hash = ?", (hash,)).fetchone()
        return int(found[0]) if found else None

    def _keep_file(self, root: int, found: FoundFile, picture: int | None, stage: str, reason: str) -> None:
        self.connection.execute(
            "INSERT INTO files (root, folder, name, size, mtime_ns, inode, picture, is_settled, stage, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root, folder, name) DO UPDATE SET"
            " size = excluded.size, mtime_ns = excluded.mtime_ns, inode = excluded.inode, picture = excluded.picture,"
            " missing = NULL, is_settled = excluded.is_settled, stage = excluded.stage, reason = excluded.reason",
            (
                root, found.folder, found.name, found.size, found.mtime_ns, found.inode, picture, found.is_settled,
                stage, reason,
            ),
        )  # fmt: skip

    # --- what is no longer wanted

    def purge(self, *, older_than_s: float = 0.0) -> int:
        """Forgets files that have been missing for longer, and pictures without files; returns how many files."""
        limit = time.time() - older_than_s
        with translated(self.folder):
            with transaction(self.connection):
                purged = self.connection.execute("DELETE FROM files WHERE missing <= ?", (limit,)).rowcount
                forgotten = self._forget_pictures()
            for hash in forgotten:
                remove_thumbnail(self.folder, hash)
            self._compact()
        return purged

    def _forget_pictures(self) -> list[str]:
        """Removes pictures without files; returns their hashes."""
        rows = self.connection.execute(
            "SELECT id, hash FROM pictures WHERE id NOT IN (SELECT picture FROM files WHERE picture IS NOT NULL)"
        ).fetchall()
        for picture, _ in rows:
            texts = dict(self.connection.execute("SELECT name, text FROM properties WHERE picture = ?", (picture,)))
            prompts = [texts.get(name, "") for name in PROMPT_COLUMNS]
            if self._has_full_text and any(prompts):
                # a table without content must be told what to forget
                self.connection.execute(
                    f"INSERT INTO prompts (prompts, rowid, {_PROMPTS}) VALUES ('delete', ?, ?, ?)", (picture, *prompts)
                )
            self.connection.execute("DELETE FROM properties WHERE picture = ?", (picture,))
            self.connection.execute("DELETE FROM pictures WHERE id = ?", (picture,))
        return [hash for _, hash in rows]

    def _compact(self) -> None:
        """Makes the file of vectors anew where much of it is holes; readers go on with the old one."""
        if self._vectors is None:
            return
        rows = [row for (row,) in self.connection.execute("SELECT row FROM pictures WHERE row IS NOT NULL ORDER BY 1")]
        holes = self._vectors.rows - len(rows)
        if holes <= MOST_HOLES * self._vectors.rows:
            return
        settings = read_settings(self.connection)
        space, generation, old = settings["space"], int(settings["generation"]) + 1, self._vectors
        path = vector_file(self.folder, generation)
        with suppress(FileNotFoundError):
            # of a process that was ended in the middle of this
            path.unlink()
        new = VectorWriter(path, old.dim, space, 0)
        try:
            stored = read_vectors(old.path, old.dim, space, old.rows)
            for start in range(0, len(rows), _COPIED_AT_ONCE):
                part = rows[start : start + _COPIED_AT_ONCE]
                new.append(np.asarray(stored[part]))
                new.commit(len(part))
            with transaction(self.connection):
                # rows are unique: none may meet another's new number on the way
                self.connection.execute("UPDATE pictures SET row = -1 - row WHERE row IS NOT NULL")
                self.connection.executemany(
                    "UPDATE pictures SET row = ? WHERE row = ?", [(place, -1 - row) for place, row in enumerate(rows)]
                )
                write_settings(self.connection, generation=generation, rows=len(rows))
        except BaseException:
            new.close()
            raise
        self._vectors = new
        old.close()
        del stored
        _remove_other_generations(self.folder, generation)

    # --- opening

    def _bind(self, space: str, dim: int, model: str) -> None:
        """Binds a new index to the space; raises InputError for one of another space."""
        settings = read_settings(self.connection)
        if space and not settings:
            with transaction(self.connection):
                write_settings(self.connection, space=space, dim=dim, model=model, generation=1, rows=0)
        elif space and settings["space"] != space:
            raise InputError(
                f"the index in {self.folder} holds embeddings of {settings['model']}, and {model} has another "
                "embedding space; choose that model, or another folder for the index"
            )

    def _recovered(self) -> VectorWriter | None:
        """The file of vectors, and the database in step with it; None for an index without a model."""
        settings = read_settings(self.connection)
        if not settings:
            return None
        generation, dim, rows = (int(settings[name]) for name in ("generation", "dim", "rows"))
        path = vector_file(self.folder, generation)
        there = stored_rows(path, dim)
        if there < rows:
            # a file that lost its end, or was removed: its pictures are computed again
            with transaction(self.connection):
                self.connection.execute("UPDATE pictures SET row = NULL WHERE row >= ?", (there,))
                write_settings(self.connection, rows=there)
        _remove_other_generations(self.folder, generation)
        return VectorWriter(path, dim, settings["space"], min(rows, there))


_PROMPTS = ", ".join(PROMPT_COLUMNS)


def _locked(folder: Path) -> FileLock:
    make_folder(folder)
    path = folder / LOCK
    with writing(path):
        lock = take_lock(path)
        if lock is None:
            raise OutputError(f"{_holder(path)} is updating the index in {folder}; wait until it is done")
        # for the message of another process that waits
        os.ftruncate(lock.handle, 0)
        os.write(lock.handle, str(os.getpid()).encode())
    return lock


def _holder(path: Path) -> str:
    try:
        process = path.read_text().strip()
    except OSError:
        process = ""
    return f"process {process}" if process.isdecimal() else "another process"


def _with_separator(path: bytes) -> bytes:
    separator = os.sep.encode()
    return path if path.endswith(separator) else path + separator


def _remove_other_generations(folder: Path, generation: int) -> None:
    kept = vector_file(folder, generation).name
    for path in folder.glob("vectors.*"):
        if path.name != kept and not path.name.startswith(f"vectors.{generation}."):
            # on Windows a file that a reader has mapped stays until the next time
            with suppress(OSError):
                path.unlink()


def _number(text: str) -> float | None:
    """The number that a text is; None for others, and for what no filter could compare."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
