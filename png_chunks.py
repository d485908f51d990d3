"""The chunks of PNG files: where they stand, and a file without those for which Pillow refuses the picture."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
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
_KINDS = re.compile(rb"IDAT|PLTE|IEND|tEXt|zTXt|iTXt|eXIf|iCCP|pHYs|gAMA|cHRM|sRGB|tRNS|bKGD|tIME|fcTL|fdAT")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_HEAD = 33
_END = b"\0\0\0\0IEND\xaeB`\x82"

#: Four letters, where its data starts in the file, and the length of that in bytes.
Chunk = tuple[bytes, int, int]


class MendedFile(BytesIO):
    """A picture file as it can be read."""

    def __init__(self, data: bytes, note: str) -> None:
        super().__init__(data)
        #: What is left out of it; empty if that is nothing.
        self.note = note


def left_out_note(what: str, left_out: Mapping[str, str]) -> str:
    """What is said of parts that are left out of a file, by their names and why."""
    return f"its {what} are left out: {', '.join(f'{name} ({why})' for name, why in left_out.items())}"


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


def note_behind_pixels(file: IO[bytes]) -> str:
    """What is damaged behind the pixels of a PNG file that Pillow has opened; empty if that is nothing.

    Pillow passes it over, or refuses the picture once it is decoded.
    """
    place = file.tell()
    try:
        is_behind = False
        for kind, at, length in png_chunks(file):
            if kind == b"IEND":
                return ""
            is_behind |= kind in (b"IDAT", b"fdAT")
            if not is_behind or kind in (b"IDAT", b"fdAT", b"fcTL"):
                continue
            file.seek(at - 8)
            if not _is_sound(file.read(12 + length if length <= _MAX_FILE else 8), length):
                return left_out_note("chunks", {_shown(kind): "damaged"})
        return "its end is missing; what stood behind its pixels is lost"
    finally:
        file.seek(place)


def _shown(kind: bytes) -> str:
    return kind.decode() if kind.isalpha() else "without a name"


def mended_png(file: IO[bytes]) -> MendedFile | None:
    """The file without the chunks beside its pixels that are damaged or refused by Pillow; None without PNG pixels.

    Texts that are sound but too long for Pillow, and what follows the pixels, stand behind its end, where Pillow does
    not look and ``png_chunks`` does.
    """
    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE or len(rest := file.read(_MAX_FILE + 1)) > _MAX_FILE:
        return None
    data = SIGNATURE + rest
    chunks = list(_mended_chunks(data))
    last = max((at for kind, at, _ in chunks if kind in (b"IDAT", b"fdAT")), default=0)
    if not last:
        return None
    kept, behind, left_out, room, beside = [data[:_HEAD]], [], {}, _MAX_TEXT, 0
    for kind, at, length in chunks[1:]:
        # its length may be what was damaged
        chunk = struct.pack(">I", length) + data[at - 4 : at + length + 4]
        if kind == b"IEND":
            break
        if kind in _CRITICAL or (kind in _FRAMES and _is_sound(chunk, length)):
            kept.append(_ended(chunk, length))
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
    names = {_shown(kind): why for kind, why in left_out.items()}
    note = left_out_note("chunks", names) if left_out else ""
    return MendedFile(b"".join([*kept, _END, *behind]), note)


def _mended_chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks; one whose length is damaged ends where the next sound one begins."""
    at = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if len(data) - at < 8:
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if not _leads_on(data, end) and not _is_sound(data[at:end], length) and (found := _next_sound(data, at + 8)):
            length, end = max(0, found - at - 12), found
        yield kind, at + 8, length
        at = end


def _leads_on(data: bytes, at: int) -> bool:
    """Whether something stands there that looks like a chunk, or the end of the file."""
    if at + 8 > len(data):
        return at == len(data)
    length, kind = struct.unpack_from(">I4s", data, at)
    return bool(kind.isalpha()) and at + 12 + length <= len(data)


def _next_sound(data: bytes, start: int) -> int:
    """Where the next sound chunk of a kind that follows others begins; 0 if there is none."""
    budget = 2 * len(data) + (1 << 20)
    for found in _KINDS.finditer(data, start):
        at = found.start() - 4
        length = int.from_bytes(data[at : at + 4], "big")
        if at < start or at + 12 + length > len(data):
            continue
        budget -= length + 1_000
        if budget < 0:
            break
        if _is_sound(data[at : at + 12 + length], length):
            return at
    return 0


def _ended(chunk: bytes, length: int) -> bytes:
    """The chunk, which ends where the file does: cut pixels must not go on with what is put behind them."""
    if len(chunk) == 12 + length:
        return chunk
    content = chunk[4 : 8 + length]
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


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
