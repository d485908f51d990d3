"""A short name for the weights of a tower: the same in every layout, and in float32 as in float16."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import CheckpointError
from .info import Family, TextShape, VisionShape
from .layouts import TowerRow
from .properties import Properties
from .safetensors_header import DTYPE_BITS, Opener, TensorEntry, read_exactly

#: What is known of weights by their fingerprint. No fingerprint of a published model was at hand when this was written.
KNOWN: Mapping[str, Properties] = {}
_DIGITS = 16
#: Of a matrix only this many numbers of the first row are read.
_ROW = 1024
_NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


@dataclass(frozen=True)
class Sample:
    """The start of a tensor, by what it is for, not by its name."""

    role: str
    entry: TensorEntry
    count: int


def fingerprint(
    row: TowerRow,
    prefix: str,
    tensors: Mapping[str, TensorEntry],
    shape: VisionShape | TextShape,
    opener: Opener,
) -> str:
    """Of one tower: 16 hexadecimal digits of SHA-256 over its kind, its sizes, and a few kB of its weights."""
    digest = hashlib.sha256(f"{_kind(row.family)} {row.part} {_sizes(shape)}".encode())
    for sample in _samples(row, prefix, tensors, shape.layers):
        digest.update(f"|{sample.role} {sample.count}|".encode())
        digest.update(_halves(sample, opener))
    return digest.hexdigest()[:_DIGITS]


def joined(fingerprints: list[str]) -> str:
    """Of a whole model: those of its towers."""
    return "-".join(fingerprints)


def look_up(name: str, known: Mapping[str, Properties]) -> Properties:
    """What is known of a model, by the whole fingerprint or by that of one tower."""
    for key in (name, *name.split("-")):
        if key in known:
            return known[key]
    return Properties()


def _kind(family: Family) -> str:
    # what only the other tower tells is left out, so that a tower alone has the fingerprint of the same in a pair
    return "siglip" if family in ("siglip2", "naflex") else "clip" if family == "longclip" else family


def _sizes(shape: VisionShape | TextShape) -> str:
    if isinstance(shape, VisionShape):
        return f"{shape.width} {shape.layers} {shape.mlp} {shape.patch} {shape.tokens}"
    return f"{shape.width} {shape.layers} {shape.mlp} {shape.context} {shape.vocabulary}"


def _samples(row: TowerRow, prefix: str, tensors: Mapping[str, TensorEntry], layers: int) -> Iterator[Sample]:
    """Norms whole, the first row of matrices that training changes even where norms are left alone, the projection."""
    names = row.names
    wanted = [("final_norm", names.final_norm)]
    for index in sorted({0, layers // 2, layers - 1}):
        parts = zip(("norm", "query", "fc1"), names.block, strict=True)
        wanted += [(f"{role} {index}", f"{names.blocks}{index}.{name}") for role, name in parts]
    if _kind(row.family) == "clip":
        # its first number, which is the same in a layout that has it transposed
        entry = tensors.get(prefix + names.projection)
        if names.projection and entry is not None and entry.count:
            yield Sample("projection", entry, 1)
    for role, name in wanted:
        entry = tensors.get(prefix + name)
        if entry is not None and entry.shape and entry.count:
            yield Sample(role, entry, min(entry.shape[-1], _ROW))


def _halves(sample: Sample, opener: Opener) -> bytes:
    """The numbers as float16, of whatever type they are."""
    entry = sample.entry
    if entry.dtype != "BF16" and entry.dtype not in _NUMPY:
        return entry.dtype.encode()
    raw = _read(entry.path, entry.begin, sample.count * DTYPE_BITS[entry.dtype] // 8, opener)
    if entry.dtype == "BF16":
        numbers = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
    else:
        numbers = np.frombuffer(raw, _NUMPY[entry.dtype])
    with np.errstate(over="ignore", invalid="ignore"):
        return numbers.astype("<f2").tobytes()


def _read(path: Path, begin: int, count: int, opener: Opener) -> bytes:
    try:
        with opener(path) as file:
            file.seek(begin)
            return read_exactly(file, count, path)
    except OSError as error:
        raise CheckpointError(str(path), f"cannot be read ({error.strerror}); check the file") from error
