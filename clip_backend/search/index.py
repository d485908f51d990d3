"""An index that is open for reading: what it holds now, as one state to search in, and what it knows of pictures."""

from __future__ import annotations

import os
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .database import open_for_reading, path_text, read_settings, translated
from .quantized import Quantized, is_usable, read_quantized
from .vectors import Vectors, read_vectors, vector_file

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: SQLite takes at least 999 parameters in a statement.
_ASKED_AT_ONCE = 900
#: A file of vectors that was replaced between the look at the database and its opening is looked for so often.
_TRIES = 5
#: Each name once, without reading all rows of it.
_NAMES = (
    "WITH RECURSIVE names (name) AS (SELECT min(name) FROM properties UNION ALL"
    " SELECT (SELECT min(name) FROM properties WHERE name > names.name) FROM names WHERE names.name IS NOT NULL)"
    " SELECT name FROM names WHERE name IS NOT NULL"
)
_PRIME = 1_000_003
_SUMS = "SELECT count(*), coalesce(sum(id * (row + 1) % ?), 0) FROM pictures WHERE row IS NOT NULL"


@dataclass(frozen=True)
class PicturePath:
    """One of the files of a picture."""

    path: str
    #: Whether it was gone when its folder was last looked at.
    is_missing: bool
    #: Whether its root could not be listed then, as with a drive that is not connected.
    is_away: bool


@dataclass(frozen=True)
class IndexedPicture:
    """What an index knows of a picture: one content, and every file that has it."""

    id: int
    hash: str
    width: int
    height: int
    has_thumbnail: bool
    #: Files that are there come first, then by their bytes; empty when another content replaced them.
    paths: tuple[PicturePath, ...]

    @property
    def path(self) -> str:
        """Its first path; empty if it has none."""
        return self.paths[0].path if self.paths else ""

    @property
    def is_missing(self) -> bool:
        """Whether none of its files is there."""
        return all(one.is_missing for one in self.paths)

    @cached_property
    def sort_key(self) -> tuple[bytes, int]:
        """Puts equal scores in order: the bytes of its path."""
        return os.fsencode(self.path), self.id


@dataclass(frozen=True, eq=False)
class IndexState:
    """What an index held at one moment; a query works on one state, whatever is written meanwhile."""

    space: str
    #: The model's name, and the file that it is loaded from when nobody names another.
    model: str
    source: str
    dim: int
    generation: int
    #: Unit vectors [rows, dim], mapped into memory; a row that no picture has is a hole.
    vectors: Vectors
    #: The picture of each row; 0 for a hole.
    ids: Ids
    #: For each row, whether its picture has a file that is not missing.
    has_file: Mask
    #: The first rows in int8; None where they are not there, or numkong is not.
    quantized: Quantized | None = None

    @cached_property
    def is_used(self) -> Mask:
        """For each row, whether it belongs to a picture."""
        return self.ids > 0

    @cached_property
    def count(self) -> int:
        """How many pictures it holds."""
        return int(np.count_nonzero(self.ids))

    @cached_property
    def _by_id(self) -> NDArray[np.intp]:
        return np.argsort(self.ids, kind="stable")

    def rows_of(self, pictures: Ids) -> NDArray[np.intp]:
        """The rows of those of these pictures that have one, in their order."""
        if not len(self.ids):
            return np.empty(0, np.intp)
        places = np.searchsorted(self.ids, pictures, sorter=self._by_id)
        rows: NDArray[np.intp] = self._by_id[np.minimum(places, len(self.ids) - 1)]
        rows = rows[(self.ids[rows] == pictures) & (pictures > 0)]
        return rows

    def mask_of(self, pictures: Ids) -> Mask:
        """For each row, whether its picture is one of these."""
        mask = np.zeros(len(self.ids), np.bool_)
        mask[self.rows_of(pictures)] = True
        return mask


