"""How text should look, and text that was fitted into a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import InputError
from .line import Line

RGB = tuple[int, int, int]


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
