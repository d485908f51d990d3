"""Fingerprints of weights, by numbers of their tensors: equal for equal weights, whatever their layout and float type.

Looking at a file reads a few tensors of every kind (``fingerprint``); loading a model reads of each (``identified``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .info import CheckpointInfo, Family, TextShape, VisionShape
from .safetensors_header import (
    DTYPE_BITS,
    Opener,
    TensorEntry,
    Tensors,
    open_unbuffered,
    read_exactly,
    read_header,
    reading,
)
from .weight_files import changed, file_states, member_digest
from .weight_names import TensorPart, TensorSource, tensor_sources

_DIGITS = 16
#: Numbers that are read at the beginning of a tensor, and when it is loaded also at its end.
_NUMBERS = 128
#: Numbers that are read on the diagonal of a matrix that some layouts have transposed.
_ON_DIAGONAL = 4
_NUMPY_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
_LAYER = re.compile(r"\.?layers?\.(\d+)\.")
_VISION, _TEXT, _SCALE = ("vision_model.", "visual_projection."), ("text_model.", "text_projection."), ("logit_",)
_PROJECTIONS = ("visual_projection.weight", "text_projection.weight")
_DINO = ("dinov2", "dinov3")
#: Two matrices in one, which transformers 5 has apart.
_HALVES = "mlp.weights_in."
_BUFFER = "position_ids"


@dataclass(frozen=True)
class Sample:
    """Numbers of one tensor."""

    #: How many numbers it has.
    count: int
    #: Those that were read, as they are in the file.
    raw: bytes
    #: The sample in float16, in which float32 and its rounded copies agree; other dtypes as they are.
    rounded: bytes


def fingerprint(info: CheckpointInfo, tensors: Tensors, opener: Opener) -> str:
    """The fingerprint of a model whose sizes are known: 16 hex digits per encoder and for the scale, with hyphens.

    It depends on every kind of tensor in the first and the last layer. An encoder alone has its part of the
    fingerprint of the whole model.
    """
    sources = {name: source for name, source in _sources(info, tensors).items() if _is_at_an_end(info, name)}
    return _joined(info, _samples(sources, tensors, opener, both_ends=False))


def identified(info: CheckpointInfo, opener: Opener = open_unbuffered) -> CheckpointInfo:
    """The model with the fingerprint and the digest of all its tensors, and the state of its files, as they are now.

    They are those of its own weights, without what was trained. Raises CheckpointError if it is not the model any more
    that ``info`` describes.
    """
    states = file_states(info.files)
    if info.is_pickle:
        digest = member_digest(info.files)
        return replace(info, states=states, digest=digest, fingerprint=digest[:_DIGITS])
    tensors: dict[str, TensorEntry] = {}
    for file in info.files:
        tensors |= read_header(file, opener)[0]
    if info.fingerprint and fingerprint(info, tensors, opener) != info.fingerprint:
        raise changed(info.path)
    samples = _samples(_sources(info, tensors), tensors, opener, both_ends=True)
    exact = hashlib.sha256(info.dtype.encode())
    for name in sorted(samples):
        exact.update(f"|{name} {samples[name].count}|".encode())
        exact.update(samples[name].raw)
    own = _joined(info, samples)
    space = f"{info.family}:{own}" if info.space == f"{info.family}:{info.fingerprint}" else info.space
    return replace(info, states=states, digest=exact.hexdigest(), fingerprint=own, space=space)


def _sources(info: CheckpointInfo, tensors: Tensors) -> dict[str, TensorSource]:
    """Where each weight of the model is, by the names of Hugging Face; those of DINO have the names of the file."""
    shapes = {name: entry.shape for name, entry in tensors.items()}
    if info.family not in _DINO:
        sources = tensor_sources(shapes, info.prefix)
    else:
        sources = {}
        for name in (name for name in shapes if name.startswith(info.prefix)):
            half = shapes[name][0] // 2 if _HALVES in name else None
            parts = (
                [TensorPart(name)] if half is None else [TensorPart(name, 0, half), TensorPart(name, half, 2 * half)]
            )
            sources |= {f"{name} {place}": TensorSource((part,)) for place, part in enumerate(parts)}
    return {name: source for name, source in sources.items() if _BUFFER not in name}


def _is_at_an_end(info: CheckpointInfo, name: str) -> bool:
    """Whether a tensor is in the first or the last layer, or in none."""
    layer = _LAYER.search(name)
    shape = info.text if name.startswith(_TEXT) else info.vision
    return layer is None or shape is None or int(layer[1]) in (0, shape.layers - 1)


def _samples(
    sources: Mapping[str, TensorSource], tensors: Tensors, opener: Opener, *, both_ends: bool
) -> dict[str, Sample]:
    """Samples by the names of the sources; read in file order, each file opened once."""

    def place(name: str) -> tuple[Path, int]:
        first = tensors[sources[name].parts[0].name]
        return first.path, first.begin

    samples = {}
    with ExitStack() as stack, np.errstate(over="ignore", invalid="ignore"):
        files: dict[Path, BinaryIO] = {}
        for name in sorted(sources, key=place):
            parts = [_Rows.of(tensors[part.name], part) for part in sources[name].parts]
            for part in parts:
                if part.entry.path not in files:
                    files[part.entry.path] = stack.enter_context(reading(part.entry.path, opener))
            total = sum(part.count for part in parts)
            spans = _diagonal(parts[0]) if name in _PROJECTIONS else _ends(total, both_ends)
            pieces = [piece for first, count in spans for piece in _read(parts, first, count, files)]
            rounded = b"".join(_rounded(raw, dtype) for raw, dtype in pieces)
            samples[name] = Sample(total, b"".join(raw for raw, _ in pieces), rounded)
    return samples


@dataclass(frozen=True)
class _Rows:
    """Neighbouring rows of a tensor of the file, as a run of numbers; of an unknown type, as a run of bytes."""

    entry: TensorEntry
    first: int
    count: int
    bits: int

    @classmethod
    def of(cls, entry: TensorEntry, part: TensorPart) -> _Rows:
        bits = DTYPE_BITS.get(entry.dtype)
        if bits is None:
            return cls(entry, 0, entry.end - entry.begin, 8)
        row = prod(entry.shape[1:])
        rows = entry.shape[0] if entry.shape else 1
        start, stop = min(part.start, rows), rows if part.stop is None else min(part.stop, rows)
        return cls(entry, start * row, (stop - start) * row, bits)


def _ends(total: int, both: bool) -> list[tuple[int, int]]:
    """First number and count of the runs that are read of so many."""
    if not both:
        return [(0, min(total, _NUMBERS))]
    return [(0, total)] if total <= 2 * _NUMBERS else [(0, _NUMBERS), (total - _NUMBERS, _NUMBERS)]


def _diagonal(matrix: _Rows) -> list[tuple[int, int]]:
    """The sample of the same values in a layout that stores the matrix transposed."""
    rows, columns = matrix.entry.shape if len(matrix.entry.shape) == 2 else (1, 1)
    last = min(rows, columns) - 1
    places = sorted({last * step // (_ON_DIAGONAL - 1) for step in range(_ON_DIAGONAL)})
    return [(place * columns + place, 1) for place in places if place >= 0]


def _read(
    parts: Iterable[_Rows], first: int, count: int, files: Mapping[Path, BinaryIO]
) -> Iterator[tuple[bytes, str]]:
    """Numbers of the parts one after the other, as bytes, each with its type."""
    for part in parts:
        start, stop = max(first, 0), min(first + count, part.count)
        if start < stop:
            entry, file = part.entry, files[part.entry.path]
            file.seek(entry.begin + (part.first + start) * part.bits // 8)
            yield read_exactly(entry.path, file, ((stop - start) * part.bits + 7) // 8), entry.dtype
        first -= part.count


def _rounded(raw: bytes, dtype: str) -> bytes:
    """Floating-point numbers in float16; others as they are."""
    if dtype == "BF16":
        numbers = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
    elif dtype in _NUMPY_TYPES:
        numbers = np.frombuffer(raw, _NUMPY_TYPES[dtype])
    else:
        return raw
    return numbers.astype("<f2").tobytes()


def _joined(info: CheckpointInfo, samples: Mapping[str, Sample]) -> str:
    parts = []
    for part, names, shape in (("vision", _VISION, info.vision), ("text", _TEXT, info.text)):
        if shape:
            own = [sample for name, sample in samples.items() if info.family in _DINO or name.startswith(names)]
            parts.append(_digest(f"{_kind(info.family)} {part} {_sizes(shape)}", own))
    scale = [sample for name, sample in samples.items() if name.startswith(_SCALE)]
    return "-".join([*parts, *([_digest("scale", scale)] if scale and parts else [])])


def _digest(what: str, samples: Iterable[Sample]) -> str:
    # without names, which the versions of transformers give in two ways to the tensors of DINO
    each = sorted(hashlib.sha256(f"{sample.count}|".encode() + sample.rounded).digest() for sample in samples)
    return hashlib.sha256(what.encode() + b"".join(each)).hexdigest()[:_DIGITS]


def _kind(family: Family) -> str:
    # only what this encoder itself determines, so that it has the same fingerprint alone and in a pair
    return "siglip" if family in ("siglip2", "naflex") else "clip" if family == "longclip" else family


def _sizes(shape: VisionShape | TextShape) -> str:
    own = (shape.patch, shape.tokens) if isinstance(shape, VisionShape) else (shape.context, shape.vocabulary)
    return " ".join(map(str, (shape.width, shape.layers, shape.mlp, *own)))
