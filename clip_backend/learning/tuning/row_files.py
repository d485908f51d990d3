"""Rows of one shape on disk, in files of some rows each, which are mapped into memory."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....atomic import atomic_file, file_set, make_folder, unlisted
from ....errors import LimitError
from ....input_files import read_file
from ....json_text import JsonError, parse_object

#: Rows of one file: what is lost when the process is killed.
ROWS = 64
_MIB = 1 << 20
Array = NDArray[Any]


class RowFiles:
    """``count`` rows of a shape in a folder, each file of them whole or not there.

    key: what the rows depend on; files of another key are removed. Raises LimitError where the disk has no room, and
    OutputError where it cannot be written.
    """

    def __init__(self, folder: Path, key: str, count: int, shape: Sequence[int], dtype: type[np.generic]) -> None:
        self.folder, self.count, self.shape, self.dtype = folder, count, tuple(shape), np.dtype(dtype)
        #: Why some rows could not be computed, by row.
        self.failed: dict[int, str] = {}
        told = {"key": key, "count": count, "shape": list(shape), "dtype": self.dtype.name, "rows": ROWS}
        if self._told() != told:
            shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder)
        self._files: dict[int, Array] = {}
        self._check_room()
        with unlisted(), atomic_file(folder / "rows.json") as file:
            file.write(json.dumps(told).encode())

    @property
    def bytes(self) -> int:
        """Bytes of all rows on disk."""
        return self.count * int(np.prod(self.shape)) * self.dtype.itemsize

    def missing(self) -> list[range]:
        """The rows of the files that are not there yet."""
        parts = [range(start, min(start + ROWS, self.count)) for start in range(0, self.count, ROWS)]
        return [part for part in parts if not self._load(part.start // ROWS)]

    def write(self, rows: range, values: Array, failed: Mapping[int, str]) -> None:
        """The rows of one file; those that failed, with the reasons, are zeros."""
        number = rows.start // ROWS
        with unlisted(), file_set(self.folder) as files:
            with files.open(self._path(number)) as file:
                np.save(file, np.ascontiguousarray(values, self.dtype))
            with files.open(self._failed_path(number)) as file:
                file.write(json.dumps({str(row): reason for row, reason in failed.items()}).encode())
        self._load(number)

    def read(self, places: NDArray[np.int64]) -> Array:
        """The rows at these places [B, ...], in memory."""
        rows = np.empty((len(places), *self.shape), self.dtype)
        for index, place in enumerate(places):
            rows[index] = self._files[int(place) // ROWS][int(place) % ROWS]
        return rows

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npy"

    def _failed_path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def _told(self) -> dict[str, Any] | None:
        path = self.folder / "rows.json"
        try:
            return parse_object(read_file(path, "the rows")) if path.is_file() else None
        except JsonError:
            return None

    def _load(self, number: int) -> bool:
        """Maps a file; whether it is there, whole and of the right shape."""
        if number in self._files:
            return True
        rows = min(ROWS, self.count - number * ROWS)
        try:
            values = np.load(self._path(number), mmap_mode="r", allow_pickle=False)
            failed = parse_object(self._failed_path(number).read_bytes())
        except (OSError, ValueError):
            return False
        if values.shape != (rows, *self.shape) or values.dtype != self.dtype:
            return False
        self._files[number] = values
        self.failed |= {int(row): str(reason) for row, reason in failed.items()}
        return True

    def _check_room(self) -> None:
        there = sum(file.stat().st_size for file in os.scandir(self.folder))
        needed, free = self.bytes - there, shutil.disk_usage(self.folder).free
        if needed > free:
            raise LimitError(
                f"what the frozen blocks give takes {needed / _MIB:,.0f} MiB in {self.folder}, which has "
                f"{free / _MIB:,.0f} MiB free; free some space, choose a run folder on another disk, or fewer pictures"
            )
