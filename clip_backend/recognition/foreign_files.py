"""Files that are no safetensors: told by their first bytes and the names inside a zip, nothing of them is loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from ...errors import CheckpointError

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
