"""The texts of an EXIF block, read leniently.

Pillow's own EXIF reader raises or warns on damaged blocks, and decodes text before its byte order is known.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import IO

#: Longer EXIF values are ignored, in bytes.
MAX_BYTES = 32 * 2**20
SOFTWARE = 0x0131
IMAGE_DESCRIPTION = 0x010E
USER_COMMENT = 0x9286
MAKER_NOTE = 0x927C
#: Model, then Make and the tags below it: ComfyUI writes the prompt in the first and counts down from the second.
COMFYUI_TAGS = range(0x0110, 0x0107, -1)
_EXIF_DIRECTORY = 0x8769
_READ_TAGS = frozenset({*COMFYUI_TAGS, SOFTWARE, USER_COMMENT, MAKER_NOTE, _EXIF_DIRECTORY})
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
#: Bytes per item of the types that can hold text (BYTE, ASCII, UNDEFINED) or a directory (LONG, IFD).
_SIZES = {1: 1, 2: 1, 7: 1, 4: 4, 13: 4}
#: ComfyUI in EXIF: `prompt:{...}`, `workflow:{...}`, and other names with JSON after them.
_NAMED_JSON = re.compile(r'\s*(\w[\w .-]{0,60}):\s*(?=[{\["])')
#: A line that JSON never has, and AUTOMATIC1111's text always: its prompt may begin as a name with JSON does.
_STEPS_LINE = "\nSteps: "
#: What the makers of comments put before the text when they mean its encoding.
_SPELLED_CODE = re.compile(r'\s*charset="?(?:unicode|ascii|jis|undefined)"?\s+', re.IGNORECASE)
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_FOOOCUS_SCHEMES = ("fooocus", "a1111", "simple")


@dataclass(frozen=True)
class ExifTags:
    """The raw values of the tags that may hold generation data, by tag number."""

    values: dict[int, bytes]
    #: "<" little-endian or ">" big-endian.
    byte_order: str

    def text(self, tag: int) -> str:
        """The tag as text, up to its first NUL; empty when it is absent."""
        return decode_bytes(self.values.get(tag, b"").split(b"\0")[0])

    def comment(self, tag: int) -> str:
        """A tag that is written as UserComment is, decoded by its eight-byte header."""
        return decode_user_comment(self.values.get(tag, b""), self.byte_order)


def exif_texts(tags: ExifTags) -> dict[str, str]:
    """Text by name: ComfyUI's "prompt", "workflow" and their like, "UserComment", "Software", "ImageDescription",
    "MakerNote" where that is text, and "fooocus_scheme"."""
    texts: dict[str, str] = {}
    if not tags.values:
        return texts
    plain = {"ImageDescription": tags.text(IMAGE_DESCRIPTION), "UserComment": tags.comment(USER_COMMENT)}
    # a camera writes bytes of its own there
    note = tags.comment(MAKER_NOTE)
    plain["MakerNote"] = "" if _CONTROL.search(note) else note
    for text in (*map(tags.text, COMFYUI_TAGS), plain["UserComment"], plain["MakerNote"]):
        if named := _named_json(text):
            # other savers write "Prompt:" and "Workflow:"
            texts.setdefault(named[1].lower(), text[named.end() :])
    texts |= {name: text for name, text in plain.items() if not _named_json(text)}
    texts["Software"] = tags.text(SOFTWARE)
    if note.strip().lower() in _FOOOCUS_SCHEMES:
        texts["fooocus_scheme"] = note.strip().lower()
        del texts["MakerNote"]
    return texts


def _named_json(text: str) -> re.Match[str] | None:
    """The name before the JSON in a text; None for any other text."""
    return None if _STEPS_LINE in text else _NAMED_JSON.match(text)


def read_exif(stream: IO[bytes]) -> ExifTags:
    """The tags of the TIFF structure at the start of the stream, main and EXIF directories merged.

    Only those that may hold generation data are read; a damaged block gives the tags that are whole.
    """
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
        if tag not in _READ_TAGS or not 0 < size <= MAX_BYTES:
            continue
        if size > 4:
            stream.seek(struct.unpack(order + "I", inline)[0])
        values[tag] = stream.read(size) if size > 4 else inline[:size]
    return values


def decode_user_comment(raw: bytes, byte_order: str) -> str:
    """The text of an EXIF UserComment. Writers that leave the header out, or write UTF-8 after it, are understood."""
    code, body = raw[:8].rstrip(b"\0 ").upper(), raw[8:]
    if code == b"UNICODE":
        return _decode_unicode(body, byte_order)
    if code == b"JIS":
        return _decode_japanese(body).strip("\0 ")
    body = body if code in (b"ASCII", b"") else raw
    # without a header, or with a wrong one, it may be UTF-16 all the same: then nearly every second byte is NUL
    is_wide = body[:2] in (b"\xff\xfe", b"\xfe\xff") or 3 * body.rstrip(b"\0").count(0) > len(body) > 2
    text = _decode_unicode(body, byte_order) if is_wide else decode_bytes(body).strip("\0 ")
    return _SPELLED_CODE.sub("", text, count=1) if _SPELLED_CODE.match(text) else text


def _decode_japanese(body: bytes) -> str:
    # the header means JIS with its escapes, which is ASCII otherwise; writers put UTF-8 and Shift JIS there as well
    for codec in ("iso2022_jp", "utf-8", "shift_jis", "euc_jp"):
        try:
            return body.decode(codec)
        except UnicodeDecodeError:
            continue
    return body.decode("iso2022_jp", "replace")


def _decode_unicode(body: bytes, byte_order: str) -> str:
    # the standard asks for the byte order of the block, but writers disagree: ASCII letters show which it is
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
