"""Encoding the bands of a page as JPEG, strip by strip, without holding the page in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from ...arrays import Pixels
from ..bands import PageShape, recut

#: The longest side that libjpeg writes.
MAX_SIDE = 65_500
#: Pillow, with which fpdf2 opens pictures, warns of larger ones.
MAX_PIXELS = 64_000_000
MAX_RESTART_INTERVAL = 65_535
STRIP_ROWS = 1024
#: From this quality colour has full resolution, which keeps small coloured text sharp.
FULL_COLOR_QUALITY = 90


def encode_page(bands: Iterable[Pixels], width: int, height: int, quality: int) -> Iterator[tuple[bytes, int]]:
    """The page as JPEG files below each other, nearly always one, and the rows of each.

    bands: uint8 [rows, width, 3] from the top, whose rows sum to `height`. quality: 1 to 100.
    """
    unit = 8 if quality >= FULL_COLOR_QUALITY else 16
    units = -(-width // unit)
    rows = max(1, min(STRIP_ROWS // unit, MAX_RESTART_INTERVAL // units)) * unit
    most = min(MAX_SIDE, max(rows, MAX_PIXELS // width))
    strips: list[_Strip] = []
    for block in recut(bands, PageShape(width, height, 3), rows):
        strip = _encode(block.reshape(-1, width, 3), quality)
        is_full = sum(s.rows for s in strips) + strip.rows > most
        if strips and (is_full or strip.tables != strips[0].tables):
            yield _join(strips, units * (rows // unit))
            strips = []
        strips.append(strip)
    if strips:
        yield _join(strips, units * (rows // unit))


@dataclass(frozen=True)
class _Strip:
    """A JPEG in parts, so that strips with equal tables can be joined into one file."""

    rows: int
    #: Everything before the pixel data, with a height of 0.
    tables: bytes
    height_at: int
    scan_at: int
    #: The pixel data without the end marker.
    data: bytes


def _encode(pixels: Pixels, quality: int) -> _Strip:
    buffer = io.BytesIO()
    subsampling = 0 if quality >= FULL_COLOR_QUALITY else 2
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    jpeg = buffer.getvalue()
    height_at, at = 0, 2
    while jpeg[at + 1] != 0xDA:
        if 0xC0 <= jpeg[at + 1] <= 0xC2:
            height_at = at + 5
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    tables = jpeg[:height_at] + b"\0\0" + jpeg[height_at + 2 : end]
    return _Strip(len(pixels), tables, height_at, at, jpeg[end:-2])


def _join(strips: Sequence[_Strip], interval: int) -> tuple[bytes, int]:
    """One JPEG file of the strips, each a restart interval (ITU T.81, B.2.1), and its rows.

    interval: coding units (MCU) in every strip but the last.
    """
    first, rows = strips[0], sum(strip.rows for strip in strips)
    head = first.tables[: first.height_at] + rows.to_bytes(2, "big") + first.tables[first.height_at + 2 :]
    restart = b"\xff\xdd\0\4" + interval.to_bytes(2, "big") if len(strips) > 1 else b""
    parts = [head[: first.scan_at], restart, head[first.scan_at :], first.data]
    for number, strip in enumerate(strips[1:]):
        parts += [bytes((0xFF, 0xD0 + number % 8)), strip.data]
    return b"".join((*parts, b"\xff\xd9")), rows
