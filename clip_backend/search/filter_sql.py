"""Filters as conditions of SQL: fixed pieces of text, with everything that a user wrote as parameters."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...errors import InputError
from .filters import FIELDS, Combination, Comparison, Filter, Value, comparisons, field_name, names_like, read_filter
from .index import Ids, Index, folded

#: How much an aspect ratio may differ from the one asked for: 1344 x 768 counts as 16:9.
RATIO_TOLERANCE = 0.02
#: Larger whole numbers, such as seeds of 64 bits, are compared as texts where they must be equal.
EXACT = 2**53
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
#: "path" is put together as ``path_text`` does it.
_SEPARATOR = "\\" if os.sep == "\\" else "/"
_TEXTS: Mapping[str, str] = {
    "name": "f.name",
    "folder": "f.folder",
    "root": "r.path",
    "path": f"CAST(rtrim(CAST(r.path AS TEXT), '{_SEPARATOR}') || '{_SEPARATOR}' || CASE WHEN length(f.folder) THEN"
    f" CAST(f.folder AS TEXT) || '{_SEPARATOR}' ELSE '' END || CAST(f.name AS TEXT) AS BLOB)",
}
_NUMBERS: Mapping[str, str] = {
    "width": "p.width",
    "height": "p.height",
    "ratio": "(CAST(p.width AS REAL) / max(p.height, 1))",
}


@dataclass(frozen=True)
class Condition:
    """A condition of SQL about a picture ``p``, its files ``f`` and their roots ``r``."""

    sql: str
    parameters: tuple[object, ...] = ()


@dataclass(frozen=True)
class CompiledFilter:
    """A filter for one index."""

    #: Selects the ids of the pictures that pass.
    sql: str
    parameters: tuple[object, ...]
    #: Whether it says itself whether files may be missing.
    asks_missing: bool

    def pictures(self, index: Index) -> Ids:
        """The pictures that pass."""
        return index.numbers(self.sql, self.parameters)


def compiled_filter(text: str, index: Index) -> CompiledFilter:
    """The filter that a text means for an index.

    Raises InputError for a text that is no filter, a field that the index does not have, and a value that the field
    cannot have.
    """
    return compiled(read_filter(text), index.property_names())


def compiled(found: Filter, names: Iterable[str]) -> CompiledFilter:
    """The filter for an index whose properties have these names."""
    stored: dict[str, list[str]] = {}
    for name in names:
        stored.setdefault(field_name(name), []).append(name)
    condition = _condition(found, stored)
    fields = {one.field for one in comparisons(found)}
    is_about_files = not fields.isdisjoint((*_TEXTS, "date", "missing"))
    tables = (
        "pictures p JOIN files f ON f.picture = p.id JOIN roots r ON r.id = f.root" if is_about_files else "pictures p"
    )
    sql = f"SELECT DISTINCT p.id FROM {tables} WHERE p.row IS NOT NULL AND {condition.sql}"
    return CompiledFilter(sql, condition.parameters, "missing" in fields)


def _condition(found: Filter, stored: Mapping[str, Sequence[str]]) -> Condition:
    if isinstance(found, Combination):
        parts = [_condition(part, stored) for part in found.parts]
        if found.operator == "not":
            return Condition(f"(NOT {parts[0].sql})", parts[0].parameters)
        return _joined(found.operator.upper(), parts)
    if found.field in FIELDS:
        compare = _about_field(found)
        return _any_of(found.values, compare)
    if found.field not in stored:
        raise InputError(_unknown(found.field, sorted(stored)))
    return _any_of(found.values, lambda value: _about_property(found.operator, value, stored[found.field]))


def _unknown(field: str, names: Sequence[str]) -> str:
    near = names_like(field, [*FIELDS, *names])
    cure = f"; did you mean {' or '.join(near)}?" if near else f"; it has {', '.join([*FIELDS, *names][:40])}"
    return f"no picture of the index has the field {field[:80]!r}{cure}"


def _any_of(values: Sequence[Value], compare: Callable[[Value], Condition]) -> Condition:
    return _joined("OR", [compare(value) for value in values])


def _joined(word: str, parts: Sequence[Condition]) -> Condition:
    """Parts with this word between them, as a balanced tree: SQLite bounds how deep one may be."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    left, right = _joined(word, parts[:half]), _joined(word, parts[half:])
    return Condition(f"({left.sql} {word} {right.sql})", (*left.parameters, *right.parameters))


def _about_property(operator: str, value: Value, names: Sequence[str]) -> Condition:
    marks = ", ".join("?" * len(names))
    is_other = operator == "!="
    inner = _text_condition("text", "=" if is_other else operator, value.text)
    if value.number is not None and operator != "~":
        if operator not in ("=", "!="):
            inner = Condition(f"number {operator} ?", (value.number,))
        elif abs(value.number) < EXACT:
            inner = _joined("OR", [inner, Condition("number = ?", (value.number,))])
    if is_other:
        # "number = ?" is unknown to SQL where a text is no number
        inner = Condition(f"NOT coalesce({inner.sql}, 0)", inner.parameters)
    sql = f"p.id IN (SELECT picture FROM properties WHERE name IN ({marks}) AND {inner.sql})"
    return Condition(sql, (*names, *inner.parameters))


