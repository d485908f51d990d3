"""The pictures of an index as one safetensors file, from which another index takes them without computing anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic import atomic_file
from ...errors import InputError
from ...json_text import JsonError, parse_json
from .database import open_for_reading, read_settings, translated
from .thumbnails import is_hash
from .vectors import read_vectors, vector_file
from .writer import Description, IndexWriter

_FORMAT = "clip-grid index 1"
#: Pictures that are kept in one transaction.
_AT_ONCE = 1000
#: Pixels of a side; above the largest that any picture format can name.
_LARGEST_SIDE = 2**32
#: How much the length of a unit vector of float32 may differ from 1.
_LENGTH_ERROR = 1e-3
#: Commas, colons and brackets of a picture: some for each name of its generation data, and those in its prompts.
_MOST_MARKS = 20_000


def export_index(folder: Path, target: Path) -> int:
    """Writes vectors, sizes and generation data of all pictures, by the hash of their contents; returns how many.

    The file has the tensor ``vectors`` [N, dim] and, in its metadata, ``pictures``: a JSON list of N objects. It holds
    no paths and no thumbnails. Raises InputError for an index without pictures, OutputError if it cannot be written.
    """
    from safetensors.numpy import save

    with closing(open_for_reading(folder)) as connection, translated(folder):
        settings = read_settings(connection)
        rows = connection.execute(
            "SELECT id, hash, row, width, height FROM pictures WHERE row IS NOT NULL ORDER BY row"
        ).fetchall()
        if not rows:
            raise InputError(f"the index in {folder} holds no pictures; run clip-grid index first")
        dim, space = int(settings["dim"]), settings["space"]
        path = vector_file(folder, int(settings["generation"]))
        stored = read_vectors(path, dim, space, int(settings["rows"]))
        vectors = np.ascontiguousarray(stored[[row for _, _, row, _, _ in rows]])
        pictures = [
            {"hash": hash, "width": width, "height": height, "properties": _properties(connection, id)}
            for id, hash, _, width, height in rows
        ]
    metadata = {"format": _FORMAT, "space": space, "model": settings["model"], "pictures": json.dumps(pictures)}
    with atomic_file(target) as file:
        file.write(save({"vectors": vectors}, metadata))
    return len(rows)


@dataclass(frozen=True)
class ExportedPictures:
    """What an exported file holds; a vector per picture."""

    source: Path
    space: str
    #: The model's name for users.
    model: str
    #: The hash of each picture, and what is known of it.
    pictures: Sequence[tuple[str, Description]]
    #: [N, dim] float32, of length 1.
    vectors: np.ndarray[Any, np.dtype[np.float32]]


def read_exported(source: Path) -> ExportedPictures:
    """The pictures of a file that ``export_index`` wrote; raises InputError for a damaged one or another kind."""
    vectors, metadata = _read(source)
    try:
        pictures = parse_json(metadata["pictures"], max_marks=_MOST_MARKS * (len(vectors) + 1))
        found = [_picture(one) for one in pictures]
    except JsonError as error:
        raise InputError(f"{source} is damaged ({error}); export it again") from error
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{source} is damaged ({error!r}); export it again") from error
    if len(found) != len(vectors):
        raise InputError(f"{source} is damaged: it has {len(vectors)} vectors of {len(found)} pictures")
    return ExportedPictures(source, metadata["space"], metadata.get("model", source.name), found, vectors)


def import_index(writer: IndexWriter, exported: ExportedPictures) -> int:
    """Takes the exported pictures that the index does not have; returns how many it took.

    They are shown once a file of that content is found in an indexed folder, which then costs no computing.
    Raises InputError for vectors of another embedding space than that of the index.
    """
    source, found, vectors = exported.source, exported.pictures, exported.vectors
    bound = writer.settings()
    if bound and bound["space"] == exported.space and int(bound["dim"]) != vectors.shape[1]:
        raise InputError(f"{source} is damaged: its vectors have {vectors.shape[1]} dimensions, not {bound['dim']}")
    writer.bind(exported.space, vectors.shape[1], exported.model)
    return sum(
        writer.keep_pictures(found[start : start + _AT_ONCE], vectors[start : start + _AT_ONCE])
        for start in range(0, len(found), _AT_ONCE)
    )


def _properties(connection: Any, picture: int) -> dict[str, str]:
    return dict(connection.execute("SELECT name, text FROM properties WHERE picture = ? ORDER BY name", (picture,)))


def _read(source: Path) -> tuple[np.ndarray[Any, np.dtype[np.float32]], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(source), framework="np") as file:
            metadata = dict(file.metadata() or {})
            if metadata.get("format") != _FORMAT or "space" not in metadata:
                raise InputError(f"{source} was not written by clip-grid index --export")
            vectors = file.get_tensor("vectors")
    except (OSError, SafetensorError) as error:
        raise InputError(f"{source} cannot be read ({error}); give a file of clip-grid index --export") from error
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise InputError(f"{source} is damaged: its vectors are {vectors.dtype} {vectors.shape}; export it again")
    lengths = np.linalg.norm(vectors, axis=1)
    if not (np.abs(lengths - 1) <= _LENGTH_ERROR).all():
        # others would be ahead of all that the index holds
        raise InputError(f"{source} is damaged: its vectors have lengths other than 1; export it again")
    return vectors, metadata


def _picture(one: dict[str, Any]) -> tuple[str, Description]:
    properties = {str(name): str(text) for name, text in one["properties"].items()}
    sides = int(one["width"]), int(one["height"])
    if not is_hash(str(one["hash"])):
        raise ValueError(f"{one['hash']!r} is no hash of a picture")
    if not all(0 <= side <= _LARGEST_SIDE for side in sides):
        raise ValueError(f"no picture has {sides[0]} x {sides[1]} pixels")
    return str(one["hash"]), Description(*sides, properties)
