"""The pictures of an index copied to a store, which is then brought up to date; SQLite is the truth.

What the store has is not sent again, so that a copy that was interrupted continues.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from ....imaging import Progress
from ...encoding.store_file import transaction
from ..database import is_known, translated, write_settings
from ..vectors import Vectors, read_vectors, vector_file
from ..writer import IndexWriter
from .payload import DIGEST, payloads, point_id

if TYPE_CHECKING:
    from .qdrant import QdrantStore

#: Pictures that are sent by one request: about half a megabyte with vectors of 512 dimensions.
SENT_AT_ONCE = 128
#: The setting with the id of an index that has a copy.
SETTING = "mirror"


@dataclass(frozen=True)
class MirrorUpdate:
    """What a store was sent."""

    added: int = 0
    #: Pictures that had other data or files.
    changed: int = 0
    removed: int = 0
    unchanged: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


def mirror(writer: IndexWriter, store: QdrantStore, progress: Progress | None = None) -> MirrorUpdate:
    """Brings a store up to date with an index; an index without pictures is not copied.

    progress: called with (done, pictures). Raises what the methods of the store raise.
    """
    settings = writer.settings()
    if not settings:
        return MirrorUpdate()
    store.bind(settings["space"], int(settings["dim"]), _id_of(writer, settings))
    with translated(writer.folder):
        rows = writer.connection.execute("SELECT id, row FROM pictures WHERE row IS NOT NULL ORDER BY id").fetchall()
    path = vector_file(writer.folder, int(settings["generation"]))
    vectors = read_vectors(path, int(settings["dim"]), settings["space"], int(settings["rows"]))
    added = changed = 0
    for start in range(0, len(rows), SENT_AT_ONCE):
        part = rows[start : start + SENT_AT_ONCE]
        with translated(writer.folder):
            new, other = _sent(writer.connection, store, part, vectors)
        added, changed = added + new, changed + other
        if progress:
            progress(start + len(part), len(rows))
    removed = _removed(writer.connection, store)
    return MirrorUpdate(added, changed, removed, len(rows) - added - changed)


def _id_of(writer: IndexWriter, settings: dict[str, str]) -> str:
    """The id of the index, by which a store knows it again."""
    if known := settings.get(SETTING):
        return known
    made = uuid4().hex
    with translated(writer.folder), transaction(writer.connection):
        write_settings(writer.connection, **{SETTING: made})
    return made


def _sent(
    connection: sqlite3.Connection, store: QdrantStore, rows: Sequence[tuple[int, int]], vectors: Vectors
) -> tuple[int, int]:
    """Sends what the store does not have of these pictures; returns how many were new, and how many had changed."""
    found = payloads(connection, [picture for picture, _ in rows])
    ids = {picture: point_id(found[picture]["hash"]) for picture, _ in rows}
    there = store.digests(list(ids.values()))
    new = [(picture, row) for picture, row in rows if ids[picture] not in there]
    if new:
        store.put(
            [ids[picture] for picture, _ in new],
            np.asarray(vectors[[row for _, row in new]]),
            [found[picture] for picture, _ in new],
        )
    other = [id for picture, id in ids.items() if id in there and there[id] != found[picture][DIGEST]]
    if other:
        by_id = {ids[picture]: payload for picture, payload in found.items()}
        store.put_payloads({id: by_id[id] for id in other})
    return len(new), len(other)


def _removed(connection: sqlite3.Connection, store: QdrantStore) -> int:
    """Removes what the index has forgotten; returns how many pictures."""
    count = 0
    for part in store.hashes():
        gone = [id for id, hash in part.items() if not is_known(connection, hash)]
        if gone:
            store.remove(gone)
        count += len(gone)
    return count