def _about_field(found: Comparison) -> Callable[[Value], Condition]:
    """Compares one value with a field that every picture has."""
    field, operator = found.field, found.operator
    if field in _TEXTS:
        return lambda value: _text_condition(_TEXTS[field], operator, with_separators(value.text), is_bytes=True)
    if operator == "~":
        raise InputError(f"~ looks for a text, and {field} is none; compare it with = != < <= > or >=")
    if field == "date":
        return lambda value: _about_date(operator, value.text)
    if field == "missing":
        if operator not in ("=", "!="):
            raise InputError(f"missing is yes or no, and {operator} is no comparison for it; write missing=yes")
        return lambda value: _about_missing(operator, value.text)
    return lambda value: _about_number(field, operator, value)


def _about_number(field: str, operator: str, value: Value) -> Condition:
    number = ratio(value.text) if field == "ratio" else value.number
    if number is None:
        example = "1.5 or 3:2" if field == "ratio" else "1024"
        raise InputError(
            f"{field} is compared with {value.text[:80]!r}, which is no number; write one such as {example}"
        )
    if field == "ratio" and operator in ("=", "!="):
        word = "<=" if operator == "=" else ">"
        return Condition(f"abs({_NUMBERS[field]} - ?) {word} ?", (number, RATIO_TOLERANCE * number))
    return Condition(f"{_NUMBERS[field]} {operator} ?", (number,))


def ratio(text: str) -> float | None:
    """1.5 of "1.5", "3:2", "3/2" and "3x2"; None for other texts."""
    for sign in (":", "/", "x"):
        left, found, right = text.partition(sign)
        if found:
            break
    try:
        number = float(left) / float(right or 1)
    except (ValueError, ZeroDivisionError):
        return None
    return number if 0 < number < float("inf") else None


def is_yes(text: str) -> bool:
    """What a text says of files that are missing; raises InputError for one that says neither yes nor no."""
    word = text.lower()
    if word not in (*_YES, *_NO):
        raise InputError(f"missing is compared with {text[:80]!r}; write missing=yes or missing=no")
    return word in _YES


def _about_missing(operator: str, text: str) -> Condition:
    is_missing = is_yes(text) == (operator == "=")
    return Condition("f.missing IS NOT NULL" if is_missing else "f.missing IS NULL")


def _about_date(operator: str, text: str) -> Condition:
    first, after = span(text)
    if operator in ("=", "!="):
        word = "" if operator == "=" else "NOT "
        return Condition(f"({word}(f.mtime_ns >= ? AND f.mtime_ns < ?))", (first, after))
    if operator in ("<", ">="):
        return Condition(f"f.mtime_ns {operator} ?", (first,))
    return Condition("f.mtime_ns < ?" if operator == "<=" else "f.mtime_ns >= ?", (after,))


def span(text: str) -> tuple[int, int]:
    """The first nanosecond since 1970 of a year, month, day, minute or second, and the first after it."""
    parts = {4: "-01-01", 7: "-01", 10: "", 16: "", 19: ""}
    try:
        zone = "" if len(text) in parts else next(text[size:] for size in (19, 16) if len(text) > size)
        shown = text[: len(text) - len(zone)]
        first = datetime.fromisoformat(shown + parts[len(shown)] + zone.replace("Z", "+00:00"))
        if len(shown) == 4:
            after = first.replace(year=first.year + 1)
        elif len(shown) == 7:
            after = (first + timedelta(days=32)).replace(day=1)
        else:
            after = first + {10: timedelta(days=1), 16: timedelta(minutes=1), 19: timedelta(seconds=1)}[len(shown)]
        return _nanoseconds(first), _nanoseconds(after)
    except (ValueError, KeyError, StopIteration, OverflowError, OSError) as error:
        raise InputError(
            f"date is compared with {text[:80]!r}; write 2026, 2026-05, 2026-05-31 or 2026-05-31T18:30"
        ) from error


def _nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970; a moment without a time zone is local time, as the dates of files are shown."""
    return int(moment.timestamp()) * 1_000_000_000


def with_separators(text: str) -> str:
    """A part of a path as this system writes it."""
    return text.replace("/", "\\") if os.sep == "\\" else text


def _text_condition(column: str, operator: str, text: str, *, is_bytes: bool = False) -> Condition:
    """A column with a text without regard to case, which SQLite knows of ASCII alone."""
    if not text.isascii():
        return _contains_or_compares(f"folded({column})", operator, folded(text))
    shown = f"CAST({column} AS TEXT)" if is_bytes else column
    if operator == "~":
        return Condition(f"instr(lower({shown}), ?) > 0", (text.lower(),))
    return Condition(f"{shown} {operator} ? COLLATE NOCASE", (text,))


def _contains_or_compares(column: str, operator: str, text: str) -> Condition:
    if operator == "~":
        return Condition(f"instr({column}, ?) > 0", (text,))
    return Condition(f"{column} {operator} ?", (text,))
