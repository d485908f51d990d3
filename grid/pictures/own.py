"""The record in a sheet of this program, by which it is known: a file that only mentions the program is not ours."""

from __future__ import annotations

import mmap
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import PictureError
from ...imaging import header_of_any_size
from ...json_text import JsonError, parse_object
from .metadata import embedded_texts

#: Key of our own record in a sheet's metadata.
RECORD_KEY = "clip_grid"
SOFTWARE = "CLIP Grid"
_HTML_RECORD = b'\n<script type="application/json" id="embedded-clip_grid">'
_PDF_ATTACHMENT, _PDF_STREAM = b"/EmbeddedFile\n", re.compile(rb"[^>]*>>\s*stream\r?\n")
#: No record is longer, and no sheet has more attachments.
_LONGEST, _MOST_ATTACHMENTS = 1 << 20, 100


@dataclass(frozen=True)
class SheetRecord:
    """What a sheet's record says of its file: which page of how many it is, from 0."""

    page: int
    pages: int


def sheet_record_of(path: Path) -> SheetRecord | None:
    """The record of a sheet of any format and size; None for every other file, and for one that cannot be read."""
    if not os.path.isfile(path):
        return None
    suffix = path.suffix.lower()
    if suffix in (".html", ".htm", ".pdf"):
        find = _pdf_texts if suffix == ".pdf" else _html_texts
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return next(filter(None, map(_parsed, find(data))), None)
        except (OSError, ValueError):
            return None
    try:
        with header_of_any_size(path) as image:
            # a PNG has it in a chunk of its own, and most pictures of a folder are PNG: EXIF and XMP are not read
            return record_in(image.info if image.format == "PNG" else embedded_texts(image))
    except PictureError:
        return None


def record_in(texts: Mapping[Any, Any]) -> SheetRecord | None:
    """The record among the texts embedded in a picture."""
    text = texts.get(RECORD_KEY, "")
    return _parsed(text) if text and isinstance(text, str) else None


def is_clip_grid_sheet(path: Path) -> bool:
    """Whether the file is a sheet of this program."""
    return sheet_record_of(path) is not None


def _parsed(text: str | bytes) -> SheetRecord | None:
    try:
        record = parse_object(text)
    except JsonError:
        return None
    if not {"format", "page", "pages", "grid"} <= record.keys():
        return None
    page, pages = record["page"], record["pages"]
    return SheetRecord(page, pages) if type(page) is int and type(pages) is int else None


def _html_texts(data: mmap.mmap) -> Iterator[bytes]:
    at = data.rfind(_HTML_RECORD)
    if at >= 0:
        start = at + len(_HTML_RECORD)
        yield data[start : start + _LONGEST].partition(b"</script>")[0]


def _pdf_texts(data: mmap.mmap) -> Iterator[bytes]:
    at = 0
    for _ in range(_MOST_ATTACHMENTS):
        if (at := data.find(_PDF_ATTACHMENT, at + 1)) < 0:
            return
        if stream := _PDF_STREAM.match(data, at):
            try:
                yield zlib.decompressobj().decompress(data[stream.end() : stream.end() + _LONGEST], _LONGEST)
            except zlib.error:
                continue
