"""Styles, lines and blocks of text, and the layout of one line from runs of one face and one direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby
from typing import Literal

from ...errors import InputError
from ..colors import RGB
from .bidi import visual_order
from .font_files import Face
from .fonts import Faces, Piece


@dataclass(frozen=True)
class TextStyle:
    """How text looks. Sizes are in pixels; text is drawn as large as fits, between min_size and size.

    Raises InputError for sizes in the wrong order and a negative width of the outline.
    """

    size: int
    min_size: int
    fill: RGB = (255, 255, 255)
    outline: RGB = (0, 0, 0)
    #: 0 for none.
    outline_width: int = 0
    align: Literal["left", "center", "right"] = "center"
    #: What is left out of a text that does not fit: its end, or its middle (file names).
    shorten: Literal["end", "middle"] = "end"
    #: From baseline to baseline, as a multiple of the size.
    line_spacing: float = 1.15

    def __post_init__(self) -> None:
        if not 1 <= self.min_size <= self.size:
            raise InputError(f"the text sizes are {self.min_size} to {self.size}; give 1 <= smallest <= largest")
        if self.outline_width < 0:
            raise InputError(f"the outline is {self.outline_width} pixels wide; it must be 0 or more")


@dataclass(frozen=True)
class Run:
    """A part of a line in one face and one direction; x: where it begins, from the beginning of the line."""

    face: Face
    text: str
    x: int
    is_rtl: bool


@dataclass(frozen=True)
class Line:
    """The runs of a line and the box of their ink, without outline, from the beginning of the baseline."""

    runs: tuple[Run, ...] = ()
    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    @property
    def width(self) -> int:
        return self.right - self.left


@dataclass(frozen=True)
class TextBlock:
    """Text that was fitted into a box; all its pixels, the outline too, lie inside width x height."""

    lines: tuple[Line, ...] = ()
    #: Baseline of each line, from the top of the block.
    baselines: tuple[int, ...] = ()
    size: int = 0
    width: int = 0
    height: int = 0
    shortened: bool = False
    #: Characters that no face has a glyph for.
    missing: frozenset[str] = frozenset()


def lay_out(pieces: Sequence[Piece], levels: Sequence[int], size: int, faces: Faces) -> Line:
    """The line of some pieces and the bidi level of each; white space at its ends is left out."""
    start, end = 0, len(pieces)
    while start < end and pieces[start][0].isspace():
        start += 1
    while start < end and pieces[end - 1][0].isspace():
        end -= 1
    groups = groupby(zip(pieces[start:end], levels[start:end], strict=True), lambda item: (item[0][1], item[1]))
    parts = [(face, level, "".join(piece[0] for piece, _ in group)) for (face, level), group in groups]
    ordered = [parts[i] for i in visual_order([level for _, level, _ in parts])]
    return _place(ordered, size, faces)


def pen_offsets(pieces: Sequence[Piece], size: int, faces: Faces) -> list[int]:
    """About where each piece begins on one endless line in pixels, and where the last one ends; without kerning."""
    advances = {piece: faces.at(piece[1], size).extent(piece[0], False).advance for piece in set(pieces)}
    return list(accumulate((advances[piece] for piece in pieces), initial=0))


def plain_lines(text: str, width: int, size: int, faces: Faces) -> int | None:
    """About how many lines of a width a text takes, and hardly ever fewer than that; much faster than to lay it out.

    None for a text that is not of plain letters, or that must be broken within a word.
    """
    if not (text.isascii() and faces.is_plain(text)):
        return None
    # kerning may make a line longer than its letters
    most = width - size / 4
    space = _word_width(" ", size, faces)
    lines = 0
    for paragraph in text.strip().split("\n"):
        lines += 1
        x = 0.0
        for word in paragraph.split(" "):
            own = _word_width(word, size, faces)
            if own > most:
                return None
            if x and x + space + own > most:
                lines += 1
                x = own
            else:
                x += space + own if x else own
    return lines


@lru_cache(maxsize=1 << 16)
def _word_width(word: str, size: int, faces: Faces) -> float:
    return sum(map(faces.at(faces.base, size).plain_advance, word))


def _place(parts: Sequence[tuple[Face, int, str]], size: int, faces: Faces) -> Line:
    """The line of runs (face, level, text) from left to right."""
    runs, boxes = [], []
    pen = 0
    for face, level, text in parts:
        is_rtl = level % 2 == 1
        extent = faces.at(face, size).extent(text, is_rtl)
        runs.append(Run(face, text, pen, is_rtl))
        left, top, right, bottom = extent.box
        if right > left and bottom > top:
            boxes.append((pen + left, top, pen + right, bottom))
        pen += extent.advance
    if not boxes:
        return Line(tuple(runs))
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return Line(tuple(runs), min(lefts), min(tops), max(rights), max(bottoms))
