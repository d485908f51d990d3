"""The texts that are embedded in a picture file: PNG chunks, comments, and EXIF, which is read here leniently.

Pillow's own EXIF reader raises or warns on damaged blocks, and decodes text before its byte order is known.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from typing import IO

from PIL import Image, PngImagePlugin, TiffImagePlugin

#: Longer texts are ignored, in characters.
MAX_TEXT = 32 * 2**20
#: Longer EXIF values are ignored, in bytes.
MAX_BYTES = 32 * 2**20
SOFTWARE = 0x0131
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


def embedded_texts(image: Image.Image) -> dict[str, str]:
    """Text by name: PNG text chunks, EXIF texts, and the comment of a JPEG or GIF as "comment".

    From EXIF come "UserComment", "Software", "fooocus_scheme" and ComfyUI's "prompt", "workflow" and their like; a
    PNG chunk of the same name goes before them. The picture is not decoded, so it only needs to be opened; PNG
    chunks behind the pixels are therefore not seen (the writers known here put theirs before them), and a TIFF is
    read only while its file is open, that is before `load()`. Damaged EXIF gives what can be read of it. Texts above
    32 MiB are ignored.
    """
    texts = _png_texts(image) | _comment(image)
    for name, text in _exif_texts(_exif_tags(image)).items():
        texts.setdefault(name, text)
    return {name: text for name, text in texts.items() if text and len(text) <= MAX_TEXT}


def _png_texts(image: Image.Image) -> dict[str, str]:
    if image.format != "PNG":
        return {}
    # not `image.text`: that decodes the whole picture to find the chunks behind the pixels
    return {name: _repair(text) for name, text in image.info.items() if isinstance(name, str) and isinstance(text, str)}


def _repair(text: str) -> str:
    """Undo the Latin-1 reading of a tEXt chunk whose writer put UTF-8 there, against the standard."""
    if isinstance(text, PngImagePlugin.iTXt) or text.isascii() or len(text) > MAX_TEXT:
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _comment(image: Image.Image) -> dict[str, str]:
    comment = image.info.get("comment")
    if not isinstance(comment, bytes) or len(comment) > MAX_TEXT:
        return {}
    return {"comment": decode_bytes(comment).strip("\0 \n")}


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


def _exif_texts(tags: ExifTags) -> dict[str, str]:
    texts: dict[str, str] = {}
    for tag in COMFYUI_TAGS:
        text = tags.text(tag)
        if named := _NAMED_JSON.match(text):
            # other savers write "Prompt:" and "Workflow:"
            texts.setdefault(named[1].lower(), text[named.end() :])
    texts["UserComment"] = tags.user_comment()
    texts["Software"] = tags.text(SOFTWARE)
    if (scheme := tags.text(MAKER_NOTE)) in ("fooocus", "a1111"):
        texts["fooocus_scheme"] = scheme
    return texts


def _exif_tags(image: Image.Image) -> ExifTags:
    raw = image.info.get("exif")
    if isinstance(raw, bytes):
        return read_exif(io.BytesIO(re.sub(rb"^(?:Exif\0\0)+", b"", raw)))
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.fp is not None and not image.fp.closed:
        position = image.fp.tell()
        tags = read_exif(image.fp)
        image.fp.seek(position)
        return tags
    return ExifTags({}, ">")


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
    code, body = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        return _decode_unicode(body, byte_order)
    if code == b"JIS\0\0\0\0\0":
        return body.decode("iso2022_jp", "replace").strip("\0 ")
    has_header = code in (b"ASCII\0\0\0", bytes(8))
    return decode_bytes(body if has_header else raw).strip("\0 ")


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
