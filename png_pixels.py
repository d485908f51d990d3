"""The pixels of an opened PNG file, decoded by PyAV and isal where they are installed, faster than by Pillow.

Pillow stays the judge: it has opened the file and read its header, texts, orientation and color profile, and it decodes
every file that is not of a common kind and whole to the last byte, so that damaged files end in its errors.
"""

from __future__ import annotations

import importlib
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from threading import Lock
from types import ModuleType
from typing import IO, cast

from PIL import Image, PngImagePlugin

from .png_chunks import SIGNATURE

#: By PNG color type, at 8 bits: Pillow's mode, PyAV's pixel format, and bytes per pixel.
_KINDS = {0: ("L", "gray", 1), 2: ("RGB", "rgb24", 3), 6: ("RGBA", "rgba", 4)}
#: Larger pictures are left to Pillow, which needs less memory.
MOST_PIXELS = 1 << 22
#: Importing PyAV takes as long as it saves on so many pixels.
WORTH_AN_IMPORT = 1 << 23
#: Bytes of a file, such as a workflow, beside a pixel's own; larger files are left to Pillow, which skips them.
MOST_BESIDE = 1 << 22
_STORED_BLOCK = 0xFFFF


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    color_type: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row with the number of its filter."""
        return 1 + self.width * _KINDS[self.color_type][2]

    @property
    def bytes(self) -> int:
        return self.height * self.row_bytes


class _Seen:
    """How many pixels could have been decoded by PyAV so far, had it been imported."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pixels = 0

    def add(self, pixels: int) -> int:
        with self._lock:
            self._pixels += pixels
            return self._pixels


_seen = _Seen()


def can_be_fast(image: Image.Image) -> bool:
    """Whether an opened file is of a kind that ``fast_png`` tries: a PNG of 8 bits, grey, RGB or RGBA, one frame."""
    return (
        isinstance(image, PngImagePlugin.PngImageFile)
        and image.mode in ("L", "RGB", "RGBA")
        and not getattr(image, "is_animated", False)
        and "transparency" not in image.info
        and image.width * image.height <= MOST_PIXELS
    )


def buffer_bytes(image: Image.Image) -> int:
    """About the bytes that ``fast_png`` holds at most beside the picture; 0 where Pillow decodes it."""
    if not can_be_fast(image) or not _is_installed("av"):
        return 0
    # the file, inflated, as a file that is not compressed, and PyAV's frame
    return 4 * len(image.getbands()) * image.width * image.height + MOST_BESIDE


def fast_png(image: Image.Image) -> Image.Image | None:
    """The decoded picture with the same ``info``, pixel by pixel as Pillow decodes it; None where Pillow must do it.

    image: opened by Pillow from a path or from bytes, and not decoded. It can still be decoded afterwards.
    """
    if not can_be_fast(image) or not (av := _av(image.width * image.height)):
        return None
    opened = cast(PngImagePlugin.PngImageFile, image)
    file = opened.fp
    if file is None or not opened.tile:
        return None
    try:
        header, plain = _read(file, len(image.getbands()) * image.width * image.height) or (None, b"")
        if not header or (*image.size, image.mode) != (header.width, header.height, _KINDS[header.color_type][0]):
            return None
        pixels = _unfiltered(av, header, plain)
    except (OSError, MemoryError):
        # it may be a moment's matter; else Pillow tells what is wrong
        return None
    if pixels:
        pixels.info = image.info.copy()
    return pixels


def _av(pixels: int) -> ModuleType | None:
    """PyAV, once so many pixels were asked for that it is worth its import; None where it is not installed."""
    if "av" not in sys.modules and (not _is_installed("av") or _seen.add(pixels) < WORTH_AN_IMPORT):
        return None
    return _imported("av")


def _is_installed(name: str) -> bool:
    """Whether a package can be found, which does not import it."""
    # None in sys.modules makes an import fail
    return sys.modules[name] is not None if name in sys.modules else _is_found(name)


@cache
def _is_found(name: str) -> bool:
    return find_spec(name) is not None


def _imported(name: str) -> ModuleType | None:
    return None if sys.modules.get(name, name) is None else _first_import(name)


@cache
def _first_import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError):
        # a shared library that is missing
        return None


