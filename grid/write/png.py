"""Writing the bands of a page as PNG, on all cores and without holding the page in memory.

With zlib the same pixels give the same bytes, whatever the bands and the number of cores. Another zlib gives other
bytes, and so does isal, which does not promise to give the same ones each time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from types import MappingProxyType
from typing import BinaryIO

from PIL.PngImagePlugin import MAX_TEXT_MEMORY, PngInfo

from ...arrays import Pixels
from ...errors import InputError, LimitError
from ..bands import PageShape, Scratch, map_in_order, recut
from .deflate import END, HEADER, Engine, deflate_rows, fastest_engine, joined_adler32, paeth_rows, plain_rows

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 3: 2, 4: 6}
LONGEST_SIDE = 2**31 - 1
#: libpng drops longer texts; Pillow opens no file whose texts together are longer than MAX_TEXT_MEMORY.
LONGEST_TEXT_BYTES = 8_000_000 - 100
LONGEST_KEY = 79
NO_TEXTS: Mapping[str, str] = MappingProxyType({})


def write_png(
    file: BinaryIO,
    width: int,
    height: int,
    bands: Iterable[Pixels],
    *,
    channels: int = 3,
    texts: Mapping[str, str] = NO_TEXTS,
) -> None:
    """Write a PNG of `bands`, uint8 [rows, width, channels] from the top, whose rows sum to `height`.

    Bands are read one by one in this thread, a few MB ahead of the file. `texts` are written before the pixels.
    On two cores it takes a tenth of the time of Pillow at compress_level=4, for files of about the same size.
    Raises InputError for bands, sizes or texts that cannot be used, LimitError for what is too large for PNG readers.
    """
    page = PageShape(width, height, channels)
    if max(width, height) > LONGEST_SIDE:
        raise LimitError(f"the page is {width}x{height}; PNG holds {LONGEST_SIDE} pixels a side, make it smaller")
    text_chunks = list(_text_chunks(texts))
    engine = fastest_engine()
    head = struct.pack(">IIBBBBB", width, height, 8, COLOR_TYPES[channels], 0, 0, 0)
    file.write(SIGNATURE + _chunk(b"IHDR", head, engine))
    for kind, data in text_chunks:
        file.write(_chunk(kind, data, engine))
    _write_pixels(file, page, bands, engine)
    file.write(_chunk(b"IEND", b"", engine))


def _write_pixels(file: BinaryIO, page: PageShape, bands: Iterable[Pixels], engine: Engine) -> None:
    """One zlib stream over several IDAT chunks: header, deflate pieces, end and checksum."""
    pack = partial(_pack, channels=page.channels, engine=engine, scratch=Scratch())
    checksum = 1
    file.write(_chunk(b"IDAT", HEADER, engine))
    with closing(map_in_order(pack, recut(bands, page, page.block_rows, above=1))) as packed:
        for chunk, adler, size in packed:
            file.write(chunk)
            checksum = joined_adler32(checksum, adler, size)
    file.write(_chunk(b"IDAT", END + struct.pack(">I", checksum), engine))


def _pack(block: Pixels, channels: int, engine: Engine, scratch: Scratch) -> tuple[bytes, int, int]:
    """The IDAT chunk of a block [1 + rows, row_bytes], and the Adler-32 and size of its filtered rows."""
    rows, deflated = deflate_rows(paeth_rows(block, channels, scratch), partial(plain_rows, block, scratch), engine)
    return _chunk(b"IDAT", deflated, engine), engine.adler32(rows.data), rows.size


def _chunk(kind: bytes, data: bytes, engine: Engine) -> bytes:
    checksum = engine.crc32(data, engine.crc32(kind, 0))
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)))


def _text_chunks(texts: Mapping[str, str]) -> Iterator[tuple[bytes, bytes]]:
    """tEXt for Latin-1, else iTXt, never compressed: ComfyUI does not look for its workflow in zTXt."""
    chunks = PngInfo()
    total = 0
    for key, text in texts.items():
        total += text_bytes(key, text)
        if total > MAX_TEXT_MEMORY:
            raise LimitError(f"with {key!r} the texts have more than {MAX_TEXT_MEMORY} bytes; leave some out")
        chunks.add_text(key, text)
    for kind, data, *_ in chunks.chunks:
        yield kind, data


def text_bytes(key: str, text: str) -> int:
    """The length of a text in UTF-8; raises InputError or LimitError for a key or text that PNG cannot hold."""
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
