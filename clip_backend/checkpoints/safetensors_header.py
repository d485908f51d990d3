"""The header of a safetensors file: which tensors it holds and where they lie, without reading any of them.

The format: 8 bytes with the length of the header, the header in JSON, the tensors one after the other.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from ...errors import CheckpointError
from ...json_text import STRICT, JsonError, parse_object

#: Bytes, thirty times what a checkpoint of 2,500 tensors has. The format allows 100 MB, which take seconds to parse.
LONGEST_HEADER = 8_000_000
_LENGTH_BYTES = 8
_START_BYTES = 512
_SMALLEST_FILE = 10
_MOST_DIMENSIONS = 16
#: Bits of one number.
DTYPE_BITS: Mapping[str, int] = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
#: Opens a file for reading bytes.
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
        """How many numbers it has."""
        return prod(self.shape)


Tensors = Mapping[str, TensorEntry]


def open_unbuffered(path: Path) -> BinaryIO:
    """The file, without a buffer that would read more than is asked for."""
    return open(path, "rb", buffering=0)


@contextmanager
def reading(path: Path, opener: Opener = open_unbuffered) -> Iterator[BinaryIO]:
    """The open file; CheckpointError if it cannot be opened or read."""
    try:
        with opener(path) as file:
            yield file
    except OSError as error:
        raise CheckpointError(str(path), f"cannot be read ({error.strerror}); check the file") from error


def read_header(path: Path, opener: Opener = open_unbuffered) -> tuple[Tensors, Mapping[str, str]]:
    """The tensors of a file by name, checked (sizes, offsets, no overlap, no name twice), and its ``__metadata__``.

    Raises CheckpointError that says what the file is instead, or what is wrong with it.
    """
    with reading(path, opener) as file:
        start, size = read_start(path, file)
        (length,) = struct.unpack_from("<Q", start)
        if start[_LENGTH_BYTES : _LENGTH_BYTES + 1] != b"{":
            raise CheckpointError(str(path), "no safetensors file and nothing else that is known; choose a model file")
        if length > LONGEST_HEADER:
            reason = f"its header claims {length:,} bytes, more than the {LONGEST_HEADER:,} that are allowed"
            raise CheckpointError(str(path), f"{reason}; it is damaged, fetch it again")
        if length > size - _LENGTH_BYTES:
            raise _cut_short(path, size, length + _LENGTH_BYTES)
        # its last byte first, so that no hundred megabytes of rubbish are read
        file.seek(_LENGTH_BYTES + length - 1)
        if read_exactly(path, file, 1) not in (b"}", b" "):
            raise CheckpointError(str(path), "its header has no end; it is damaged, fetch it again")
        file.seek(_LENGTH_BYTES)
        text = read_exactly(path, file, length)
    return _parsed(path, text, size)


def read_start(path: Path, file: BinaryIO) -> tuple[bytes, int]:
    """The first 512 bytes and the size of a file; CheckpointError if it holds no weights of any format."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(_START_BYTES)
    if reason := _not_weights(start, size):
        raise CheckpointError(str(path), reason)
    return start, size


def read_exactly(path: Path, file: BinaryIO, count: int) -> bytes:
    """The next ``count`` bytes; CheckpointError if the file ends before."""
    data = file.read(count)
    while len(data) < count:
        piece = file.read(count - len(data))
        if not piece:
            raise CheckpointError(str(path), "ended while it was read; is it being written? try again when it is done")
        data += piece
    return data


