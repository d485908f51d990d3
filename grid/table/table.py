"""Tables of labels and values for pictures, read from CSV or JSON files as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import InputError
from ...input_files import read_file
from ..encodings import code_page_note, likely_code_page, marked_encoding, unmarked_encoding
from .from_csv import read_csv
from .from_json import read_json
from .records import KEY_COLUMNS, Records, find_key_column, first_few

_MOST_CELL = 1_000_000


@dataclass(frozen=True)
class Table:
    """Named values as text, row by row. Cells lose the blanks around them; numbers keep every digit as written."""

    #: Names as written, without the column that names the pictures.
    columns: tuple[str, ...]
    #: The picture that each row names, as written; all "" when rows go by position.
    keys: tuple[str, ...]
    #: Column -> text; empty cells are absent.
    rows: tuple[dict[str, str], ...]
    #: What was doubtful in the text.
    notes: tuple[str, ...]
    #: Whether rows name their pictures; otherwise they go by position.
    keyed: bool
    #: Values that hold for every picture, also for those without a row; every row contains them.
    shared: Mapping[str, str] = field(default_factory=dict)


def read_table(path: Path, *, needs_names: bool = True) -> Table:
    """The table in a CSV or JSON file in UTF-8, UTF-16, UTF-32 or, with a note, a code page.

    needs_names: refuse CSV without a column of file names; rows for pictures without files may go by position.
    Raises InputError, naming the file, when it cannot be read, is empty, or has no such column.
    """
    raw = read_file(path, "the table")
    text, notes = _decode(raw, str(path))
    table = parse_table(text, name=str(path))
    if needs_names and not table.keyed and not _is_json(text, str(path)):
        allowed = f"{', '.join(KEY_COLUMNS[:-1])} or {KEY_COLUMNS[-1]}"
        raise InputError(
            f"{path} has no column of file names, only {', '.join(table.columns)}; "
            f"its first line must be a header in which one column is called {allowed}"
        )
    return replace(table, notes=notes + table.notes)


def parse_table(text: str, *, name: str) -> Table:
    """The table in CSV or JSON text; ``name`` is for messages, and its ending, if .json, .csv or .tsv, decides which.

    A table without a column of file names goes by position. Raises InputError when there is no table in the text.
    """
    text = text.lstrip("\ufeff")
    if "\0" in text:
        raise InputError(f"{name} contains NUL bytes, so it is not plain text; save it as CSV or JSON in UTF-8")
    if not text.strip():
        raise InputError(f"{name} is empty; a table needs a header and rows")
    is_json = _is_json(text, name)
    try:
        records = read_json(text, name=name) if is_json else read_csv(text)
    except InputError as error:
        raise InputError(str(error) if is_json else f"{name}: {error}") from error
    if not records.columns and not records.rows and not is_json:
        raise InputError(f"{name} has only empty cells; a table needs a header and rows")
    return _table(_with_short_cells(records))


def _with_short_cells(records: Records) -> Records:
    """The records with the beginnings of cells that are too long to be laid out, and a note on these."""
    long = [number for number, row in enumerate(records.rows, 1) if max(map(len, row.values()), default=0) > _MOST_CELL]
    if not long:
        return records
    rows = tuple({column: cell[:_MOST_CELL] for column, cell in row.items()} for row in records.rows)
    note = f"a cell of {first_few(long, 'row')} has more than {_MOST_CELL} characters; only these many are read"
    return replace(records, rows=rows, notes=(*records.notes, note))


def _decode(raw: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The text, and a note if its encoding had to be guessed."""
    declared = marked_encoding(raw)
    if declared:
        try:
            return raw.decode(declared), ()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name} begins like {declared} text but is not: {error.reason}; save it as UTF-8"
            ) from None
    with suppress(UnicodeDecodeError):
        return raw.decode(unmarked_encoding(raw)), ()
    encoding = likely_code_page(raw)
    if not encoding:
        raise InputError(
            f"{name} is not UTF-8, and no code page fits it; save it as UTF-8 (in Excel: CSV UTF-8), or install "
            "charset-normalizer, which knows more code pages, and try again"
        )
    return raw.decode(encoding), (code_page_note(name, encoding),)


def _is_json(text: str, name: str) -> bool:
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".tsv"):
        return False
    return suffix == ".json" or text.lstrip("\ufeff \t\r\n").startswith(("[", "{"))


def _table(records: Records) -> Table:
    key_column = find_key_column(records.columns, records.rows)
    if records.keys is not None:
        return Table(records.columns, records.keys, records.rows, records.notes, True, records.shared)
    if key_column is None or key_column in records.shared:
        return Table(records.columns, ("",) * len(records.rows), records.rows, records.notes, False, records.shared)
    named = [row for row in records.rows if key_column in row]
    unnamed = [number for number, row in enumerate(records.rows, 1) if row and key_column not in row]
    notes = records.notes
    if unnamed:
        rows = first_few(unnamed, "row")
        notes = (*notes, f"nothing in the column {key_column!r} of {rows}, so they belong to no picture")
    return Table(
        columns=tuple(column for column in records.columns if column != key_column),
        keys=tuple(row[key_column] for row in named),
        rows=tuple(_without(row, key_column) for row in named),
        notes=notes,
        keyed=True,
        shared=records.shared,
    )


def _without(row: Mapping[str, str], column: str) -> dict[str, str]:
    rest = dict(row)
    del rest[column]
    return rest
