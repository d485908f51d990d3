"""Safetensors files for tests: sparse ones of full size, tiny ones with numbers, and how much of them is read."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

#: {name of a tensor: (dtype, shape)}
Entries = Mapping[str, tuple[str, tuple[int, ...]]]
BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1}
#: A type of one byte that is not known yet.
BYTES["F5_NEW"] = 1


def size_of(entry: tuple[str, tuple[int, ...]]) -> int:
    """Bytes of one tensor."""
    return BYTES[entry[0]] * prod(entry[1])


def header_of(entries: Entries, metadata: Mapping[str, str] | None = None) -> dict[str, object]:
    """A valid header, with the tensors one after the other."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, (dtype, shape) in entries.items():
        start, end = end, end + size_of((dtype, shape))
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    return header


def packed(header: object) -> bytes:
    """The start of a file with this header, padded to a multiple of eight bytes."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def write_sparse(
    path: Path,
    entries: Entries,
    metadata: Mapping[str, str] | None = None,
    fill: Mapping[str, bytes] | None = None,
) -> Path:
    """A file of full size whose tensors read as zeros and take no space on the disk.

    fill: the first bytes of some tensors.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    start = packed(header_of(entries, metadata))
    offset = len(start)
    with path.open("wb") as file:
        file.write(start)
        file.truncate(offset + sum(map(size_of, entries.values())))
        for name, entry in entries.items():
            if fill and name in fill:
                file.seek(offset)
                file.write(fill[name])
            offset += size_of(entry)
    return path


def write_tensors(path: Path, entries: Entries, metadata: Mapping[str, str] | None = None, *, seed: int = 0) -> Path:
    """A file of normally distributed numbers, the same for one seed in every dtype."""
    values = np.random.default_rng(seed)
    fill = {name: as_bytes(values.standard_normal(shape), dtype) for name, (dtype, shape) in entries.items()}
    return write_sparse(path, entries, metadata, fill)


def as_bytes(values: np.ndarray, dtype: str) -> bytes:
    """The numbers as a safetensors dtype stores them."""
    if dtype == "BF16":
        return (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    plain = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I8": "<i1", "U8": "<u1"}
    return values.astype(plain[dtype]).tobytes()


class CountingOpener:
    """Opens files without a buffer, and counts the bytes and reads."""

    def __init__(self) -> None:
        self.bytes = self.reads = 0

    def __call__(self, path: Path) -> BinaryIO:
        counter = self

        class Counted(io.FileIO):
            def read(self, size: int = -1, /) -> bytes:
                data = super().read(size)
                counter.bytes += len(data)
                counter.reads += 1
                return data

        return Counted(path)
