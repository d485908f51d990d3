"""The row of a table for each picture of a sheet, and what the user should know of those that do not fit."""

from __future__ import annotations

from collections.abc import Sequence

from ..pictures.survey import Picture
from .table import Match, Table, match_by_position, match_table


def find_rows(table: Table | None, pictures: Sequence[Picture]) -> tuple[Match | None, list[str]]:
    """What the table says of each picture, and warnings; None without a table."""
    if table is None:
        return None, []
    match, warnings = match_table(table, [str(one.path or one.name) for one in pictures]), list[str]()
    if _is_empty(match) and not any(one.path for one in pictures):
        # pictures from memory have no file names that a row could name
        match = match_by_position(table, len(pictures))
        if table.keyed:
            warnings.append("no row names one of the pictures; the rows were given to them in order")
    warnings += table.notes
    if match.unmatched:
        warnings.append(f"{len(match.unmatched)} rows match no picture: {_some(match.unmatched)}")
    if match.repeated:
        warnings.append(f"rows repeat a picture, the last one counts: {_some(match.repeated)}")
    if _is_empty(match):
        warnings.append("no row of the table matches a picture; compare its key column with the file names")
    return match, warnings


def _is_empty(match: Match) -> bool:
    return all(row is None for row in match.rows)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
