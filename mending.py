"""Picture files without what is damaged beside their pixels, for which Pillow refuses them."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import IO

from PIL import Image, ImageChops, JpegImagePlugin

from .decoding import READER_ERRORS
from .png_chunks import SIGNATURE, MendedFile, left_out_note, mended_png

#: Larger files, in bytes, are not mended.
_MAX_FILE = 256 << 20
_JPEG, _END_MARK = b"\xff\xd8", b"\xff\xd9"
#: Segments of JPEG files: the start of the pixels, the headers of frames, and all without which there is no picture.
_SCAN = 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NEEDED = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDD, _SCAN})
_MARKER = re.compile(rb"\xff[\xc0-\xc7\xc9-\xcf\xda-\xdd\xe0-\xef\xfe]")
#: Bytes of a file's beginning and end by which it is judged.
_LOOKED_AT = 1 << 16
#: Segments at which reading may go on behind a damaged one, of which that of the largest picture is taken.
_MAX_TRIED, _MAX_SEGMENTS = 400, 2_000
#: Bits that differ wherever they are read, so that a picture that they change is not whole.
_FILLS = (b"\x55" * 512, b"\xaa" * 512)
#: Chunks of WebP files, and the bits by which the header says that they are there.
_WEBP_BESIDE = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}

#: A marker, where it stands in the file, and where the segment ends.
_Segment = tuple[int, int, int]


def mended(file: IO[bytes]) -> MendedFile | None:
    """The file as it can be read, without what is damaged beside its pixels; None where that cannot help.

    Of PNG files see ``mended_png``; of JPEG files the segments of profiles, EXIF and the like are left out that are
    damaged or refused by Pillow, and an end mark that is missing behind all pixels is added; of WebP files chunks are
    left out that the end of the file cuts.
    """
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    if head.startswith(SIGNATURE):
        return mended_png(file)
    data = file.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        return None
    if head.startswith(_JPEG):
        return _mended_jpeg(data)
    return _mended_webp(data) if head[:4] == b"RIFF" and head[8:] == b"WEBP" else None


def mended_jpeg(file: IO[bytes]) -> MendedFile | None:
    """The file as it can be read if the length of one of its segments is damaged, which Pillow passes over; else None.

    Pillow would go on anywhere behind it, such as in the small picture of an EXIF segment.
    """
    file.seek(0)
    return mended(file) if _is_suspect(file.read(_LOOKED_AT)) else None


def end_note(file: IO[bytes]) -> str:
    """What is said of a JPEG file that has no end mark; empty where it has one, or where its pixels are not whole."""
    place = file.tell()
    try:
        size = file.seek(0, 2)
        file.seek(max(0, size - _LOOKED_AT))
        if _END_MARK in file.read():
            return ""
        whole = mended(file)
        return whole.note if whole else ""
    finally:
        file.seek(place)


def _is_suspect(head: bytes) -> bool:
    """Whether the beginning of a JPEG file has a segment that does not lead to another one."""
    at = len(_JPEG)
    while at + 4 <= len(head):
        if head.startswith(b"\xff\xff", at):
            at += 1
        elif not _MARKER.match(head, at):
            return True
        elif head[at + 1] == _SCAN:
            return False
        else:
            at += 2 + max(2, _length(head, at))
    return False


def _mended_jpeg(data: bytes) -> MendedFile | None:
    segments = list(_segments(data))
    if not segments or segments[-1][0] != _SCAN:
        return None
    scan = segments.pop()[1]
    needed = b"".join(data[at:end] for marker, at, end in segments if marker in _NEEDED)
    left_out: dict[str, str] = {}
    kept = [_JPEG]
    for marker, at, end in segments:
        name = "a comment" if marker == 0xFE else f"APP{marker - 0xE0}"
        if marker in _NEEDED:
            kept.append(data[at:end])
        elif end - at != 2 + int.from_bytes(data[at + 2 : at + 4], "big"):
            left_out[name] = "damaged"
        elif _is_accepted(data[at:end], needed + data[scan : scan + 2 + _length(data, scan)]):
            kept.append(data[at:end])
        else:
            left_out[name] = "not usable"
    result = b"".join([*kept, data[scan:]])
    notes = [left_out_note("segments", left_out)] if left_out else []
    if data.find(_END_MARK, scan) < 0 and _has_all_pixels(result):
        result += _END_MARK
        notes.append("its end mark is missing, its pixels are whole")
    return MendedFile(result, "; ".join(notes))


def _segments(data: bytes) -> Iterator[_Segment]:
    """The segments up to the first scan; one whose length is damaged ends where the next sound one begins."""
    at = len(_JPEG)
    for _ in range(_MAX_SEGMENTS):
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        if not _MARKER.match(data, at):
            return
        marker, end = data[at + 1], at + 2 + _length(data, at)
        if marker == _SCAN:
            yield marker, at, end
            return
        if not _is_sound(data, at):
            end = _next_sound(data, at + 2) if marker not in _NEEDED else 0
            if not end:
                return
        yield marker, at, end
        at = end


def _length(data: bytes, at: int) -> int:
    return int.from_bytes(data[at + 2 : at + 4], "big")


def _is_sound(data: bytes, at: int) -> bool:
    """Whether another segment follows this one, or it is that of a scan."""
    length = _length(data, at)
    if data[at + 1] == _SCAN:
        return length == 6 + 2 * data[at + 4] if at + 4 < len(data) else False
    return length >= 2 and bool(_MARKER.match(data, at + 2 + length) or data[at + 2 + length :].startswith(b"\xff\xff"))


def _next_sound(data: bytes, start: int) -> int:
    """Where the segments go on that lead to the largest picture, since EXIF may hold a small one; 0 if none do."""
    best, most = 0, 0
    for tried, found in enumerate(_MARKER.finditer(data, start, start + (1 << 17))):
        if tried >= _MAX_TRIED:
            break
        if (pixels := _pixels(data, found.start())) > most:
            best, most = found.start(), pixels
    return best


def _pixels(data: bytes, at: int) -> int:
    """The pixels of the frame to which sound segments lead; 0 if they lead to none."""
    pixels = 0
    for _ in range(_MAX_SEGMENTS):
        if not _MARKER.match(data, at) or not _is_sound(data, at):
            return 0
        if data[at + 1] == _SCAN:
            return pixels
        if data[at + 1] in _FRAMES and at + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 5)
            pixels = height * width
        at += 2 + _length(data, at)
    return 0


def _is_accepted(segment: bytes, rest: bytes) -> bool:
    """Whether Pillow opens a picture that has this segment."""
    try:
        with Image.open(BytesIO(_JPEG + segment + rest), formats=("JPEG",)):
            return True
    except READER_ERRORS:
        return False


def _has_all_pixels(data: bytes) -> bool:
    """Whether a JPEG file without end mark is cut behind its last pixel: what would follow changes none of them."""
    try:
        with Image.open(BytesIO(data), formats=("JPEG",)) as image:
            if not isinstance(image, JpegImagePlugin.JpegImageFile) or not _has_all_scans(data, len(image.layer)):
                return False
        first, second = (Image.open(BytesIO(data + fill + _END_MARK), formats=("JPEG",)) for fill in _FILLS)
        with first, second:
            return ImageChops.difference(first, second).getbbox(alpha_only=False) is None
    except READER_ERRORS:
        return False


def _has_all_scans(data: bytes, components: int) -> bool:
    """Whether the scans of a JPEG file bring every coefficient of every component to its last bit."""
    done: dict[int, int] = {}
    for found in re.finditer(rb"\xff\xda", data):
        at = found.start()
        if not _is_sound(data, at) or len(data) < at + 2 + _length(data, at):
            continue
        count = data[at + 4]
        first, last, precision = data[at + 5 + 2 * count : at + 8 + 2 * count]
        if not precision & 15:
            for component in data[at + 5 : at + 5 + 2 * count : 2]:
                done[component] = done.get(component, 0) | ((1 << (last + 1)) - (1 << first))
    return sum(bits == (1 << 64) - 1 for bits in done.values()) >= components


def _mended_webp(data: bytes) -> MendedFile | None:
    kept: list[bytes] = []
    left_out: dict[str, str] = {}
    at, flags = 12, 0
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > len(data):
            if kind not in _WEBP_BESIDE:
                return None
            left_out[kind.decode().strip()] = "cut"
            flags |= _WEBP_BESIDE[kind]
            break
        kept.append(data[at : at + 8 + length].ljust(8 + length + length % 2, b"\0"))
        at += 8 + length + length % 2
    if kept and kept[0].startswith(b"VP8X"):
        kept[0] = kept[0][:8] + bytes([kept[0][8] & ~flags]) + kept[0][9:]
    body = b"WEBP" + b"".join(kept)
    note = left_out_note("chunks", left_out) if left_out else ""
    return MendedFile(b"RIFF" + struct.pack("<I", len(body)) + body, note)
