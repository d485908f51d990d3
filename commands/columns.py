"""The table of found models for a terminal: a line per model, and below it what is assumed and what is wrong."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence


def printable(text: str) -> str:
    """The text with escapes in place of what a terminal would act on instead of showing it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def columns_of(text: str) -> int:
    """Columns of a terminal that a text takes; Chinese, Japanese and Korean characters take two."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


_GAP = "  "


def aligned(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> Iterator[str]:
    """The rows as lines, all of one length; the columns ``right`` are numbers, which end below each other.

    Characters that would move the cursor are shown as their escapes. Nothing is cut: a path must stay whole.
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(columns_of, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = [
            _padded(cell, width, place in right) for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield _GAP.join(cells).rstrip()


def _padded(cell: str, width: int, at_right: bool) -> str:
    room = " " * (width - columns_of(cell))
    return room + cell if at_right else cell + room
