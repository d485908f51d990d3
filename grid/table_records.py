"""What every kind of table text is read into before its rows are matched with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_SHOWN = 5


@dataclass(frozen=True)
class Records:
    """Named cells as text, row by row; empty cells are absent."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    #: Values that hold for every picture, also for those without a row.
    shared: Mapping[str, str] = field(default_factory=dict)
    #: The picture that each row belongs to, where the text says so outside the columns.
    keys: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def some(noun: str, items: Sequence[object]) -> str:
    """The first few items of a list that may be long: "line 3", "lines 1, 2, 3, 4, 5 and 12 more"."""
    plural = "" if len(items) == 1 else "s"
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{noun}{plural} {', '.join(str(item) for item in items[:_SHOWN])}{more}"
