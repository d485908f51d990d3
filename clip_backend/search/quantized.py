"""The vectors of an index in int8, a quarter as large: what a first pass reads in place of them.

``vectors.N.i8`` is derived from ``vectors.N.f32``, block by block of 4,096 rows: of each row less one mean vector, with
one scale a row, and with the norm of what that loses. Rows behind the last whole block are not in it.
``vectors.N.moments`` has the sums and products of the numbers of these rows, from which the mean and the deviation of
the cosines with any vector follow. The process that writes the index writes both, first the blocks, then the moments,
which name them. A reader that finds anything amiss does without them, and the next update makes them anew; they may be
removed at any time.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...log import logger
from .vectors import Vectors, VectorWriter, read_vectors, space_digest

Float64s = NDArray[np.float64]
Blocks = NDArray[np.void]
#: Rows of a block: the last ones of an index, of which float32 is read, are fewer.
ROWS = 4096
#: Blocks between two writes of the moments while many are made.
_AT_ONCE = 64
#: Rows that the mean vector is computed from.
_SAMPLE = 65_536
#: Rounding error of the norms of a row in float32.
_ROUNDING = 1e-6
_MAGIC, _MOMENTS_MAGIC, _VERSION = b"CLIPGRI8", b"CLIPGRMO", 1
#: Magic, version, numbers of a row, rows of a block, digest of the embedding space.
_HEADER = struct.Struct("<8sIII16s")
#: Magic, version, blocks, checksum of the blocks' checksums, checksum of what follows.
_MOMENTS = struct.Struct("<8sIIII")
_PAGE = 4096
#: Bytes of the end of a block: its checksum, and nothing.
_END = 64


@dataclass(frozen=True, eq=False)
class Quantized:
    """The first rows of an index in int8: row = mean + scale * int8 + what has at most the norm ``error``."""

    #: float32 [dim].
    mean: Vectors
    #: Each with "rows" int8 [R, dim], and "scales", "errors" and "norms" (of scale * int8) float32 [R]; mapped.
    blocks: Blocks
    #: Over all rows less the mean vector: their sum [dim], and the sum of their outer products [dim, dim].
    total: Float64s
    products: Float64s
    #: Tells the file from one that was made anew.
    file: tuple[str, int, int]

    @property
    def block_rows(self) -> int:
        """Rows of a block."""
        return int(self.blocks.dtype["rows"].shape[0])

    @property
    def count(self) -> int:
        """How many rows of the index it has."""
        return len(self.blocks) * self.block_rows


def quantized_file(vectors: Path) -> Path:
    """The name of the int8 file of a file of vectors."""
    return vectors.with_suffix(".i8")


def moments_file(vectors: Path) -> Path:
    """The name of the file of its moments."""
    return vectors.with_suffix(".moments")


def remove_quantized(vectors: Path) -> None:
    """Removes both."""
    for path in (moments_file(vectors), quantized_file(vectors)):
        # on Windows a file that a reader has mapped stays, and is found not to fit
        with suppress(OSError):
            path.unlink()


def is_usable() -> bool:
    """Whether numkong, which has the products of int8 vectors, is installed and runs here."""
    try:
        import_module("numkong")
    except ImportError:
        return False
    return True


def read_quantized(path: Path, space: str, vectors: Vectors, last: Quantized | None = None) -> Quantized | None:
    """What of the rows of a file of vectors is there in int8; None if nothing is, and where it does not fit them.

    vectors: float32 [rows, dim], the rows of that file. last: what was read before; its blocks are not checked again.
    """
    dim = vectors.shape[1]
    try:
        named = _read_moments(moments_file(path), dim)
        with open(quantized_file(path), "rb") as file:
            head, place = file.read(_header_size(dim)), os.fstat(file.fileno())
            rows = _block_rows(head, dim, space)
            if named is None or not rows or not 0 < named.blocks <= len(vectors) // rows:
                return None
            # raises ValueError for a file that is shorter
            blocks: Blocks = np.asarray(np.memmap(file, block_type(rows, dim), "r", len(head), (named.blocks,)))
    except (OSError, ValueError):
        # never made, removed, torn, or being made anew
        return None
    mean = np.frombuffer(head, "<f4", dim, _HEADER.size)
    file_id = (str(path), place.st_dev, place.st_ino)
    known = len(last.blocks) if last and last.file == file_id and np.array_equal(last.mean, mean) else 0
    if _checksum_of(blocks) != named.checksum or not _are_whole(blocks, vectors, known):
        return None
    return Quantized(mean, blocks, named.total, named.products, file_id)


class QuantizedWriter:
    """Keeps the int8 file in step with a file of vectors; one process at a time, the one that writes the index."""

    def __init__(self, vectors: VectorWriter) -> None:
        self.vectors = vectors
        self._path = quantized_file(vectors.path)
        #: None until the file was looked at.
        self._state: _Moments | None = None
        self._mean: Vectors = np.empty(0, np.float32)
        self._has_failed = False

    def update(self) -> None:
        """Adds the rows that count by now, as far as they fill blocks.

        Where the file cannot be written, that is logged once: searches are then slower, and nothing is lost.
        """
        if self._has_failed or self.vectors.rows // ROWS <= (self._state.blocks if self._state else 0):
            return
        try:
            self._update()
        except OSError as error:
            self._has_failed = True
            logger.warning("%s cannot be written (%s); searches are slower without it", self._path, error)

    def _update(self) -> None:
        path, dim, rows = self.vectors.path, self.vectors.dim, self.vectors.rows
        vectors = np.asarray(read_vectors(path, dim, self.vectors.space, rows))
        if self._state is None:
            self._state = self._found(vectors) or self._begun(vectors)
        state, kind = self._state, block_type(ROWS, dim)
        while state.blocks < rows // ROWS:
            with open(self._path, "r+b") as file:
                file.seek(_header_size(dim) + state.blocks * kind.itemsize)
                for _ in range(min(_AT_ONCE, rows // ROWS - state.blocks)):
                    own = vectors[state.blocks * ROWS : (state.blocks + 1) * ROWS]
                    file.write(_add_block(state, own, self._mean, kind).tobytes())
            _write_moments(moments_file(path), state)

    def _found(self, vectors: Vectors) -> _Moments | None:
        """What an earlier process has written; None if that has to be made anew."""
        found = read_quantized(self.vectors.path, self.vectors.space, vectors)
        if found is None or found.block_rows != ROWS:
            return None
        self._mean = found.mean
        return _Moments(len(found.blocks), _checksum_of(found.blocks), found.total, found.products)

    def _begun(self, vectors: Vectors) -> _Moments:
        dim = self.vectors.dim
        sample = vectors[:: max(1, len(vectors) // _SAMPLE)]
        self._mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
        for path in (moments_file(self.vectors.path), self._path):
            # a reader may have mapped it: it is not written over
            path.unlink(missing_ok=True)
        head = _HEADER.pack(_MAGIC, _VERSION, dim, ROWS, space_digest(self.vectors.space))
        self._path.write_bytes((head + self._mean.astype("<f4").tobytes()).ljust(_header_size(dim), b"\0"))
        return _Moments(0, 0, np.zeros(dim), np.zeros((dim, dim)))


def block_type(rows: int, dim: int) -> np.dtype[np.void]:
    """A block of the file: its rows, the vectors of its first and last row as they were, and its checksum."""
    return np.dtype(
        [
            ("rows", np.int8, (rows, dim)), ("scales", "<f4", (rows,)), ("errors", "<f4", (rows,)),
            ("norms", "<f4", (rows,)), ("ends", "<f4", (2, dim)), ("checksum", "<u4"), ("", np.void, _END - 4),
        ]
    )  # fmt: skip


@dataclass
class _Moments:
    """The file beside the blocks."""

    blocks: int
    #: Over the checksums of the blocks.
    checksum: int
    total: Float64s
    products: Float64s


def _add_block(state: _Moments, vectors: Vectors, mean: Vectors, kind: np.dtype[np.void]) -> Blocks:
    """The next block [1], of which the moments know from then on."""
    block: Blocks = np.zeros(1, kind)
    own = block[0]
    centred = vectors - mean
    scales = np.abs(centred).max(axis=1) / np.float32(127)
    # a row that is the mean vector has no scale
    rows = np.rint(centred / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    back = rows * scales[:, None]
    own["rows"], own["scales"] = rows, scales
    own["errors"] = np.linalg.norm(centred - back, axis=1) * (1 + 1e-4) + _ROUNDING
    own["norms"] = np.linalg.norm(back, axis=1) * (1 + 1e-4)
    own["ends"] = vectors[[0, -1]]
    block["checksum"] = _checksum(block, state.blocks)
    state.blocks += 1
    state.checksum = zlib.crc32(block["checksum"].tobytes(), state.checksum)
    state.total += centred.sum(axis=0, dtype=np.float64)
    state.products += centred.T @ centred
    return block


def _checksum(block: Blocks, number: int) -> int:
    """The checksum of a block [1] at its place in the file."""
    return zlib.crc32(block.view(np.uint8)[:-_END].data, number)


def _checksum_of(blocks: Blocks) -> int:
    return zlib.crc32(np.ascontiguousarray(blocks["checksum"]).tobytes())


def _are_whole(blocks: Blocks, vectors: Vectors, known: int) -> bool:
    """Whether blocks are as they were written, and made from these vectors; the first ``known`` are as they were."""
    rows = blocks.dtype["rows"].shape[0]
    for number in range(len(blocks)):
        ends = vectors[[number * rows, (number + 1) * rows - 1]]
        if not np.array_equal(blocks[number]["ends"], ends):
            return False
        if number >= known and _checksum(blocks[number : number + 1], number) != blocks[number]["checksum"]:
            return False
    return True


def _header_size(dim: int) -> int:
    return -(-(_HEADER.size + 4 * dim) // _PAGE) * _PAGE


def _block_rows(head: bytes, dim: int, space: str) -> int:
    """Rows of a block of the file that begins so; 0 for a file of other vectors."""
    if len(head) < _header_size(dim):
        return 0
    magic, version, stored_dim, rows, digest = _HEADER.unpack(head[: _HEADER.size])
    return int(rows) if (magic, version, stored_dim, digest) == (_MAGIC, _VERSION, dim, space_digest(space)) else 0


def _read_moments(path: Path, dim: int) -> _Moments | None:
    data = path.read_bytes()
    if len(data) != _MOMENTS.size + 8 * dim * (dim + 1):
        return None
    magic, version, blocks, checksum, own = _MOMENTS.unpack(data[: _MOMENTS.size])
    if (magic, version) != (_MOMENTS_MAGIC, _VERSION) or zlib.crc32(data[_MOMENTS.size :]) != own:
        return None
    numbers = np.frombuffer(data, "<f8", offset=_MOMENTS.size).copy()
    return _Moments(blocks, checksum, numbers[:dim], numbers[dim:].reshape(dim, dim))


def _write_moments(path: Path, state: _Moments) -> None:
    data = state.total.astype("<f8").tobytes() + state.products.astype("<f8").tobytes()
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(_MOMENTS.pack(_MOMENTS_MAGIC, _VERSION, state.blocks, state.checksum, zlib.crc32(data)) + data)
    os.replace(part, path)
