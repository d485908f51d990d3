"""The one process that writes an index: its lock, its recovery after a kill, and what it keeps, batch by batch.

A batch first goes to the file of vectors and onto the disk, then one transaction names its rows. Whatever moment a
process ends at, the index is that of the last transaction.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np

from ...atomic import make_folder, writing
from ...atomic.lock import FileLock, take_lock
from ...errors import InputError, OutputError
from ..encoding.store_file import transaction
from .database import (
    PROMPT_COLUMNS,
    PROMPTS,
    has_full_text,
    is_known,
    open_for_writing,
    read_settings,
    translated,
    write_settings,
)
from .keywords import indexed_text
from .quantized import QuantizedWriter, remove_quantized
from .thumbnails import write_thumbnail
from .tree import Changes, FoundFile
from .vectors import Vectors, VectorWriter, remove_other_generations, stored_rows, vector_file

LOCK = "writer.lock"


@dataclass(frozen=True)
class Description:
    """What is known of a picture beside its embedding."""

    width: int = 0
    height: int = 0
    #: Generation data by column.
    properties: Mapping[str, str] = field(default_factory=dict)
    #: A small picture in WebP; empty for none.
    thumbnail: bytes = b""
    #: Why it is left out on purpose; empty if it is not.
    left_out: str = ""


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
    #: Why it could not be used, and in which stage; LEFT_OUT for what was left out on purpose.
    stage: str = ""
    reason: str = ""


class IndexWriter:
    """An index that is open for writing; use it as a context manager.

    Raises OutputError while another process writes, and for a folder that cannot be written, and InputError for what is
    no index of this version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._quantized: QuantizedWriter | None = None
        self._lock = _locked(folder)
        try:
            self.connection = open_for_writing(folder)
        except BaseException:
            self._lock.remove()
            raise
        try:
            with translated(folder):
                self.vectors = self._recovered()
                self.quantize()
                self.has_full_text = has_full_text(self.connection)
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
        if self.vectors:
            self.vectors.close()
        self.connection.close()
        self._lock.remove()

    def bind(self, space: str, dim: int, model: str, source: str = "") -> None:
        """Binds a new index to an embedding space, which its pictures are then added from.

        model: the model's name for users. source: the file that it is loaded from when nobody names another.
        Raises InputError for an index of another space.
        """
        with translated(self.folder):
            settings = read_settings(self.connection)
            if not settings:
                with transaction(self.connection):
                    write_settings(
                        self.connection, space=space, dim=dim, model=model, source=source, generation=1, rows=0
                    )
                self.vectors = self._recovered()
            elif settings["space"] != space:
                raise InputError(
                    f"the index in {self.folder} holds embeddings of {settings['model']}, and {model} has another "
                    "embedding space; choose that model, or another folder for the index"
                )

    def settings(self) -> dict[str, str]:
        """All settings by name; empty for an index that is bound to no model yet."""
        with translated(self.folder):
            return read_settings(self.connection)

    # --- roots

    def has_roots(self) -> bool:
        """Whether any folder is in the index."""
        return self.connection.execute("SELECT 1 FROM roots LIMIT 1").fetchone() is not None

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

    def keep(self, files: Sequence[KeptFile]) -> int:
        """Keeps a batch, all of it or nothing; returns how many contents were new."""
        fresh = {one.hash: one for one in files if one.vector is not None and not is_known(self.connection, one.hash)}
        vectors = [one.vector for one in fresh.values() if one.vector is not None]
        for one in fresh.values():
            if one.description.thumbnail:
                write_thumbnail(self.folder, one.hash, one.description.thumbnail)
        with translated(self.folder), self._appended(vectors) as first:
            for row, one in enumerate(fresh.values(), first):
                self._keep_picture(one.hash, one.description, row)
            for one in files:
                self._keep_file(one.root, one.found, self._picture(one.hash), one.stage, one.reason)
        return len(fresh)

    def keep_pictures(self, pictures: Sequence[tuple[str, Description]], vectors: Vectors) -> int:
        """Keeps pictures by their hashes, without files, that the index does not have; returns how many it kept.

        vectors: their unit vectors [N, dim].
        """
        fresh = [place for place, (hash, _) in enumerate(pictures) if not is_known(self.connection, hash)]
        with translated(self.folder), self._appended([vectors[place] for place in fresh]) as first:
            for row, place in enumerate(fresh, first):
                self._keep_picture(*pictures[place], row)
        return len(fresh)

    @contextmanager
    def _appended(self, vectors: Sequence[Vectors]) -> Iterator[int]:
        """A transaction in which the rows of these vectors are named; gives the number of the first."""
        if self.vectors is None and vectors:
            raise InputError(f"the index in {self.folder} is bound to no model yet")
        first = self.vectors.append(np.stack(vectors)) if self.vectors and vectors else 0
        with transaction(self.connection):
            yield first
            if vectors:
                write_settings(self.connection, rows=first + len(vectors))
        if self.vectors:
            self.vectors.commit(len(vectors))
            self.quantize()

    def quantize(self) -> None:
        """Brings the int8 file of the generation up to date."""
        if self.vectors:
            if self._quantized is None or self._quantized.vectors is not self.vectors:
                self._quantized = QuantizedWriter(self.vectors)
            self._quantized.update()

    def _keep_picture(self, hash: str, shown: Description, row: int) -> None:
        self.connection.execute(
            "INSERT INTO pictures (hash, row, width, height, has_thumbnail) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (hash) DO UPDATE SET row = excluded.row",
            (hash, row, shown.width, shown.height, bool(shown.thumbnail)),
        )
        picture = self._picture(hash)
        found = self.connection.execute("SELECT 1 FROM properties WHERE picture = ? LIMIT 1", (picture,)).fetchone()
        if picture is not None and shown.properties and not found:
            self._keep_properties(picture, shown.properties)

    def _keep_properties(self, picture: int, properties: Mapping[str, str]) -> None:
        self.connection.executemany(
            "INSERT INTO properties VALUES (?, ?, ?, ?)",
            [(picture, name, text, _number(text)) for name, text in properties.items()],
        )
        prompts = [indexed_text(properties.get(name, "")) for name in PROMPT_COLUMNS]
        if self.has_full_text and any(prompts):
            self.connection.execute(f"INSERT INTO prompts (rowid, {PROMPTS}) VALUES (?, ?, ?)", (picture, *prompts))

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

    # --- opening

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
            remove_quantized(path)
        remove_other_generations(self.folder, generation)
        return VectorWriter(path, dim, settings["space"], min(rows, there))


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


def _number(text: str) -> float | None:
    """The number that a text is; None for others, and for what no filter could compare."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
