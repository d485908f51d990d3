"""Which text stands on which picture: sources of labels, asked in order for each picture, the source always named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ...csv_cells import plain_name

#: Columns of a table that are taken for the label itself when no columns were asked for.
LABEL_COLUMNS = ("label", "caption", "text", "title")
#: Long texts that say little in a small cell; shown only when nothing shorter varies.
LONG_COLUMNS = ("prompt", "negative")


class ColumnNames:
    """Values by column, found without regard to case, spaces, hyphens and underscores."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {plain_name(name): value for name, value in values.items()}

    def get(self, column: str) -> str | None:
        return self._values.get(plain_name(column))

    def __contains__(self, column: str) -> bool:
        return plain_name(column) in self._values


def varying_columns(rows: Sequence[Mapping[str, str] | None]) -> tuple[str, ...]:
    """Columns whose value is not the same in all rows, in order of first appearance."""
    present = [row for row in rows if row is not None]
    seen: dict[str, set[str | None]] = {}
    for row in present:
        for column, value in row.items():
            seen.setdefault(column, set()).add(value)
    counts = Counter(column for row in present for column in row)
    return tuple(c for c, values in seen.items() if len(values) > 1 or counts[c] < len(present))
