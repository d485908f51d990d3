"""Files of the safetensors format that tests write: true to size without taking room, or tiny and real."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np

#: {name of a tensor: (type of its numbers, shape)}
Entries = Mapping[str, tuple[str, tuple[int, ...]]]
BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1}


def size_of(entry: tuple[str, tuple[int, ...]]) -> int:
    """Bytes of one tensor."""
    return BYTES[entry[0]] * prod(entry[1])


def header_of(entries: Entries, metadata: Mapping[str, str] | None = None) -> dict[str, object]:
    """The header as the format wants it, tensors one after the other."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, (dtype, shape) in entries.items():
        start, end = end, end + size_of((dtype, shape))
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    return header


def packed(header: object) -> bytes:
    """The header as it stands at the start of a file, padded to a multiple of eight bytes."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def write_header(
    path: Path,
    entries: Entries,
    metadata: Mapping[str, str] | None = None,
    fill: Mapping[str, bytes] | None = None,
) -> Path:
    """A file of full size whose tensors are a hole, which reads as zeros and takes no room on the disk.

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
    """A file of small tensors of normally distributed numbers, equal for equal seeds whatever their type is."""
    values = np.random.default_rng(seed)
    fill = {name: as_bytes(values.standard_normal(shape), dtype) for name, (dtype, shape) in entries.items()}
    return write_header(path, entries, metadata, fill)


def as_bytes(values: np.ndarray, dtype: str) -> bytes:
    """The numbers in the type of a tensor."""
    if dtype == "BF16":
        return (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    plain = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I8": "<i1", "U8": "<u1"}
    return values.astype(plain[dtype]).tobytes()
