"""Tables for a terminal: cells below each other, whatever their characters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ..clip_backend.finding.model_table import columns_of, printable

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
