"""Results as a CSV file, which never takes the place of somebody else's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..atomic import atomic_file, output_error
from ..csv_cells import Cell, csv_text
from ..errors import OutputError


def csv_target(given: str, columns: Sequence[str], *, overwrite: bool) -> Path:
    """The file to write; raises OutputError for a folder, and for a file of other columns that may not be replaced."""
    target = Path(os.path.expanduser(given))
    if target.is_dir():
        raise OutputError(f"{target} is a folder; give the name of a file in it")
    if overwrite or not target.is_file():
        return target
    if _first_bytes(target, len(_header(columns))) != _header(columns):
        raise OutputError(f"{target} is there already and has other columns; choose another name, or add --overwrite")
    return target


def write_csv(target: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """The file in UTF-8, whole or not at all; no spreadsheet takes a cell for a formula."""
    with atomic_file(target) as file:
        file.write(csv_text(columns, rows).encode("utf-8", "replace"))


def _header(columns: Sequence[str]) -> bytes:
    return csv_text(columns, []).encode("utf-8")


def _first_bytes(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise output_error(path, error) from error
