"""Vocabularies as lists of lines and as tables.

A list has one label per line. ``# …`` is a comment, ``[facet]`` begins a facet, and ``animal > bird > owl`` says what a
label is a kind of. A table has a header with the column ``label`` and perhaps ``facet`` and ``parent``, which may be
``animal > bird``; a table of one column without header is a list of labels. A parent is a label where it is listed.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...errors import InputError
from .vocabulary import LABEL, Entry, Vocabulary, build_vocabulary, same_text

#: Stands between what is wider and what is narrower.
ABOVE = ">"
_DELIMITERS = (",", ";", "\t")
_COLUMNS = {
    "label": LABEL,
    "labels": LABEL,
    "facet": "facet",
    "facets": "facet",
    "parent": "parent",
    "parents": "parent",
}


def read_list(text: str, name: str) -> Vocabulary:
    """The vocabulary in lines of text; raises InputError for a ``>`` beside which nothing stands."""
    return build_vocabulary(name, _listed(text))


def read_table(text: str, name: str) -> Vocabulary:
    """The vocabulary in CSV; raises InputError for a header without ``label``, a row without one, and loose quotes."""
    return build_vocabulary(name, _tabled(text))


def _listed(text: str) -> Iterator[Entry]:
    facet = LABEL
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            facet = line[1:-1].strip() or LABEL
        elif line and not line.startswith("#"):
            *above, label = _way(line, number)
            yield Entry(label=label, facet=facet, above=tuple(above))


def _tabled(text: str) -> Iterator[Entry]:
    rows = _rows(text)
    columns = [_COLUMNS.get(cell.strip().casefold(), "") for cell in rows[0][1]] if rows else []
    if LABEL in columns:
        rows = rows[1:]
    elif all(len(cells) == 1 for _, cells in rows):
        columns = [LABEL]
    else:
        raise InputError("the first line names no column label; it must be a header such as label,facet,parent")
    for number, cells in rows:
        yield _row_entry(dict(zip(columns, (cell.strip() for cell in cells), strict=False)), number)


def _row_entry(row: Mapping[str, str], number: int) -> Entry:
    if not row.get(LABEL):
        raise InputError(f"line {number} has no label; fill it in or take the line out")
    above = _way(row["parent"], number) if row.get("parent") else ()
    return Entry(label=row[LABEL], facet=row.get("facet") or LABEL, above=tuple(above))


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its last line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} is no sound CSV ({error}); check its quotes") from error


def _delimiter(text: str) -> str:
    header = text.lstrip().partition("\n")[0]
    return max(_DELIMITERS, key=header.count)


def _way(text: str, number: int) -> Sequence[str]:
    names = [name.strip() for name in text.split(ABOVE)]
    if not all(names):
        raise InputError(f"line {number} is {text[:40]!r}; on both sides of {ABOVE} there must be a name")
    return names


_KEYS = ("facet", "templates", "labels")
_DEEPEST = 20


def read_json_words(text: str, name: str) -> Vocabulary:
    """The vocabulary in JSON; raises InputError where it is not JSON, or not of the form above."""
    entries: list[Entry] = []
    templates: dict[str, tuple[str, ...]] = {}
    for facet, body in _facets(_parse(text)):
        labels, sentences = _parts(body)
        entries += [Entry(label=label, facet=facet, above=above) for label, above in _labels(labels, ())]
        if sentences:
            templates[same_text(facet)] = sentences
    return build_vocabulary(name, entries, templates=templates)


def _parse(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"is not valid JSON ({error.msg.lower()} at {where}); correct it there") from None
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"is not valid JSON ({str(error)[:80]}); correct it") from None
    except RecursionError:
        raise InputError("is JSON nested too deeply to be a vocabulary; write fewer levels") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"one object holds {twice!r} twice; put both under one")
    return built


def _facets(value: object) -> Iterator[tuple[str, object]]:
    """The name and the body of each facet, a body being LABELS or an object with them."""
    if isinstance(value, list) and any(_is_facet(one) for one in value):
        for one in value:
            if not _is_facet(one):
                raise InputError(f"{_shown(one)} stands among facets; put it into the labels of one")
            yield from _facets(one)
    elif isinstance(value, dict) and not _is_facet(value):
        yield from ((str(name), body) for name, body in value.items())
    else:
        yield _name(value), value


def _is_facet(value: object) -> bool:
    return isinstance(value, dict) and "labels" in value


def _name(value: object) -> str:
    name = value.get("facet", LABEL) if isinstance(value, dict) else LABEL
    return _text(name, "the name of a facet")


def _parts(body: object) -> tuple[object, tuple[str, ...]]:
    """LABELS, and the templates if there are any."""
    if not isinstance(body, dict) or not _is_facet(body):
        return body, ()
    strange = next((key for key in body if key not in _KEYS), None)
    if strange is not None:
        raise InputError(f"a facet has the key {strange!r}; it can have {', '.join(_KEYS)}")
    sentences = body.get("templates", [])
    if not isinstance(sentences, list):
        raise InputError(f"the templates are {_shown(sentences)}; give a list of texts")
    return body["labels"], tuple(_text(one, "a template") for one in sentences)


def _labels(value: object, above: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each label with what stands above it, the widest first."""
    if len(above) > _DEEPEST:
        raise InputError(f"the labels are nested more than {_DEEPEST} deep; write fewer levels")
    if isinstance(value, dict):
        for group, members in value.items():
            yield from _labels(members, (*above, group) if group.strip() else above)
    elif isinstance(value, list):
        for one in value:
            yield from _labels(one, above) if isinstance(one, dict) else [(_text(one, "a label"), above)]
    else:
        raise InputError(f"{_shown(value)} stands where labels should be; give a list of texts")


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{what} is {_shown(value)}; it must be a text that is not empty")
    return value


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:40]


_LARGEST = 16_000_000
_LINE_END = b"\n"
_READERS = {".txt": read_list, ".csv": read_table, ".json": read_json_words}
ENDINGS = tuple(_READERS)


def is_word_file(text: str) -> bool:
    """Whether a text names a file of words, by its ending."""
    return text.lower().endswith(ENDINGS) and "\n" not in text


def read_vocabulary(path: str | os.PathLike[str]) -> Vocabulary:
    """The words in a file, by its ending, under the file's name; see the readers for the forms.

    Raises InputError, with the file's path, when it cannot be read, is not UTF-8, holds no labels, or is malformed.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(
            f"{path} is no vocabulary by its ending; save it as {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        )
    try:
        text = _decode(_bytes(path))
        if not text.strip():
            raise InputError("is empty; write one label per line")
        return read(text, path.name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"is larger than {_LARGEST:,} bytes, which no vocabulary is")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError("there is no such file; check the path") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); check the file") from error


def _decode(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # the codec counts from behind a byte order mark
        place = error.start + len(raw) - len(error.object)
        where = f"0x{raw[place]:02X}, in line {raw.count(_LINE_END, 0, place) + 1}"
        raise InputError(f"byte {place + 1} ({where}) is not UTF-8; save the file as UTF-8") from None
    if "\0" in text:
        raise InputError(f"byte {raw.index(0) + 1} is 0, which is not text in UTF-8; save the file as UTF-8")
    return text