def _read(file: IO[bytes], pixel_bytes: int) -> tuple[_Header, bytes] | None:
    """The header and the inflated rows with their filters; None unless the file is plain and whole."""
    place = file.tell()
    try:
        file.seek(0)
        data = file.read(pixel_bytes + MOST_BESIDE)
    finally:
        file.seek(place)
    chunks = list(_chunks(data))
    kinds = [kind for kind, _ in chunks]
    pieces = [content for kind, content in chunks if kind == b"IDAT"]
    if not pieces or kinds[0] != b"IHDR" or kinds[-1 - len(pieces) :] != [b"IDAT"] * len(pieces) + [b"IEND"]:
        # what stands behind the pixels is read by Pillow only while it decodes them
        return None
    if any(kind in (b"tRNS", b"acTL", b"fcTL", b"fdAT") or kind[:1].isupper() for kind in kinds[1 : -1 - len(pieces)]):
        return None
    header = _header(chunks[0][1])
    plain = _inflated(pieces, header.bytes) if header else b""
    # the number of a filter is 0 to 4
    return (header, plain) if header and plain and max(plain[:: header.row_bytes]) <= 4 else None


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Type and content of the chunks; ends early where the file does, and without IEND where anything follows it."""
    view, place = memoryview(data), len(SIGNATURE)
    while place + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + size
        if end > len(data) or (kind == b"IEND" and end < len(data)):
            return
        yield kind, view[place + 8 : end - 4]
        place = end


def _header(content: memoryview) -> _Header | None:
    """The header of a PNG of 8 bits, not interlaced, of one of the kinds."""
    if len(content) != 13:
        return None
    width, height, bits, color_type, *methods = struct.unpack(">IIBBBBB", content)
    return _Header(width, height, color_type) if bits == 8 and color_type in _KINDS and not any(methods) else None


def _inflated(pieces: list[memoryview], size: int) -> bytes:
    """A zlib stream as so many bytes; nothing where it holds another number of them, is damaged or does not end."""
    isal = _imported("isal.isal_zlib")
    inflater = isal.decompressobj() if isal else zlib.decompressobj()
    errors = (isal.error, zlib.error) if isal else (zlib.error,)
    try:
        # at once, which takes three quarters of the time of piece by piece; one byte more shows that there are more
        plain = cast(bytes, inflater.decompress(b"".join(pieces), size + 1))
    except errors:
        return b""
    return plain if inflater.eof and not inflater.unused_data and len(plain) == size else b""


def _unfiltered(av: ModuleType, header: _Header, plain: bytes) -> Image.Image | None:
    """The rows without their filters, by PyAV from a PNG that holds nothing else, so that it converts nothing."""
    mode, name, _ = _KINDS[header.color_type]
    codec = av.CodecContext.create("png", "r")
    # a thread each would take the cores from the other pictures
    codec.thread_count = 1
    try:
        frames = codec.decode(av.Packet(_stored_png(header, plain)))
    except (av.FFmpegError, ValueError):
        return None
    if len(frames) != 1:
        return None
    (frame,) = frames
    if (frame.format.name, frame.width, frame.height) != (name, header.width, header.height):
        return None
    # rows of a frame are padded
    plane = frame.planes[0]
    return Image.frombytes(mode, (frame.width, frame.height), plane, "raw", mode, plane.line_size, 1)


def _stored_png(header: _Header, plain: bytes) -> bytes:
    """A PNG file of these rows that is not compressed."""
    head = struct.pack(">IIBBBBB", header.width, header.height, 8, header.color_type, 0, 0, 0)
    blocks = -(-len(plain) // _STORED_BLOCK)
    parts: list[bytes | memoryview] = [SIGNATURE, _chunk(b"IHDR", head)]
    parts.append(struct.pack(">I4s", 2 + 5 * blocks + len(plain) + 4, b"IDAT") + b"\x78\x01")
    view = memoryview(plain)
    for start in range(0, len(plain), _STORED_BLOCK):
        block = view[start : start + _STORED_BLOCK]
        is_last = start + _STORED_BLOCK >= len(plain)
        parts += (struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF), block)
    isal = _imported("isal.isal_zlib")
    checksum = (isal or zlib).adler32(plain)
    # PyAV does not look at the checksum of a chunk
    parts += (struct.pack(">I", checksum), bytes(4), _chunk(b"IEND", b""))
    return b"".join(parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
