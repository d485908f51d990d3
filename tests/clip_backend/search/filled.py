"""An index that is filled with given vectors and properties, without pictures and without a model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from clip_grid.clip_backend.encoding.features import unit_rows
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.tree import FoundFile
from clip_grid.clip_backend.search.writer import Description, IndexWriter, KeptFile

SPACE = "test space"


@dataclass
class Made:
    """A picture of an index: its files below the root, its vector and what is known of it."""

    path: str
    vector: Sequence[float] = (1.0, 0.0)
    properties: Mapping[str, str] = field(default_factory=dict)
    size: tuple[int, int] = (512, 512)
    mtime: float = 1_700_000_000.0
    #: Further paths with the same content.
    copies: Sequence[str] = ()


def fill(folder: Path, pictures: Sequence[Made], root: Path | None = None) -> Path:
    """Adds pictures to the index in a folder; root: where their paths lie, a folder beside it by default."""
    root = root or folder.parent / "pictures"
    root.mkdir(parents=True, exist_ok=True)
    if not pictures:
        return folder
    vectors = unit_rows(np.array([one.vector for one in pictures], np.float32), [one.path for one in pictures])
    with IndexWriter(folder) as writer:
        writer.bind(SPACE, vectors.shape[1], "a test model")
        id, below = writer.root_of(root)
        assert not below
        writer.keep(
            [
                KeptFile(id, found(path, one.mtime), hash_of(one.path), vector, Description(*one.size, one.properties))
                for one, vector in zip(pictures, vectors, strict=True)
                for path in (one.path, *one.copies)
            ]
        )
    return folder


def found(path: str, mtime: float) -> FoundFile:
    """A file as the walk of its root finds it."""
    folder, name = os.path.split(os.fsencode(path))
    return FoundFile(folder, name, 1, int(mtime * 1e9), "1", path, is_settled=True)


def hash_of(path: str) -> str:
    """The hash of the picture that was made with this path."""
    return os.fsencode(path).hex()


def made_path(hash: str) -> str:
    """The path that the picture with this hash was made with."""
    return os.fsdecode(bytes.fromhex(hash))


def names(index: Index, ids: Sequence[int]) -> list[str]:
    """The names of pictures as they were made, in the order of their ids."""
    pictures = index.pictures(ids)
    return [os.path.basename(made_path(pictures[int(id)].hash)) for id in ids]
