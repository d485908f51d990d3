"""Reading TrueType and OpenType files: their faces, names, styles, and the characters that they have glyphs for.

Pillow does not tell which characters a font has, so the tables are read here.
Source: OpenType specification 1.9, tables name, OS/2, fvar, cmap (formats 4 and 12), CBLC and sbix.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ImageFont

from ...errors import InputError
from ...input_files import open_file

_COLOR_TABLES = {"CBDT", "sbix", "COLR"}
_NAME_IDS = {1: "family", 4: "full name", 6: "PostScript name", 16: "typographic family"}
_ENGLISH = 0x409
_REGULAR = 400
# (platform, encoding) of the Unicode subtables of a cmap, the one with the most characters first
_UNICODE = ((3, 10), (0, 6), (0, 4), (3, 1), (0, 3), (0, 2), (0, 1), (0, 0))
#: Offset and length of each table of a face, by its tag.
Tables = dict[str, tuple[int, int]]
CodePoints = npt.NDArray[np.int64]


class UnreadableFont(InputError):
    """A font file that is there and cannot be used."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(f"the font {path.name} cannot be used ({reason})")


# compared and hashed by identity, for speed: a face is looked up for every letter of every label
@dataclass(frozen=True, eq=False)
class Face:
    """One face of a font file; an empty path stands for the font built into Pillow."""

    path: Path
    index: int = 0
    family: str = ""
    #: Family, full and PostScript names in all languages, casefolded.
    names: frozenset[str] = frozenset()
    #: At which it is drawn, where the font is variable.
    weight: int = _REGULAR
    #: The least and the greatest weight of a variable font.
    weights: tuple[float, float] | None = None
    #: Upright and of normal width.
    is_plain: bool = True
    is_color: bool = False
    #: Pixel sizes for which it has colour bitmaps.
    strikes: tuple[int, ...] = ()

    @property
    def is_builtin(self) -> bool:
        return not self.path.name

    def has_weight(self, weight: int) -> bool:
        """Whether the font is variable and can be drawn at this weight."""
        return self.weights is not None and self.weights[0] <= weight <= self.weights[1]

    def has(self, char: str) -> bool:
        """Whether the face has a glyph for the character."""
        codes = coverage(self.path, self.index)
        at = int(np.searchsorted(codes, ord(char)))
        return at < len(codes) and int(codes[at]) == ord(char)


def read_faces(path: Path) -> list[Face]:
    """The faces of a font file, in file order; raises UnreadableFont."""
    try:
        with open_file(path) as stream:
            return [_read_face(stream, path, i, offset) for i, offset in enumerate(_face_offsets(stream))]
    except (OSError, InputError, struct.error, ValueError, IndexError, MemoryError) as error:
        told = error.strerror if isinstance(error, OSError) else None
        raise UnreadableFont(path, told or str(error)) from error


def builtin_face() -> Face:
    """The font built into Pillow: Latin, without Greek, Cyrillic and most symbols."""
    return Face(Path(), family="Pillow's built-in face")


@lru_cache(maxsize=2048)
def coverage(path: Path, index: int) -> CodePoints:
    """The code points of a face's characters, ascending [N]; none when its tables are damaged."""
    try:
        with _open(path) as stream:
            tables = _directory(stream, _face_offsets(stream)[index])
            return _read_cmap(_table(stream, tables, "cmap"))
    except (OSError, struct.error, ValueError, IndexError):
        return np.empty(0, np.int64)


def _open(path: Path) -> BinaryIO:
    if path.name:
        return path.open("rb")
    face = ImageFont.load_default(10)
    return io.BytesIO(getattr(face, "font_bytes", b""))


def _face_offsets(stream: BinaryIO) -> list[int]:
    head = stream.read(12)
    if head[:4] != b"ttcf":
        return [0]
    count = struct.unpack(">I", head[8:12])[0]
    return list(struct.unpack(f">{count}I", stream.read(4 * count)))


def _directory(stream: BinaryIO, offset: int) -> Tables:
    stream.seek(offset)
    kind, count = struct.unpack(">4sH6x", stream.read(12))
    if kind not in (b"\0\1\0\0", b"OTTO", b"true"):
        raise ValueError("it does not begin like a TrueType or OpenType font")
    records = (struct.unpack(">4s4xII", stream.read(16)) for _ in range(count))
    return {tag.decode("latin-1"): (start, length) for tag, start, length in records}


def _table(stream: BinaryIO, tables: Tables, tag: str) -> bytes:
    if tag not in tables:
        return b""
    start, length = tables[tag]
    stream.seek(start)
    return stream.read(length)