class Index:
    """Reads an index while others may write it; one object serves several threads. Use it as a context manager.

    Raises InputError for a folder without an index, and from its methods for one that is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._connection = open_for_reading(folder)
        self._connection.create_function("folded", 1, _folded_value, deterministic=True)
        # one connection, which its users take in turn
        self._lock = RLock()
        self._state: IndexState | None = None
        self._version = -1

    @classmethod
    def open(cls, folder: Path | str) -> Index:
        """The index in a folder; raises InputError where there is none."""
        return cls(Path(folder))

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the database; states that were given out remain usable."""
        with self._lock:
            self._connection.close()
            self._state = None

    def state(self) -> IndexState:
        """What the index holds now; raises InputError if that is nothing at all."""
        with self._lock, translated(self.folder):
            ((version,),) = self._connection.execute("PRAGMA data_version")
            if self._state is None or version != self._version:
                self._state, self._version = self._loaded(self._state), version
            return self._state

    def settings(self) -> dict[str, str]:
        """All settings by name: space, dim, the model's name and where it comes from; empty for a new index."""
        found: dict[str, str] = self.asked(read_settings)
        return found

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """The rows that a statement selects."""
        with self._lock, translated(self.folder):
            return self._connection.execute(sql, parameters).fetchall()

    def numbers(self, sql: str, parameters: Sequence[object] = ()) -> Ids:
        """The whole numbers that a statement of one column selects, int64 [N]."""
        with self._lock, translated(self.folder):
            return np.fromiter(chain.from_iterable(self._connection.execute(sql, parameters)), np.int64)

    def asked(self, question: Callable[[sqlite3.Connection], Any]) -> Any:
        """The answer of a function that reads the database."""
        with self._lock, translated(self.folder):
            return question(self._connection)

    # --- pictures

    def pictures(self, ids: Iterable[int]) -> dict[int, IndexedPicture]:
        """What is known of these pictures, by their ids; without those that the index has no more."""
        wanted = list(dict.fromkeys(map(int, ids)))
        paths: dict[int, list[PicturePath]] = {}
        sql = (
            "SELECT picture, roots.path, folder, name, missing IS NOT NULL, is_away FROM files"
            " JOIN roots ON roots.id = root WHERE picture IN ({})"
        )
        for picture, root, folder, name, is_missing, is_away in self._of_each(sql, wanted):
            path = PicturePath(path_text(root, folder, name), bool(is_missing), bool(is_away))
            paths.setdefault(picture, []).append(path)
        found = self._of_each("SELECT id, hash, width, height, has_thumbnail FROM pictures WHERE id IN ({})", wanted)
        return {
            id: IndexedPicture(id, hash, width, height, bool(has_thumbnail), _in_order(paths.get(id, ())))
            for id, hash, width, height, has_thumbnail in found
        }

    def sizes(self, ids: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Width and height of these pictures, by their ids."""
        found = self._of_each("SELECT id, width, height FROM pictures WHERE id IN ({})", list(map(int, ids)))
        return {id: (width, height) for id, width, height in found}

    def id_of(self, hash: str) -> int | None:
        """The picture of a content; None if the index does not hold it."""
        found = self.rows("SELECT id FROM pictures WHERE hash = ?", (hash,))
        return int(found[0][0]) if found else None

    def ids_of(self, hashes: Sequence[str]) -> Ids:
        """The pictures of those of these contents that the index holds, in their order, int64 [N]."""
        sql = "SELECT hash, id FROM pictures WHERE hash IN ({})"
        found = dict(self._of_each(sql, hashes))
        return np.array([found[hash] for hash in hashes if hash in found], np.int64)

    def hashes_of(self, ids: Ids) -> list[str]:
        """The contents of those of these pictures that the index holds."""
        found = self._of_each("SELECT hash FROM pictures WHERE id IN ({})", ids.tolist())
        return [hash for (hash,) in found]

    def properties(self, picture: int) -> dict[str, str]:
        """The generation data of a picture by name; empty if it has none."""
        return dict(self.rows("SELECT name, text FROM properties WHERE picture = ? ORDER BY name", (picture,)))

    def property_of_each(self, name: str, ids: Iterable[int]) -> dict[int, str]:
        """One property of those of these pictures that have it, by picture."""
        sql = "SELECT picture, text FROM properties WHERE name = ? AND picture IN ({})"
        return dict(self._of_each(sql, list(map(int, ids)), name))

    def property_names(self) -> list[str]:
        """The names of all properties that any picture has."""
        return [name for (name,) in self.rows(_NAMES)]

    def _of_each(self, sql: str, ids: Sequence[int] | Sequence[str], *before: object) -> list[Any]:
        found = []
        for start in range(0, len(ids), _ASKED_AT_ONCE):
            part = ids[start : start + _ASKED_AT_ONCE]
            found += self.rows(sql.format(", ".join("?" * len(part))), (*before, *part))
        return found

    # --- the state

    def _loaded(self, last: IndexState | None) -> IndexState:
        settings, ids, has_file = self._read(last)
        for _ in range(_TRIES):
            if vector_file(self.folder, int(settings["generation"])).exists():
                break
            # the writer went on to the next generation meanwhile
            settings, ids, has_file = self._read(last)
        space, dim, generation = settings["space"], int(settings["dim"]), int(settings["generation"])
        path = vector_file(self.folder, generation)
        vectors = np.asarray(read_vectors(path, dim, space, len(ids)))
        model, source = settings.get("model", ""), settings.get("source", "")
        before = last.quantized if last else None
        quantized = read_quantized(path, space, vectors, before) if is_usable() else None
        return IndexState(space, model, source, dim, generation, vectors, ids, has_file, quantized)

    def _read(self, last: IndexState | None) -> tuple[dict[str, str], Ids, Mask]:
        """Settings, pictures of the rows and which of them have files, all of one moment."""
        self._connection.execute("BEGIN")
        try:
            settings = read_settings(self._connection)
            if "space" not in settings:
                raise InputError(f"the index in {self.folder} is empty; add pictures with: clip-grid index FOLDER")
            ids = self._read_ids(settings, last)
            return settings, ids, self._read_has_file(ids)
        finally:
            self._connection.execute("ROLLBACK")

    def _read_ids(self, settings: dict[str, str], last: IndexState | None) -> Ids:
        """The picture of each row; only those of new rows are read where nothing else has changed."""
        rows, start = int(settings["rows"]), 0
        ids = np.zeros(rows, np.int64)
        if last and (last.space, last.generation) == (settings["space"], int(settings["generation"])):
            start = min(rows, len(last.ids))
            ids[:start] = last.ids[:start]
        self._fill(ids, start)
        used = np.flatnonzero(ids)
        # every row with its picture: a tail that was lost may have come back in another order
        sums = (len(used), int((ids[used] * (used + 1) % _PRIME).sum()))
        if start and self._connection.execute(_SUMS, (_PRIME,)).fetchone() != sums:
            ids[:] = 0
            self._fill(ids, 0)
        return ids

    def _fill(self, ids: Ids, start: int) -> None:
        cursor = self._connection.execute("SELECT row, id FROM pictures WHERE row >= ? AND row < ?", (start, len(ids)))
        pairs = np.fromiter(chain.from_iterable(cursor), np.int64).reshape(-1, 2)
        ids[pairs[:, 0]] = pairs[:, 1]

    def _read_has_file(self, ids: Ids) -> Mask:
        cursor = self._connection.execute(
            "SELECT row FROM pictures WHERE row IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM files WHERE picture = pictures.id AND missing IS NULL)"
        )
        without = np.fromiter(chain.from_iterable(cursor), np.int64)
        has_file = ids > 0
        has_file[without[without < len(ids)]] = False
        return has_file


def folded(text: str) -> str:
    """A text as texts are compared: without case, and with one spelling of each accented letter."""
    return unicodedata.normalize("NFC", text.casefold())


def _folded_value(value: str | bytes | None) -> str:
    return folded(os.fsdecode(value)) if value else ""


def _in_order(paths: Iterable[PicturePath]) -> tuple[PicturePath, ...]:
    found = tuple(paths)
    if len(found) > 1:
        found = tuple(sorted(found, key=lambda one: (one.is_missing, one.is_away, os.fsencode(one.path))))
    return found
