"""One line of text: its runs of one face and one direction, in the order in which they stand, and their ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ...errors import InputError
from ..colors import RGB
from .bidi import visual_order
from .fonts import Faces, Piece
from .sfnt import Face


@dataclass(frozen=True)
class Run:
    """A part of a line in one face and one direction, and its pen's place from the line's first pen."""

    face: Face
    text: str
    x: int
    is_rtl: bool


@dataclass(frozen=True)
class Line:
    """A line's runs and the box of their ink without outline, from the first pen on the baseline."""

    runs: tuple[Run, ...] = ()
    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    @property
    def width(self) -> int:
        return self.right - self.left


def lay_out(pieces: Sequence[Piece], levels: Sequence[int], size: int, faces: Faces) -> Line:
    """The line for some pieces, one level (of bidi.py) each; white space at its ends is left out."""
    start, end = 0, len(pieces)
    while start < end and pieces[start][0].isspace():
        start += 1
    while start < end and pieces[end - 1][0].isspace():
        end -= 1
    parts = _parts(pieces[start:end], levels[start:end])
    ordered = [parts[i] for i in visual_order([level for _, level, _ in parts])]
    return _place(ordered, size, faces)


def _parts(pieces: Sequence[Piece], levels: Sequence[int]) -> list[tuple[Face, int, str]]:
    """Face, level and text of each run, in the order of reading."""
    groups = groupby(zip(pieces, levels, strict=True), lambda item: (item[0][1], item[1]))
    return [(face, level, "".join(piece[0] for piece, _ in group)) for (face, level), group in groups]


def _place(parts: Sequence[tuple[Face, int, str]], size: int, faces: Faces) -> Line:
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


@dataclass(frozen=True)
class TextStyle:
    """How text looks. Sizes in pixels; the text is drawn between min_size and size, as large as fits."""

    size: int
    min_size: int
    fill: RGB = (255, 255, 255)
    outline: RGB = (0, 0, 0)
    #: 0 for none.
    outline_width: int = 0
    align: Literal["left", "center", "right"] = "center"
    #: What is left out of a text that does not fit: its end, or its middle (file names).
    shorten: Literal["end", "middle"] = "end"
    #: From baseline to baseline, in sizes.
    line_spacing: float = 1.15

    def __post_init__(self) -> None:
        if not 1 <= self.min_size <= self.size:
            raise InputError(f"the text sizes are {self.min_size} to {self.size}; give 1 <= smallest <= largest")
        if self.outline_width < 0:
            raise InputError(f"the outline is {self.outline_width} pixels wide; it must be 0 or more")


@dataclass(frozen=True)
class TextBlock:
    """Text that was fitted; every pixel of it, the outline too, lies inside width x height."""

    lines: tuple[Line, ...] = ()
    #: Of each line, from the top of the block.
    baselines: tuple[int, ...] = ()
    size: int = 0
    width: int = 0
    height: int = 0
    shortened: bool = False
    #: Characters that no face has a glyph for.
    missing: frozenset[str] = frozenset()