def _read_face(stream: BinaryIO, path: Path, index: int, offset: int) -> Face:
    tables = _directory(stream, offset)
    family, names = _read_names(_table(stream, tables, "name"))
    weight, is_plain = _read_style(_table(stream, tables, "OS/2"))
    weights = _read_weights(_table(stream, tables, "fvar"))
    if weights:
        # the default of a variable font may be its thinnest
        weight = round(min(max(_REGULAR, weights[0]), weights[1]))
    strikes = _cblc_strikes(_table(stream, tables, "CBLC")) or _sbix_strikes(_table(stream, tables, "sbix"))
    is_color = not _COLOR_TABLES.isdisjoint(tables)
    return Face(path, index, family or path.stem, names, weight, weights, is_plain, is_color, strikes)


def _read_names(data: bytes) -> tuple[str, frozenset[str]]:
    """The English family name ("" if there is none) and all names, casefolded."""
    if not data:
        return "", frozenset()
    count, strings = struct.unpack(">2xHH", data[:6])
    families: dict[int, str] = {}
    names = set()
    for i in range(count):
        platform, _, language, kind, length, start = struct.unpack_from(">6H", data, 6 + 12 * i)
        if kind not in _NAME_IDS:
            continue
        raw = data[strings + start : strings + start + length]
        name = raw.decode("mac_roman" if platform == 1 else "utf-16-be", "replace")
        names.add(name.casefold())
        if language in (_ENGLISH, 0):
            families[kind] = name
    return families.get(16) or families.get(1, ""), frozenset(names)


def _read_style(data: bytes) -> tuple[int, bool]:
    """Weight (400 is regular), and whether it is upright and of normal width."""
    if len(data) < 64:
        return _REGULAR, True
    weight, width = struct.unpack_from(">HH", data, 4)
    is_italic = bool(struct.unpack_from(">H", data, 62)[0] & 1)
    return weight, width == 5 and not is_italic


def _read_weights(data: bytes) -> tuple[float, float] | None:
    """The least and the greatest weight of a variable font; None where there is no such axis."""
    if not data:
        return None
    start, count, size = struct.unpack_from(">4xH2xHH", data)
    for i in range(count):
        tag, least, greatest = struct.unpack_from(">4si4xi", data, start + size * i)
        if tag == b"wght":
            return least / 65536, greatest / 65536
    return None


def _cblc_strikes(data: bytes) -> tuple[int, ...]:
    if not data:
        return ()
    count = struct.unpack_from(">I", data, 4)[0]
    return tuple(sorted(data[8 + 48 * i + 45] for i in range(count)))


def _sbix_strikes(data: bytes) -> tuple[int, ...]:
    if not data:
        return ()
    count = struct.unpack_from(">I", data, 4)[0]
    offsets = struct.unpack_from(f">{count}I", data, 8)
    return tuple(sorted(struct.unpack_from(">H", data, offset)[0] for offset in offsets))


def _read_cmap(data: bytes) -> CodePoints:
    count = struct.unpack_from(">H", data, 2)[0]
    records = [struct.unpack_from(">HHI", data, 4 + 8 * i) for i in range(count)]
    subtables = {(platform, encoding): offset for platform, encoding, offset in records}
    readers = {4: _format_4, 12: _format_12}
    for key in _UNICODE:
        if key in subtables:
            subtable = data[subtables[key] :]
            kind = struct.unpack_from(">H", subtable)[0]
            if kind in readers:
                return np.unique(readers[kind](subtable))
    return np.empty(0, np.int64)


def _format_4(data: bytes) -> CodePoints:
    """Characters of the basic multilingual plane; glyph number 0 means that there is no glyph."""
    words = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype(np.int64)
    n = int(words[3]) // 2
    ends, starts = words[7 : 7 + n], words[8 + n : 8 + 2 * n]
    deltas, offsets = words[8 + 2 * n : 8 + 3 * n], words[8 + 3 * n : 8 + 4 * n]
    segment, codes = _expand(starts, ends)
    direct = (codes + deltas[segment]) & 0xFFFF
    # an offset counts bytes from its own place in the table
    at = 8 + 3 * n + segment + offsets[segment] // 2 + codes - starts[segment]
    listed = words[np.minimum(at, len(words) - 1)]
    glyphs = np.where(offsets[segment] == 0, direct, listed)
    is_there: npt.NDArray[np.bool_] = (glyphs != 0) & (codes != 0xFFFF)
    return np.compress(is_there, codes)


def _format_12(data: bytes) -> CodePoints:
    count = struct.unpack_from(">I", data, 12)[0]
    groups = np.frombuffer(data, ">u4", 3 * count, 16).astype(np.int64).reshape(-1, 3)
    group, codes = _expand(groups[:, 0], np.minimum(groups[:, 1], 0x10FFFF))
    return np.compress(groups[group, 2] + codes - groups[group, 0] != 0, codes)


def _expand(starts: CodePoints, ends: CodePoints) -> tuple[CodePoints, CodePoints]:
    """All numbers of the ranges: the index of the range of each [N], and the numbers [N]; ends are included."""
    lengths = np.maximum(ends - starts + 1, 0)
    which = np.repeat(np.arange(len(starts)), lengths)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return which, starts[which] + within
