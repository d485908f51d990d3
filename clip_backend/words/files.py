"""Vocabularies in text, CSV and JSON files.

Text: one label per line. ``# …`` is a comment, ``[facet]`` begins a facet, ``animal > bird > owl`` puts a label into
groups. CSV: a header with the column ``label`` and perhaps ``facet`` and ``parent`` (``animal > bird``), or a single
column of labels without a header. JSON: labels are a list, or an object of groups and their labels; they stand alone,
as ``{"facet": NAME, "templates": [TEXT], "labels": LABELS}``, in a list of such objects, or under facet names. A group
is a label too where it is listed as one.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from ...errors import InputError
from ...input_files import read_file
from ...json_text import STRICT, JsonError, parse_json
from .vocabulary import DEFAULT_FACET, Entry, Vocabulary, build_vocabulary

EXTENSIONS = (".txt", ".csv", ".json")
#: Stands between a group and what belongs to it.
_GROUP_SEPARATOR = ">"
_DELIMITERS = (",", ";", "\t")
_FACET_KEYS = ("facet", "templates", "labels")
_MOST_LEVELS = 20
_MOST_BYTES = 16 << 20
_LINE_END = b"\n"


def is_vocabulary_file(text: str) -> bool:
    """Whether a text names a vocabulary file, by its extension."""
    return text.lower().endswith(EXTENSIONS) and "\n" not in text


def read_vocabulary(path: str | os.PathLike[str]) -> Vocabulary:
    """The vocabulary in a file, by its extension, under the file's name.

    Raises InputError, with the path and where possible the line, if the file cannot be read, is not UTF-8, has no
    labels, or is malformed.
    """
    path = Path(path)
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        known = f"{', '.join(EXTENSIONS[:-1])} or {EXTENSIONS[-1]}"
        raise InputError(f"{path} is no vocabulary by its ending; save it as {known}")
    raw = read_file(path, "the vocabulary", most_bytes=_MOST_BYTES)
    try:
        text = _decoded(raw)
        if not text.strip():
            raise InputError("is empty; write one label per line")
        if extension == ".json":
            return _json_vocabulary(text, path.name)
        return build_vocabulary(path.name, _list_entries(text) if extension == ".txt" else _table_entries(text))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _decoded(raw: bytes) -> str:
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


def _list_entries(text: str) -> Iterator[Entry]:
    facet = DEFAULT_FACET
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            facet = line[1:-1].strip() or DEFAULT_FACET
        elif line and not line.startswith("#"):
            *groups, label = _split_groups(line, number)
            yield Entry(label=label, facet=facet, groups=tuple(groups))


def _table_entries(text: str) -> Iterator[Entry]:
    delimiter = max(_DELIMITERS, key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} is no sound CSV ({error}); check its quotes") from error
    columns = [cell.strip().casefold().removesuffix("s") for cell in rows[0][1]] if rows else []
    if "label" in columns:
        rows = rows[1:]
    elif all(len(cells) == 1 for _, cells in rows):
        columns = ["label"]
    else:
        raise InputError("the first line names no column label; it must be a header such as label,facet,parent")
    for number, cells in rows:
        row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
        if not row.get("label"):
            raise InputError(f"line {number} has no label; fill it in or take the line out")
        groups = _split_groups(row["parent"], number) if row.get("parent") else ()
        yield Entry(label=row["label"], facet=row.get("facet") or DEFAULT_FACET, groups=tuple(groups))


def _split_groups(text: str, number: int) -> list[str]:
    names = [name.strip() for name in text.split(_GROUP_SEPARATOR)]
    if not all(names):
        raise InputError(f"line {number} is {text[:40]!r}; on both sides of {_GROUP_SEPARATOR} there must be a name")
    return names


def _json_vocabulary(text: str, name: str) -> Vocabulary:
    entries: list[Entry] = []
    templates: dict[str, tuple[str, ...]] = {}
    for facet, labels in _json_facets(_parse_json(text)):
        if _is_facet(labels):
            unknown = next((key for key in labels if key not in _FACET_KEYS), None)
            if unknown is not None:
                raise InputError(f"a facet has the key {unknown!r}; it can have {', '.join(_FACET_KEYS)}")
            own = labels.get("templates", [])
            if not isinstance(own, list):
                raise InputError(f"the templates are {_shown(own)}; give a list of texts")
            if own:
                templates[facet] = tuple(_json_text(one, "a template") for one in own)
            labels = labels["labels"]
        entries += [Entry(label=label, facet=facet, groups=groups) for label, groups in _json_labels(labels)]
    return build_vocabulary(name, entries, templates=templates)


def _parse_json(text: str) -> object:
    try:
        return parse_json(text, STRICT)
    except JsonError as error:
        raise InputError(f"is not valid JSON ({error}); correct it") from None


def _json_facets(value: object) -> Iterator[tuple[str, object]]:
    """The name of each facet, and its labels or the object that holds them."""
    if isinstance(value, dict) and not _is_facet(value):
        yield from value.items()
        return
    facets = value if isinstance(value, list) and any(_is_facet(one) for one in value) else [value]
    for one in facets:
        if facets is value and not _is_facet(one):
            raise InputError(f"{_shown(one)} stands among facets; put it into the labels of one")
        name = one.get("facet", DEFAULT_FACET) if _is_facet(one) else DEFAULT_FACET
        yield _json_text(name, "the name of a facet"), one


def _is_facet(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict) and "labels" in value


def _json_labels(value: object, groups: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each label with the groups that it belongs to, the widest first."""
    if len(groups) > _MOST_LEVELS:
        raise InputError(f"the labels are nested more than {_MOST_LEVELS} deep; write fewer levels")
    if isinstance(value, dict):
        for group, members in value.items():
            yield from _json_labels(members, (*groups, group) if group.strip() else groups)
    elif isinstance(value, list):
        for one in value:
            yield from _json_labels(one, groups) if isinstance(one, dict) else [(_json_text(one, "a label"), groups)]
    else:
        raise InputError(f"{_shown(value)} stands where labels should be; give a list of texts")


def _json_text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{what} is {_shown(value)}; it must be a text that is not empty")
    return value


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:40]
