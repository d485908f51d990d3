"""The chunks of PNG files: where they stand, and a file without those for which Pillow refuses the picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO

from PIL import Image

from .decoding import READER_ERRORS

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Chunks that are looked at; a file of 64 megapixels has some thousands.
_MAX_CHUNKS = 200_000
#: Larger files, in bytes, are not mended.
_MAX_FILE = 256 << 20
#: Chunks without which there is no picture; those of the frames of an animation with the bytes that they must have.
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT")
_FRAMES = {b"fcTL": 26, b"fdAT": 4}
#: The chunks beside them, and the characters of text in them, that are kept at most.
_MAX_BESIDE, _MAX_TEXT = 1_000, 32 << 20
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_HEAD = 33
_END = b"\0\0\0\0IEND\xaeB`\x82"

#: Four letters, where its data starts in the file, and the length of that in bytes.
Chunk = tuple[bytes, int, int]


class MendedFile(BytesIO):
    """A PNG file as it can be read."""

    #: What is left out of it; empty if that is nothing.
    note = ""


def png_chunks(file: IO[bytes]) -> Iterator[Chunk]:
    """The chunks of a PNG file by their headers, up to its end; behind a damaged length they are anything."""
    at = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length = struct.unpack(">I", head[:4])[0]
        yield head[4:], at + 8, length
        at += 12 + length


def mended(file: IO[bytes]) -> MendedFile | None:
    """The file without the chunks beside its pixels that are damaged or refused by Pillow; None without PNG pixels.

    Texts that are sound but too long for Pillow, and what follows the pixels, stand behind its end, where Pillow does
    not look and ``png_chunks`` does.
    """
    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE or len(rest := file.read(_MAX_FILE + 1)) > _MAX_FILE:
        return None
    data = SIGNATURE + rest
    chunks = list(png_chunks(file))
    last = max((at for kind, at, _ in chunks if kind in (b"IDAT", b"fdAT")), default=0)
    if not last:
        return None
    kept, behind, left_out, room, beside = [data[:_HEAD]], [], {}, _MAX_TEXT, 0
    for kind, at, length in chunks[1:]:
        chunk = data[at - 8 : at + length + 4]
        if kind == b"IEND":
            break
        if kind in _CRITICAL or (kind in _FRAMES and _is_sound(chunk, length)):
            kept.append(chunk)
            continue
        beside += 1
        if not _is_sound(chunk, length) or beside > _MAX_BESIDE:
            left_out[kind] = "damaged" if beside <= _MAX_BESIDE else "too many"
        elif at < last and (text := _text_size(data[:_HEAD], chunk)) is not None and text <= room:
            kept.append(chunk)
            room -= text
        elif at > last or kind in _TEXTS:
            behind.append(chunk)
        else:
            left_out[kind] = "not usable"
    result = MendedFile(b"".join([*kept, _END, *behind]))
    if left_out:
        names = ((kind.decode() if kind.isalpha() else "without a name", why) for kind, why in left_out.items())
        result.note = f"its chunks are left out: {', '.join(f'{name} ({why})' for name, why in names)}"
    return result


def _is_sound(chunk: bytes, length: int) -> bool:
    is_whole = len(chunk) == 12 + length >= 12 + _FRAMES.get(chunk[4:8], 0)
    return is_whole and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _text_size(head: bytes, chunk: bytes) -> int | None:
    """The characters of text that Pillow finds in a chunk; None if it refuses the chunk."""
    try:
        with Image.open(BytesIO(head + chunk + b"\0\0\0\0IDAT"), formats=("PNG",)) as image:
            return sum(len(text) for text in image.info.values() if isinstance(text, str))
    except READER_ERRORS:
        return None
