"""The header of a safetensors file: what tensors it holds and where they lie, without reading one of them."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, Literal

from ...errors import CheckpointError

#: Bytes, thirty times what a checkpoint of 2,500 tensors has. The format allows 100 MB, which take seconds to parse.
LONGEST_HEADER = 8_000_000
_LENGTH_BYTES = 8
_START_BYTES = 512
_MOST_DIMENSIONS = 16
#: Bits of one number.
DTYPE_BITS: Mapping[str, int] = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
#: Opens a file for reading bytes, without a buffer that would read more than is asked for.
Opener = Callable[[Path], BinaryIO]


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a file; ``begin`` and ``end`` are bytes from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int
    path: Path

    @property
    def count(self) -> int:
        """Numbers in it."""
        return prod(self.shape)


@dataclass(frozen=True)
class Header:
    """The tensors of one file by name, and the words that its writer left in ``__metadata__``."""

    path: Path
    tensors: Mapping[str, TensorEntry]
    metadata: Mapping[str, str]


def open_unbuffered(path: Path) -> BinaryIO:
    """The file, of which nothing is read ahead."""
    return open(path, "rb", buffering=0)


def read_header(path: Path, opener: Opener = open_unbuffered) -> Header:
    """The header of a file, checked: sizes, offsets, no overlap, no name twice.

    Raises CheckpointError that says what the file is instead, or what is wrong with it.
    """
    try:
        with opener(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            start = file.read(_START_BYTES)
            check_start(path, start, size)
            length = _header_length(path, start, size)
            text = _header_text(file, length, path)
    except OSError as error:
        raise CheckpointError(str(path), f"cannot be read ({error.strerror}); check the file") from error
    return _parsed(path, text, size)


def read_exactly(file: BinaryIO, count: int, path: Path) -> bytes:
    """That many bytes from where the file stands; CheckpointError if it ends before."""
    found = file.read(count)
    while len(found) < count:
        piece = file.read(count - len(found))
        if not piece:
            raise CheckpointError(str(path), "ended while it was read; is it being written? try again when it is done")
        found += piece
    return found


def _header_text(file: BinaryIO, length: int, path: Path) -> bytes:
    """Looked at from its end first, so that no hundred megabytes of rubbish are read."""
    file.seek(_LENGTH_BYTES + length - 1)
    if read_exactly(file, 1, path) not in (b"}", b" "):
        raise CheckpointError(str(path), "its header has no end; it is damaged, fetch it again")
    file.seek(_LENGTH_BYTES)
    return read_exactly(file, length, path)


def _header_length(path: Path, start: bytes, size: int) -> int:
    (length,) = struct.unpack_from("<Q", start)
    if start[_LENGTH_BYTES : _LENGTH_BYTES + 1] != b"{":
        raise CheckpointError(str(path), "no safetensors file and nothing else that is known; choose a model file")
    if length > LONGEST_HEADER:
        reason = f"its header claims {length:,} bytes, more than the {LONGEST_HEADER:,} that are allowed"
        raise CheckpointError(str(path), f"{reason}; it is damaged, fetch it again")
    if length > size - _LENGTH_BYTES:
        raise _cut_short(path, size, length + _LENGTH_BYTES)
    return int(length)


def _parsed(path: Path, text: bytes, size: int) -> Header:
    try:
        raw = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(str(path), f"its header is damaged ({_short(error)}); fetch it again") from error
    if not isinstance(raw, dict):
        raise CheckpointError(str(path), "its header is no list of tensors; fetch it again")
    metadata = raw.pop("__metadata__", None)
    data_start = _LENGTH_BYTES + len(text)
    tensors = {name: _entry(path, name, value, data_start) for name, value in raw.items()}
    if not tensors:
        raise CheckpointError(str(path), "a safetensors file without a tensor; fetch it again")
    _check_places(path, tensors, data_start, size)
    return Header(path, tensors, _strings(metadata))


def _entry(path: Path, name: str, value: object, data_start: int) -> TensorEntry:
    if not isinstance(value, dict):
        raise _damaged(path, name, "has no entry of type, shape and place")
    dtype, shape, place = value.get("dtype"), _sizes(value.get("shape")), _sizes(value.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or place is None:
        raise _damaged(path, name, "has no sound type, shape and place")
    if len(shape) > _MOST_DIMENSIONS or len(place) != 2 or place[0] > place[1]:
        raise _damaged(path, name, "has an impossible shape or place")
    bits = DTYPE_BITS.get(dtype)
    if bits is not None and (prod(shape) * bits + 7) // 8 != place[1] - place[0]:
        raise _damaged(path, name, f"takes {place[1] - place[0]} bytes, which does not fit {dtype} {list(shape)}")
    return TensorEntry(name, dtype, shape, data_start + place[0], data_start + place[1], path)


def _sizes(value: object) -> tuple[int, ...] | None:
    """A list of whole numbers that may count something; None for anything else."""
    if isinstance(value, list) and all(type(number) is int and 0 <= number < 2**63 for number in value):
        return tuple(value)
    return None


def _check_places(path: Path, tensors: Mapping[str, TensorEntry], data_start: int, size: int) -> None:
    """One after the other, from the header to the end of the file, as the format wants it."""
    here = data_start
    for entry in sorted(tensors.values(), key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != here:
            relation = "overlaps another" if entry.begin < here else "comes after a hole"
            raise _damaged(path, entry.name, relation)
        here = entry.end
    if here > size:
        raise _cut_short(path, size, here)
    if here < size:
        reason = f"has {size - here:,} bytes after its last tensor; it is damaged, fetch it again"
        raise CheckpointError(str(path), reason)


def _cut_short(path: Path, size: int, wanted: int) -> CheckpointError:
    return CheckpointError(str(path), f"cut short: {size:,} of at least {wanted:,} bytes are there; fetch it again")


def _damaged(path: Path, name: str, what: str) -> CheckpointError:
    return CheckpointError(str(path), f"its header is damaged: the tensor {name[:80]!r} {what}; fetch it again")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def _strings(metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict):
        return {}
    return {key: value for key, value in metadata.items() if isinstance(value, str)}


def _short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]


#: Files with weights that are read by nobody here, or only when the user asks for it.
ForeignKind = Literal["gguf", "zip", "old pickle"]
_LFS = b"version https://git-lfs"
_PAGE = re.compile(rb"\s*(<!doctype html|<html|<head|<\?xml)", re.IGNORECASE)
_MESSAGE = re.compile(rb"\s*[\[{]\s*\"?|(Invalid username|Entry not found|Repository not found|Access to model)")
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"RIFF", b"GIF8")
_ARCHIVES = {b"7z\xbc\xaf\x27\x1c": "a 7z archive", b"Rar!": "a rar archive", b"\x1f\x8b": "a gzip archive"}
_SMALLEST = 10


def foreign_kind(start: bytes) -> ForeignKind | None:
    """What kind of weights a file holds that begins with these bytes; None if none of another format."""
    if start[8:9] == b"{":
        return None  # the length of a header may look like anything
    if start.startswith(b"GGUF"):
        return "gguf"
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    # protocol 2 or newer of pickle, as torch.save wrote before it wrote zip files
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        return "old pickle"
    return None


def check_start(path: Path, start: bytes, size: int) -> None:
    """Raises CheckpointError if a file that begins so holds no weights at all, and says what it is."""
    reason = _what_it_is(start, size)
    if reason:
        raise CheckpointError(str(path), reason)


def _what_it_is(start: bytes, size: int) -> str:
    if size == 0:
        return "an empty file; its download broke off, fetch it again"
    if start.startswith(_LFS):
        return f"a Git LFS pointer of {size} bytes, not the model; run 'git lfs pull', or download the file itself"
    if _PAGE.match(start):
        return "a web page, not a model; its download led to a login or error page, fetch the file itself"
    if start[8:9] != b"{" and _MESSAGE.match(start):
        return "a text or JSON file, not a model; choose the file with the weights"
    if start.startswith(_PICTURES):
        return "a picture, not a model; choose the file with the weights"
    for magic, name in _ARCHIVES.items():
        if start.startswith(magic):
            return f"{name}, not a model; unpack it first"
    if not start.strip(b"\0"):
        return "begins with nothing but zeros; its download broke off, fetch it again"
    if size < _SMALLEST:
        return f"cut short: {size} bytes are there; fetch it again"
    return ""
