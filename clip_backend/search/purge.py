"""What an index forgets on request: files that are gone, pictures without files, and the holes that they leave."""

from __future__ import annotations

import time
from contextlib import suppress

import numpy as np

from ..encoding.store_file import transaction
from .database import PROMPT_COLUMNS, PROMPTS, read_settings, translated, write_settings
from .keywords import indexed_text
from .thumbnails import remove_thumbnail
from .vectors import VectorWriter, read_vectors, remove_other_generations, vector_file
from .writer import IndexWriter

#: The file of vectors is made anew without its holes once they are more than this share of it.
MOST_HOLES = 0.25
#: Rows that are copied at a time then.
_COPIED_AT_ONCE = 65_536


def purge(writer: IndexWriter, *, older_than_s: float = 0.0) -> int:
    """Forgets files that have been missing for longer, and pictures without files; returns how many files."""
    limit = time.time() - older_than_s
    with translated(writer.folder):
        with transaction(writer.connection):
            purged = writer.connection.execute("DELETE FROM files WHERE missing <= ?", (limit,)).rowcount
            forgotten = _forget_pictures(writer)
        for hash in forgotten:
            remove_thumbnail(writer.folder, hash)
        _compact(writer)
    return purged


def _forget_pictures(writer: IndexWriter) -> list[str]:
    """Removes pictures without files; returns their hashes."""
    rows = writer.connection.execute(
        "SELECT id, hash FROM pictures WHERE id NOT IN (SELECT picture FROM files WHERE picture IS NOT NULL)"
    ).fetchall()
    for picture, _ in rows:
        texts = dict(writer.connection.execute("SELECT name, text FROM properties WHERE picture = ?", (picture,)))
        prompts = [indexed_text(texts.get(name, "")) for name in PROMPT_COLUMNS]
        if writer.has_full_text and any(prompts):
            # a table without content must be told what to forget
            writer.connection.execute(
                f"INSERT INTO prompts (prompts, rowid, {PROMPTS}) VALUES ('delete', ?, ?, ?)", (picture, *prompts)
            )
        writer.connection.execute("DELETE FROM properties WHERE picture = ?", (picture,))
        writer.connection.execute("DELETE FROM pictures WHERE id = ?", (picture,))
    return [hash for _, hash in rows]


def _compact(writer: IndexWriter) -> None:
    """Makes the file of vectors anew where much of it is holes; readers go on with the old one."""
    if writer.vectors is None:
        return
    rows = [row for (row,) in writer.connection.execute("SELECT row FROM pictures WHERE row IS NOT NULL ORDER BY 1")]
    holes = writer.vectors.rows - len(rows)
    if holes <= MOST_HOLES * writer.vectors.rows:
        return
    settings = read_settings(writer.connection)
    space, generation, old = settings["space"], int(settings["generation"]) + 1, writer.vectors
    path = vector_file(writer.folder, generation)
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
        with transaction(writer.connection):
            # rows are unique: none may meet another's new number on the way
            writer.connection.execute("UPDATE pictures SET row = -1 - row WHERE row IS NOT NULL")
            writer.connection.executemany(
                "UPDATE pictures SET row = ? WHERE row = ?", [(place, -1 - row) for place, row in enumerate(rows)]
            )
            write_settings(writer.connection, generation=generation, rows=len(rows))
    except BaseException:
        new.close()
        raise
    writer.vectors = new
    old.close()
    del stored
    remove_other_generations(writer.folder, generation)
    writer.quantize()
