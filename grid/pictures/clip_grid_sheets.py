"""How sheets that this program made are recognised, among pictures and where a new sheet is to be written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ...errors import PictureError
from ...imaging import open_picture
from .metadata import embedded_texts

#: Key of our own record in a sheet's metadata.
RECORD_KEY = "clip_grid"
SOFTWARE = "CLIP Grid"
_DOCUMENTS = (".pdf", ".html", ".htm")
#: The record as it stands in PNG texts and in TIFF tags; PNG has it at the head of a file, TIFF at its end.
_RAW_RECORDS = (b"clip_grid\0", b"clip_grid:{")
_HEAD_BYTES, _TAIL_BYTES = 1 << 20, 1 << 20


def is_clip_grid_sheet(path: Path) -> bool:
    """Whether the file is a sheet of this program; also when it has more pixels than this program reads.

    Raises OSError when the file cannot be read.
    """
    if path.suffix.lower() in _DOCUMENTS:
        return SOFTWARE.encode() in _head_and_tail(path)
    try:
        with open_picture(path) as image:
            return has_sheet_record(embedded_texts(image))
    except PictureError:
        data = _head_and_tail(path) if path.is_file() else b""
        return any(record in data for record in _RAW_RECORDS)


def has_sheet_record(texts: Mapping[str, str]) -> bool:
    """Whether the texts embedded in a picture mark it as a sheet of this program."""
    return RECORD_KEY in texts or texts.get("Software", "").startswith(SOFTWARE)


def _head_and_tail(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return head + file.read()
