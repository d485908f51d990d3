"""Tables of labels and values for pictures, read from CSV or JSON as people write them, and matched with pictures."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import InputError
from .from_csv import read_csv
from .from_json import read_json
from .matching import match_keys, path_parts
from .records import KEY_COLUMNS, Records, find_key_column, some

_MARKS = (
    # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


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


@dataclass(frozen=True)
class Match:
    """What a table says about each of some pictures, and what in it was of no use."""

    #: One per picture; None where the table says nothing.
    rows: tuple[dict[str, str] | None, ...]
    #: One per picture: the index of its row in the table.
    order: tuple[int | None, ...]
    #: Keys of the rows that no picture answers to; "row 5" where rows go by position.
    unmatched: tuple[str, ...]
    #: Keys that occur more than once; their last row counts.
    repeated: tuple[str, ...]


def read_table(path: Path, *, needs_names: bool = True) -> Table:
    """The table in a CSV or JSON file of any common encoding.

    Raises InputError, naming the file, when it cannot be read, is empty, or is CSV without a column of file names; that
    column is not needed for pictures that have no files, whose rows may go by position.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"table {path} cannot be read: {error.strerror or error}") from error
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
    """The table in CSV or JSON text; `name` is for messages, and its ending, if .json, .csv or .tsv, decides which.

    A table without a column of file names goes by position. Raises InputError when there is no table in the text.
    """
    text = text.lstrip("\ufeff")
    if "\0" in text:
        raise InputError(f"{name} contains NUL bytes, so it is not plain text; save it as CSV or JSON in UTF-8")
    if not text.strip():
        raise InputError(f"{name} is empty; a table needs a header and rows")
    records = read_json(text, name=name) if _is_json(text, name) else read_csv(text)
    if not records.columns and not records.rows and not _is_json(text, name):
        raise InputError(f"{name} has only empty cells; a table needs a header and rows")
    return _table(records)


def match_table(table: Table, paths: Sequence[str]) -> Match:
    """The row of each picture. A picture's path may be absolute or relative, with either slash.

    A key matches by path, base name or stem, then the same in any case; a longer path wins over a bare name, and a
    bare name serves every folder. Tables without keys go by position.
    """
    if not table.keyed:
        return match_by_position(table, len(paths))
    parts = [path_parts(key) for key in table.keys]
    last = {key: index for index, key in enumerate(parts)}
    rows = list(last.values())
    found = match_keys(list(last), [path_parts(path) for path in paths])
    order = tuple(None if key is None else rows[key] for key in found)
    used = set(order)
    counts = Counter(parts)
    return Match(
        rows=_rows_of(table, order),
        order=order,
        unmatched=tuple(table.keys[row] for row in rows if row not in used),
        repeated=tuple(table.keys[row] for row in rows if counts[parts[row]] > 1),
    )


def match_by_position(table: Table, count: int) -> Match:
    """The n-th row for the n-th of `count` pictures, whatever the keys say."""
    order = tuple(index if index < len(table.rows) else None for index in range(count))
    surplus = tuple(f"row {number}" for number in range(count + 1, len(table.rows) + 1))
    return Match(_rows_of(table, order), order, surplus, ())


def _rows_of(table: Table, order: Sequence[int | None]) -> tuple[dict[str, str] | None, ...]:
    nothing = dict(table.shared) or None
    return tuple(nothing if row is None else table.rows[row] for row in order)


def _decode(raw: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The text, and a note if its encoding had to be guessed."""
    marked = next((encoding for mark, encoding in _MARKS if raw.startswith(mark)), None)
    if marked is None:
        text, encoding = _guess(raw)
        return text, () if encoding == "utf-8" else (f"{name} is not UTF-8; read as {encoding}",)
    try:
        return raw.decode(marked), ()
    except UnicodeDecodeError as error:
        raise InputError(f"{name} begins like {marked} text but is not: {error.reason}; save it as UTF-8") from None


def _guess(raw: bytes) -> tuple[str, str]:
    """The text in the first encoding that fits, and which that is."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return raw.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1"), "latin-1"


def _is_json(text: str, name: str) -> bool:
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".tsv"):
        return False
    return suffix == ".json" or text.lstrip("\ufeff \t\r\n").startswith(("[", "{"))


def _table(records: Records) -> Table:
    if records.keys is not None:
        return Table(records.columns, records.keys, records.rows, records.notes, True, records.shared)
    key_column = find_key_column(records.columns)
    if key_column is None or key_column in records.shared:
        return Table(records.columns, ("",) * len(records.rows), records.rows, records.notes, False, records.shared)
    return _keyed(records, key_column)


def _keyed(records: Records, key_column: str) -> Table:
    kept = [row for row in records.rows if key_column in row]
    lost = [number for number, row in enumerate(records.rows, 1) if row and key_column not in row]
    notes = records.notes
    if lost:
        notes = (*notes, f"nothing in the column {key_column!r} of {some('row', lost)}, so they belong to no picture")
    return Table(
        columns=tuple(column for column in records.columns if column != key_column),
        keys=tuple(row[key_column] for row in kept),
        rows=tuple({column: cell for column, cell in row.items() if column != key_column} for row in kept),
        notes=notes,
        keyed=True,
        shared=records.shared,
    )
