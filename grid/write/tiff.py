"""Writing the bands of a page as a TIFF of deflated strips, on all cores and without holding the page in memory."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from types import MappingProxyType
from typing import BinaryIO

from ...arrays import Pixels
from ...errors import InputError, LimitError
from ..bands import PageShape, Scratch, map_in_order, recut
from .deflate import END, HEADER, Engine, deflate_rows, fastest_engine, left_differences

#: Larger pages get 64-bit offsets, since their file could pass 4 GiB if nothing can be compressed.
CLASSIC_BYTES = 2**32 - 2**26
LONGEST_SIDE = 2**32 - 1
NO_TAGS: Mapping[int, str] = MappingProxyType({})
IMAGE_WIDTH, IMAGE_LENGTH, BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES_PER_PIXEL, ROWS_PER_STRIP, STRIP_BYTE_COUNTS = 273, 277, 278, 279
PLANAR_CONFIGURATION, PREDICTOR, EXTRA_SAMPLES = 284, 317, 338
#: Tags that readers expect numbers in; with a text there they cannot read the page.
NUMBERS = {*range(254, 267), *range(273, 285), 317, 320, *range(322, 333), 338, 339, 347, *range(529, 533)}
ADOBE_DEFLATE, BLACK_IS_ZERO, RGB, CHUNKY, HORIZONTAL_DIFFERENCES, UNASSOCIATED_ALPHA = 8, 1, 2, 1, 2, 2
ASCII, SHORT, LONG, LONG8 = 2, 3, 4, 16
FORMATS = {SHORT: "H", LONG: "I", LONG8: "Q"}
#: Tag, type and values of an entry of the directory.
Entry = tuple[int, int, bytes]


def write_tiff(
    file: BinaryIO,
    width: int,
    height: int,
    bands: Iterable[Pixels],
    *,
    channels: int = 3,
    tags: Mapping[int, str] = NO_TAGS,
    is_big: bool = False,
) -> None:
    """Write a TIFF of `bands`, uint8 [rows, width, channels] from the top, whose rows sum to `height`.

    Bands are read one by one in this thread, a few MB ahead of the file, which must be seekable. `tags` are texts by
    tag number, such as 270 ImageDescription or 305 Software, written as UTF-8. Files that may pass 4 GiB are BigTIFF;
    with `is_big` all are.
    Raises InputError for bands, sizes or tags that cannot be used, LimitError for a page too large for TIFF.
    """
    page = PageShape(width, height, channels)
    if max(width, height) > LONGEST_SIDE:
        raise LimitError(f"the page is {width}x{height}; TIFF holds {LONGEST_SIDE} pixels a side, make it smaller")
    texts = [(tag, ASCII, _text(tag, text)) for tag, text in tags.items()]
    big = is_big or page.row_bytes * height > CLASSIC_BYTES
    start = file.tell()
    file.write(_header(0, big))
    offsets, sizes = _write_strips(file, page, bands, start)
    # a directory starts on an even byte
    file.write(b"\0" * ((file.tell() - start) % 2))
    at = file.tell() - start
    file.write(_directory([*_page_entries(page, offsets, sizes, big), *texts], at, big))
    end = file.tell()
    file.seek(start)
    file.write(_header(at, big))
    file.seek(end)


def _write_strips(file: BinaryIO, page: PageShape, bands: Iterable[Pixels], start: int) -> tuple[list[int], list[int]]:
    """Offsets (from `start`) and sizes of the strips, in bytes."""
    pack = partial(_strip, channels=page.channels, engine=fastest_engine(), scratch=Scratch())
    offsets, sizes = [], []
    with closing(map_in_order(pack, recut(bands, page, page.block_rows))) as strips:
        for strip in strips:
            offsets.append(file.tell() - start)
            sizes.append(len(strip))
            file.write(strip)
    return offsets, sizes


def _strip(block: Pixels, channels: int, engine: Engine, scratch: Scratch) -> bytes:
    """The zlib stream of a block, uint8 [rows, row_bytes]."""
    rows, packed = deflate_rows(left_differences(block, channels, scratch), None, engine)
    return b"".join((HEADER, packed, END, struct.pack(">I", engine.adler32(rows.data))))


def _page_entries(page: PageShape, offsets: Sequence[int], sizes: Sequence[int], big: bool) -> list[Entry]:
    wide = LONG8 if big else LONG
    entries = [
        _numbers(IMAGE_WIDTH, LONG, [page.width]),
        _numbers(IMAGE_LENGTH, LONG, [page.height]),
        _numbers(BITS_PER_SAMPLE, SHORT, [8] * page.channels),
        _numbers(COMPRESSION, SHORT, [ADOBE_DEFLATE]),
        _numbers(PHOTOMETRIC, SHORT, [BLACK_IS_ZERO if page.channels == 1 else RGB]),
        _numbers(STRIP_OFFSETS, wide, offsets),
        _numbers(SAMPLES_PER_PIXEL, SHORT, [page.channels]),
        _numbers(ROWS_PER_STRIP, LONG, [page.block_rows]),
        _numbers(STRIP_BYTE_COUNTS, wide, sizes),
        _numbers(PLANAR_CONFIGURATION, SHORT, [CHUNKY]),
        _numbers(PREDICTOR, SHORT, [HORIZONTAL_DIFFERENCES]),
    ]
    return entries + ([_numbers(EXTRA_SAMPLES, SHORT, [UNASSOCIATED_ALPHA])] if page.channels == 4 else [])


def _numbers(tag: int, kind: int, values: Sequence[int]) -> Entry:
    return tag, kind, struct.pack(f"<{len(values)}{FORMATS[kind]}", *values)


def _text(tag: int, text: str) -> bytes:
    """The text of a tag, with a NUL at its end; raises InputError for what a tag cannot hold."""
    if not 0 < tag < 2**16 or tag in NUMBERS:
        raise InputError(f"tag {tag} cannot be a text of a TIFF page; use 270, 271, 272, 305, 315 or 33432")
    try:
        return text.replace("\0", "").encode() + b"\0"
    except UnicodeEncodeError as error:
        raise InputError(f"the text of tag {tag} is broken Unicode at letter {error.start}; repair it") from error


def _header(directory: int, big: bool) -> bytes:
    return struct.pack("<2sHHHQ", b"II", 43, 8, 0, directory) if big else struct.pack("<2sHI", b"II", 42, directory)


def _directory(entries: Sequence[Entry], at: int, big: bool) -> bytes:
    """The image file directory, for offset `at`: entries by tag, then the values that are too long for an entry.

    Source: TIFF 6.0, section 2; BigTIFF as in libtiff's specification.
    """
    count_format, entry_format, inline_bytes = ("<Q", "<HHQ8s", 8) if big else ("<H", "<HHI4s", 4)
    table = struct.calcsize(count_format) + len(entries) * struct.calcsize(entry_format) + inline_bytes
    rows, values = b"", b""
    for tag, kind, data in sorted(entries):
        count = len(data) if kind == ASCII else len(data) // struct.calcsize(FORMATS[kind])
        inline = data
        if len(data) > inline_bytes:
            inline = (at + table + len(values)).to_bytes(inline_bytes, "little")
            values += data + b"\0" * (len(data) % 2)
        rows += struct.pack(entry_format, tag, kind, count, inline)
    return struct.pack(count_format, len(entries)) + rows + bytes(inline_bytes) + values
