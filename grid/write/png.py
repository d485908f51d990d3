"""A page in bands -> a PNG file, by all cores and without ever holding the page.

The same pixels give the same bytes whatever the bands and the number of cores; another deflate library (isal, or the
one that Python was built with) gives other bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO, Literal

from PIL.PngImagePlugin import MAX_TEXT_MEMORY, PngInfo

from ...errors import InputError, LimitError
from ..bands import PageShape, Pixels, Scratch, map_in_order, recut
from .deflate import (
    END,
    HEADER,
    Engine,
    deflate_fast,
    deflate_small,
    fastest_engine,
    joined_adler32,
    paeth_rows,
    plain_rows,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 3: 2, 4: 6}
LONGEST_SIDE = 2**31 - 1
#: libpng drops a longer text; of all texts together Pillow reads MAX_TEXT_MEMORY and else refuses to open the file.
LONGEST_TEXT_BYTES = 8_000_000 - 100
LONGEST_KEY = 79
NO_TEXTS: Mapping[str, str] = MappingProxyType({})
Effort = Literal["fast", "small"]


@dataclass(frozen=True)
class _Piece:
    """Some rows of the page: their deflate piece as an IDAT chunk, and what the checksum of all rows needs."""

    chunk: bytes
    adler: int
    size: int


def write_png(
    file: BinaryIO,
    width: int,
    height: int,
    bands: Iterable[Pixels],
    *,
    channels: int = 3,
    texts: Mapping[str, str] = NO_TEXTS,
    effort: Effort = "fast",
) -> None:
    """Write a PNG of `bands`, uint8 [rows, width, channels] from the top, whose rows sum to `height`.

    Bands are read one by one, a few MB ahead of the file, in this thread. `texts` are written before the pixels.
    effort "fast" takes a tenth of the time of Pillow at compress_level=4 for about its size (measured on two cores);
    "small" takes about the size of Pillow's default.
    Raises InputError for bands, sizes or texts that cannot be used, LimitError for what PNG readers find too large.
    """
    page = PageShape(width, height, channels)
    if max(width, height) > LONGEST_SIDE:
        raise LimitError(f"the page is {width}x{height}; PNG holds {LONGEST_SIDE} pixels a side, make it smaller")
    if effort not in ("fast", "small"):
        raise InputError(f"effort is {effort!r}; it must be 'fast' or 'small'")
    extra = list(_text_chunks(texts))
    engine = fastest_engine()
    head = struct.pack(">IIBBBBB", width, height, 8, COLOR_TYPES[channels], 0, 0, 0)
    file.write(SIGNATURE + _chunk(b"IHDR", head, engine))
    for kind, data in extra:
        file.write(_chunk(kind, data, engine))
    _write_pixels(file, page, bands, effort, engine)
    file.write(_chunk(b"IEND", b"", engine))


def _write_pixels(file: BinaryIO, page: PageShape, bands: Iterable[Pixels], effort: Effort, engine: Engine) -> None:
    """One zlib stream over several IDAT chunks: header, deflate pieces, end and checksum."""
    scratch = Scratch()

    def pack(block: Pixels) -> _Piece:
        return _pack(block, page.channels, effort, engine, scratch)

    adler = 1
    file.write(_chunk(b"IDAT", HEADER, engine))
    with closing(map_in_order(pack, recut(bands, page, above=1))) as pieces:
        for piece in pieces:
            file.write(piece.chunk)
            adler = joined_adler32(adler, piece.adler, piece.size)
    file.write(_chunk(b"IDAT", END + struct.pack(">I", adler), engine))


def _pack(block: Pixels, channels: int, effort: Effort, engine: Engine, scratch: Scratch) -> _Piece:
    """The piece of a block [1 + rows, row_bytes], which starts with the row above."""

    def plain() -> Pixels:
        return plain_rows(block, scratch)

    residuals = paeth_rows(block, channels, scratch)
    rows, packed = deflate_small(residuals, plain) if effort == "small" else deflate_fast(residuals, plain, engine)
    return _Piece(_chunk(b"IDAT", packed, engine), engine.adler32(rows.data), rows.size)


def _chunk(kind: bytes, data: bytes, engine: Engine) -> bytes:
    checksum = engine.crc32(data, engine.crc32(kind, 0))
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)))


def _text_chunks(texts: Mapping[str, str]) -> Iterator[tuple[bytes, bytes]]:
    """tEXt for Latin-1, iTXt for the rest; never compressed, for ComfyUI does not look for its workflow in zTXt."""
    chunks = PngInfo()
    total = 0
    for key, text in texts.items():
        total += _text_bytes(key, text)
        if total > MAX_TEXT_MEMORY:
            raise LimitError(f"with {key!r} the texts have more than {MAX_TEXT_MEMORY} bytes; leave some out")
        chunks.add_text(key, text)
    for kind, data, *_ in chunks.chunks:
        yield kind, data


def _text_bytes(key: str, text: str) -> int:
    """Length of a text in UTF-8; raises InputError or LimitError, naming the key, for what PNG cannot hold."""
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable() or max(key) > "\xff" or " ".join(key.split()) != key:
        raise InputError(
            f"{key!r} cannot name a text in a PNG; use 1 to {LONGEST_KEY} Latin-1 letters and single spaces"
        )
    try:
        length = len(text.encode())
    except UnicodeEncodeError as error:
        raise InputError(
            f"the text {key!r} is broken Unicode at letter {error.start}; repair it or leave it out"
        ) from error
    if "\0" in text:
        raise InputError(f"the text {key!r} holds a NUL, which ends a text in a PNG; take it out")
    if length > LONGEST_TEXT_BYTES:
        raise LimitError(f"the text {key!r} has {length} bytes; PNG readers take {LONGEST_TEXT_BYTES}, leave it out")
    return length
