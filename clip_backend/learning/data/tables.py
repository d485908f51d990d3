"""Tables: CSV and TSV files, JSON lines and lists of JSON objects, whose columns are known by their names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....errors import InputError
from ....json_text import UNIQUE, JsonError, parse_json
from ...match_files.pairs_file import (
    IMAGE_COLUMNS,
    LABEL_COLUMNS,
    TEXT_COLUMNS,
    check_rows,
    find_column,
    read_csv,
    read_table_text,
)
from .dataset import Facts
from .rows import Row

#: What the columns of a data set may be called beside those of a file of pairs.
TEXTS = (*TEXT_COLUMNS, "captions", "texts", "sentences")
LABELS = (*LABEL_COLUMNS, "class", "class name", "category")
_OTHERS: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt", "positive prompt", "positive"),
    "model": ("model", "checkpoint", "model name"),
    "seed": ("seed", "noise seed"),
    "source": ("group", "group id", "source file", "source image", "source picture", "original", "parent"),
    "part": ("split", "subset", "partition"),
}
Cell = str | Sequence[str]


@dataclass(frozen=True)
class Columns:
    """Which column means what; "" where none does."""

    picture: str
    text: str = ""
    label: str = ""
    prompt: str = ""
    model: str = ""
    seed: str = ""
    source: str = ""
    part: str = ""

    @classmethod
    def of(cls, names: Sequence[str], path: Path) -> Columns:
        """The columns of these names; raises InputError without one of pictures, or without any of texts and labels."""
        picture = _named(IMAGE_COLUMNS, names)
        columns = cls.of_texts(names, picture)
        text, label = columns.text, columns.label
        if not picture or not (text or label):
            what, wanted = ("pictures", IMAGE_COLUMNS) if not picture else ("texts or labels", (*TEXTS, *LABELS))
            raise InputError(
                f"{path} has no column of {what}, only {', '.join(filter(None, names))[:300]}; name one of them "
                f"{', '.join(wanted[:-1])} or {wanted[-1]}"
            )
        return columns

    @classmethod
    def of_texts(cls, names: Sequence[str], picture: str = "") -> Columns:
        """The columns of these names, whatever is there; picture: that of the pictures."""
        meanings = {meaning: _named(wanted, names) for meaning, wanted in _OTHERS.items()}
        return cls(picture, _named(TEXTS, names), _named(LABELS, names), **meanings)

    def rows(
        self, record: Mapping[str, Cell], number: int, line: int | None, problem: tuple[str, str] | None = None
    ) -> Iterator[Row]:
        """A row for each text of a record; one without a text is a row too."""

        def single(name: str) -> str:
            value = record.get(name, "")
            return value if isinstance(value, str) else ""

        facts = Facts(single(self.prompt), single(self.model), single(self.seed))
        texts = record.get(self.text, "")
        for text in [texts] if isinstance(texts, str) else texts or [""]:
            yield Row(
                single(self.picture), text, single(self.label), number, line, facts=facts,
                source=single(self.source), part=single(self.part), problem=problem,
            )  # fmt: skip


def _named(wanted: Sequence[str], names: Sequence[str]) -> str:
    place = find_column(wanted, names)
    return "" if place is None else names[place]


def csv_rows(path: Path) -> Iterator[Row]:
    """The rows of a CSV or TSV file; raises InputError as ``read_csv`` and ``Columns.of``."""
    names, rows = read_csv(path, "the data set", (IMAGE_COLUMNS, TEXTS, LABELS))
    columns = Columns.of(names, path)
    check_rows(rows, path)
    for row in rows:
        problem = ("columns" if row.is_utf8 else "encoding", row.problem) if row.problem else None
        # of two columns of one name the first counts
        record = dict(zip(reversed(names), reversed(row.cells), strict=True))
        yield from columns.rows(record, row.number, row.line, problem)


def json_line_rows(path: Path) -> Iterator[Row]:
    """The rows of a file with one JSON object per line; a line that is none costs itself alone."""
    records: list[tuple[int, Mapping[str, Cell], tuple[str, str] | None]] = []
    for line, text in enumerate(read_table_text(path, "the data set").split("\n"), 1):
        if text.strip():
            records.append((line, *_object_in(text)))
    if not records:
        raise InputError(f"{path} is empty; it needs a JSON object on each line")
    first, _, reason = records[0]
    if reason and all(problem for _, _, problem in records):
        raise InputError(f"{path}: none of its {len(records)} lines can be used; the first: line {first}: {reason[1]}")
    columns = Columns.of(list(dict.fromkeys(name for _, record, _ in records for name in record)), path)
    for number, (line, record, problem) in enumerate(records, 1):
        yield from columns.rows(record, number, line, problem)


def _object_in(text: str) -> tuple[Mapping[str, Cell], tuple[str, str] | None]:
    """The cells in a line, and what is wrong with it."""
    if not text.isascii() and text != text.encode("utf-8", "replace").decode("utf-8"):
        return {}, ("encoding", "it has bytes that are not UTF-8, so what it says is unknown; save the file in UTF-8")
    try:
        value = parse_json(text, UNIQUE)
    except JsonError as error:
        return {}, ("bad-entry", f"it is no JSON: {error}")
    if not isinstance(value, dict):
        return {}, ("bad-entry", "it is no JSON object; write {…} with the names of the columns")
    return cells_of(value), None


def object_rows(values: Sequence[object], path: Path) -> Iterator[Row]:
    """The rows of a list of JSON objects; raises InputError as ``Columns.of``."""
    records = [cells_of(value) if isinstance(value, dict) else None for value in values]
    columns = Columns.of(list(dict.fromkeys(name for record in records for name in record or ())), path)
    for number, record in enumerate(records, 1):
        problem = ("bad-entry", "it is no JSON object; write {…} with the names of the columns")
        yield from columns.rows(record or {}, number, None, None if record is not None else problem)


def cells_of(value: Mapping[str, object]) -> dict[str, Cell]:
    """Single values as text, and lists of texts; ``{"raw": text}`` counts as a text. Other values are left out."""
    return {name: cell for name, inner in value.items() if (cell := _cell(inner)) is not None}


def _cell(value: object) -> Cell | None:
    if isinstance(value, list):
        return tuple(text_of(one) for one in value)
    return text_of(value) if isinstance(value, (str, int, float, dict)) else None


def text_of(value: object) -> str:
    """A single value, or the text in ``{"raw": text}`` or ``{"caption": text}``; empty for anything else.

    NaN is what pandas writes for a missing text.
    """
    if isinstance(value, dict):
        return next((text_of(value[name]) for name in ("raw", "caption", "text") if name in value), "")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return str(value).strip() if isinstance(value, (str, int, float)) else ""


def texts_of(value: object) -> Iterable[str]:
    """The texts of a value that is one, or a list of some."""
    return [text_of(one) for one in value] if isinstance(value, list) else [text_of(value)]