def _parsed(path: Path, text: bytes, size: int) -> tuple[Tensors, Mapping[str, str]]:
    try:
        raw = parse_object(text, STRICT)
    except JsonError as error:
        raise CheckpointError(str(path), f"its header is damaged ({error}); fetch it again") from error
    metadata = raw.pop("__metadata__", None)
    texts = metadata if isinstance(metadata, dict) else {}
    data_start = _LENGTH_BYTES + len(text)
    tensors = {name: _entry(path, name, value, data_start) for name, value in raw.items()}
    if not tensors:
        raise CheckpointError(str(path), "a safetensors file without a tensor; fetch it again")
    # the format wants them one after the other, from the header to the end of the file
    end = data_start
    for entry in sorted(tensors.values(), key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != end:
            raise _damaged(path, entry.name, "overlaps another" if entry.begin < end else "comes after a hole")
        end = entry.end
    if end > size:
        raise _cut_short(path, size, end)
    if end < size:
        reason = f"has {size - end:,} bytes after its last tensor; it is damaged, fetch it again"
        raise CheckpointError(str(path), reason)
    return tensors, {key: value for key, value in texts.items() if isinstance(value, str)}


def _entry(path: Path, name: str, value: object, data_start: int) -> TensorEntry:
    if not isinstance(value, dict):
        raise _damaged(path, name, "has no entry of type, shape and place")
    dtype, shape, offsets = value.get("dtype"), _sizes(value.get("shape")), _sizes(value.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or offsets is None:
        raise _damaged(path, name, "has no sound type, shape and place")
    if len(shape) > _MOST_DIMENSIONS or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _damaged(path, name, "has an impossible shape or place")
    bits = DTYPE_BITS.get(dtype)
    if bits is not None and (prod(shape) * bits + 7) // 8 != offsets[1] - offsets[0]:
        raise _damaged(path, name, f"takes {offsets[1] - offsets[0]} bytes, which does not fit {dtype} {list(shape)}")
    return TensorEntry(name, dtype, shape, data_start + offsets[0], data_start + offsets[1], path)


def _sizes(value: object) -> tuple[int, ...] | None:
    """A list of whole numbers from 0 to 2^63 - 1; None for anything else."""
    if isinstance(value, list) and all(type(number) is int and 0 <= number < 2**63 for number in value):
        return tuple(value)
    return None


def _cut_short(path: Path, size: int, needed: int) -> CheckpointError:
    return CheckpointError(str(path), f"cut short: {size:,} of at least {needed:,} bytes are there; fetch it again")


def _damaged(path: Path, name: str, what: str) -> CheckpointError:
    return CheckpointError(str(path), f"its header is damaged: the tensor {name[:80]!r} {what}; fetch it again")


_LFS = b"version https://git-lfs"
_WEB_PAGE = re.compile(rb"\s*(<!doctype html|<html|<head|<\?xml)", re.IGNORECASE)
_MESSAGE = re.compile(rb"\s*[\[{]\s*\"?|(Invalid username|Entry not found|Repository not found|Access to model)")
_PICTURE = "a picture, not a model; choose the file with the weights"
_OTHER_STARTS = {
    b"\x89PNG\r\n": _PICTURE, b"\xff\xd8\xff": _PICTURE, b"RIFF": _PICTURE, b"GIF8": _PICTURE,
    b"7z\xbc\xaf\x27\x1c": "a 7z archive, not a model; unpack it first",
    b"Rar!": "a rar archive, not a model; unpack it first", b"\x1f\x8b": "a gzip archive, not a model; unpack it first",
}  # fmt: skip


def _not_weights(start: bytes, size: int) -> str:
    """What a file with this start is, with the cure, if it can hold no weights of any format; else empty."""
    if size == 0:
        return "an empty file; its download broke off, fetch it again"
    if start.startswith(_LFS):
        return f"a Git LFS pointer of {size} bytes, not the model; run 'git lfs pull', or download the file itself"
    if _WEB_PAGE.match(start):
        return "a web page, not a model; its download led to a login or error page, fetch the file itself"
    if start[8:9] != b"{" and _MESSAGE.match(start):
        return "a text or JSON file, not a model; choose the file with the weights"
    for other, reason in _OTHER_STARTS.items():
        if start.startswith(other):
            return reason
    if not start.strip(b"\0"):
        return "begins with nothing but zeros; its download broke off, fetch it again"
    return f"cut short: {size} bytes are there; fetch it again" if size < _SMALLEST_FILE else ""
