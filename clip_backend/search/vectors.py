"""The vectors of an index: rows of float32, appended to a file that is never written over and never shrinks.

The file of a generation begins with a block of 4,096 bytes that says what it holds. How many of its rows count is
known to the database alone, so that a row that was half written when a process ended is never seen.
"""

from __future__ import annotations

import hashlib
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...atomic import writing
from ...errors import InputError

Vectors = NDArray[np.float32]
#: Before the first row: the size of a page, so that rows of 1,024 dimensions never share one.
HEADER_BYTES = 4096
_MAGIC = b"CLIPGRID"
_VERSION = 1
#: Magic, version, numbers of a row, digest of the embedding space.
_HEADER = struct.Struct("<8sII16s")


def vector_file(folder: Path, generation: int) -> Path:
    """The name of the file of a generation."""
    return folder / f"vectors.{generation}.f32"


class VectorWriter:
    """Appends rows to the file of a generation; one process at a time, which holds the lock of the index.

    rows: that count, as the database says. Rows behind them, of a process that was ended before it committed, are
    written over. Raises InputError for a file of another space, OutputError if it cannot be written.
    """

    def __init__(self, path: Path, dim: int, space: str, rows: int) -> None:
        self.path, self.dim, self.space = path, dim, space
        with writing(path):
            # made if it is not there
            self._file: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)), "r+b")
        try:
            with writing(path):
                head = self._file.read(HEADER_BYTES)
                if not head:
                    self._file.write(_header(dim, space))
                elif len(head) < HEADER_BYTES and rows == 0:
                    # a process was ended while it made the file
                    self._file.seek(0)
                    self._file.write(_header(dim, space))
                else:
                    _check_header(head, path, dim, space)
            #: Rows that count.
            self.rows = min(rows, stored_rows(path, dim))
        except BaseException:
            self._file.close()
            raise

    def append(self, vectors: Vectors) -> int:
        """The number of the first of these rows [N, dim], which are on the disk when it returns.

        They count once the caller has written their numbers to the database; until then the next call writes over them.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise InputError(f"vectors have the shape {list(vectors.shape)}; this index has rows of {self.dim}")
        with writing(self.path):
            self._file.seek(HEADER_BYTES + self.rows * self.dim * 4)
            self._file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
            self._file.flush()
            os.fsync(self._file.fileno())
        return self.rows

    def commit(self, count: int) -> None:
        """Makes the last ``count`` appended rows count."""
        self.rows += count

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_vectors(path: Path, dim: int, space: str, rows: int) -> Vectors:
    """The first rows [rows, dim] of a file, mapped into memory and not to be written to.

    Raises InputError for a file that is gone, of another space, or shorter than that.
    """
    if rows == 0:
        # the file may not be made yet
        return np.empty((0, dim), np.float32)
    try:
        with open(path, "rb") as file:
            _check_header(file.read(HEADER_BYTES), path, dim, space)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); run clip-grid index again") from error
    there = stored_rows(path, dim)
    if there < rows:
        raise InputError(f"{path} has {there} rows of {rows}; run clip-grid index again, which computes the others")
    return np.memmap(path, "<f4", "r", HEADER_BYTES, (rows, dim))


def remove_other_generations(folder: Path, generation: int) -> None:
    """Removes the files of other generations, and what was derived from them."""
    kept = vector_file(folder, generation).name
    for path in folder.glob("vectors.*"):
        if path.name != kept and not path.name.startswith(f"vectors.{generation}."):
            # on Windows a file that a reader has mapped stays until the next time
            with suppress(OSError):
                path.unlink()


def stored_rows(path: Path, dim: int) -> int:
    """How many whole rows a file has."""
    try:
        return max(0, path.stat().st_size - HEADER_BYTES) // (dim * 4)
    except FileNotFoundError:
        return 0


def _header(dim: int, space: str) -> bytes:
    return _HEADER.pack(_MAGIC, _VERSION, dim, space_digest(space)).ljust(HEADER_BYTES, b"\0")


def _check_header(head: bytes, path: Path, dim: int, space: str) -> None:
    magic, version, stored_dim, digest = _HEADER.unpack(head[: _HEADER.size].ljust(_HEADER.size, b"\0"))
    if magic != _MAGIC:
        raise InputError(f"{path} is damaged or no file of vectors; remove the folder of the index and index again")
    if version > _VERSION:
        raise InputError(f"{path} was written by a newer CLIP Grid; update CLIP Grid")
    if (stored_dim, digest) != (dim, space_digest(space)):
        raise InputError(f"{path} holds vectors of another model; choose another folder for the index")


def space_digest(space: str) -> bytes:
    """The 16 bytes by which files of an index name their embedding space."""
    return hashlib.blake2b(space.encode(), digest_size=16).digest()
