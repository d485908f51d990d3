"""Folders of pictures for the tests of the index, and what the index holds of them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from clip_grid.clip_backend.search.database import FILE, path_text, read_settings
from clip_grid.clip_backend.search.thumbnails import make_thumbnail
from clip_grid.clip_backend.search.update import IndexUpdate, update_index
from clip_grid.clip_backend.search.vectors import read_vectors, vector_file
from clip_grid.clip_backend.search.writer import Description, IndexWriter
from PIL import Image

from .counting_encoder import DIM, CountingEncoder, vector_of

#: Seconds since 1970, long enough ago for a file to be settled.
LONG_AGO = 1_600_000_000


def draw(path: Path, color: int, changed: float = LONG_AGO) -> Path:
    """A small picture of its own color, changed long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 12), (color % 256, color // 256 % 256, 7)).save(path)
    os.utime(path, (changed, changed))
    return path


def describe(picture: object, content: object, image: Image.Image) -> Description:
    """Size, a property and a thumbnail."""
    return Description(*image.size, {"seed": str(image.getpixel((0, 0))[0]), "prompt": "a fox"}, make_thumbnail(image))


def update(index: Path, folders: Sequence[Path], encoder: CountingEncoder | None = None, **options) -> IndexUpdate:
    """One update by a fresh writer."""
    encoder = encoder or CountingEncoder()
    with IndexWriter(index) as writer:
        return update_index(writer, folders, lambda: (encoder, ""), describe, **options)


def stored(index: Path) -> dict[str, np.ndarray]:
    """The vector of each file that is not missing, by its path."""
    with closing(sqlite3.connect(index / FILE)) as connection:
        settings = read_settings(connection)
        vectors = read_vectors(
            vector_file(index, int(settings["generation"])), DIM, settings["space"], int(settings["rows"])
        )
        rows = connection.execute(
            "SELECT roots.path, folder, name, pictures.row FROM files JOIN roots ON roots.id = root"
            " JOIN pictures ON pictures.id = picture WHERE missing IS NULL AND pictures.row IS NOT NULL"
        )
        return {path_text(root, folder, name): np.array(vectors[row]) for root, folder, name, row in rows}


def query(index: Path, sql: str, *values: object) -> list[tuple]:
    """Rows of the index."""
    with closing(sqlite3.connect(index / FILE)) as connection:
        return connection.execute(sql, values).fetchall()


def check_whole(index: Path, files: Sequence[Path]) -> None:
    """Asserts that exactly these files are in the index, each with the vector of its content."""
    found = stored(index)
    assert sorted(found) == sorted(map(str, files))
    for path in files:
        vector = vector_of(path.read_bytes())
        np.testing.assert_allclose(found[str(path)], vector / np.linalg.norm(vector), rtol=1e-6)
