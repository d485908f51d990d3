"""Text tags out of an EXIF block, read leniently: a damaged block gives the tags that are whole.

Pillow's own reader raises or warns on damaged blocks, and decodes text before its byte order is known.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

#: Longer values are ignored, in bytes.
MAX_BYTES = 32 * 2**20

SOFTWARE = 0x0131
USER_COMMENT = 0x9286
MAKER_NOTE = 0x927C
#: Model, then Make and the tags below it: ComfyUI writes the prompt in the first and counts down from the second.
COMFYUI_TAGS = range(0x0110, 0x0107, -1)

_EXIF_DIRECTORY = 0x8769
_WANTED = frozenset({*COMFYUI_TAGS, SOFTWARE, USER_COMMENT, MAKER_NOTE, _EXIF_DIRECTORY})
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
#: Bytes per item of the types that can hold text (BYTE, ASCII, UNDEFINED) or a directory (LONG, IFD).
_SIZES = {1: 1, 2: 1, 7: 1, 4: 4, 13: 4}


@dataclass(frozen=True)
class ExifTags:
    """The raw values of the tags that may hold generation data, by tag number."""

    values: dict[int, bytes]
    #: "<" little-endian or ">" big-endian.
    byte_order: str

    def text(self, tag: int) -> str:
        """The tag as text, up to its first NUL; empty when it is absent."""
        return decode_bytes(self.values.get(tag, b"").split(b"\0")[0])

    def user_comment(self) -> str:
        """The UserComment, decoded by its eight-byte header."""
        return decode_user_comment(self.values.get(USER_COMMENT, b""), self.byte_order)


def read_exif(stream: IO[bytes]) -> ExifTags:
    """The wanted tags of the TIFF structure at the start of *stream*, main and EXIF directories merged."""
    stream.seek(0)
    head = stream.read(8)
    order = _BYTE_ORDERS.get(head[:4], "")
    if not order or len(head) < 8:
        return ExifTags({}, ">")
    values = _read_directory(stream, struct.unpack(order + "I", head[4:])[0], order)
    pointer = values.pop(_EXIF_DIRECTORY, b"")
    if len(pointer) == 4:
        values |= _read_directory(stream, struct.unpack(order + "I", pointer)[0], order)
    return ExifTags(values, order)


def _read_directory(stream: IO[bytes], at: int, order: str) -> dict[int, bytes]:
    stream.seek(at)
    raw_count = stream.read(2)
    count = struct.unpack(order + "H", raw_count)[0] if len(raw_count) == 2 else 0
    table = stream.read(12 * count)
    values: dict[int, bytes] = {}
    for tag, kind, items, inline in struct.iter_unpack(order + "HHI4s", table[: len(table) // 12 * 12]):
        size = items * _SIZES.get(kind, 0)
        if tag in _WANTED and 0 < size <= MAX_BYTES:
            values[tag] = inline[:size] if size <= 4 else _read_at(stream, struct.unpack(order + "I", inline)[0], size)
    return values


def _read_at(stream: IO[bytes], at: int, size: int) -> bytes:
    stream.seek(at)
    return stream.read(size)


def decode_user_comment(raw: bytes, byte_order: str) -> str:
    """The text of an EXIF UserComment. Writers that leave the header out, or write UTF-8 after it, are understood."""
    code, body = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        return _decode_unicode(body, byte_order)
    if code == b"JIS\0\0\0\0\0":
        return body.decode("iso2022_jp", "replace").strip("\0 ")
    has_header = code in (b"ASCII\0\0\0", bytes(8))
    return decode_bytes(body if has_header else raw).strip("\0 ")


def _decode_unicode(body: bytes, byte_order: str) -> str:
    # the standard asks for the byte order of the block, but writers disagree: ASCII letters show the truth
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body[: len(body) // 2 * 2].decode("utf-16", "replace").strip("\0 ")
    zeros_first, zeros_second = body[0::2].count(0), body[1::2].count(0)
    if zeros_first == zeros_second == 0 and (text := _utf8(body)) is not None:
        return text.strip()
    big = byte_order == ">" if zeros_first == zeros_second else zeros_first > zeros_second
    return body[: len(body) // 2 * 2].decode("utf-16-be" if big else "utf-16-le", "replace").strip("\0 ")


def decode_bytes(raw: bytes) -> str:
    """UTF-8 when it is that, else Latin-1, which takes every byte."""
    text = _utf8(raw)
    return raw.decode("latin-1") if text is None else text


def _utf8(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
