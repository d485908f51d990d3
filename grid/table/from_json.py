"""JSON text -> records of named cells; numbers keep the digits that were written. The shapes are in json_shapes.py."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

from ...errors import InputError
from ...json_text import JsonError, after_blanks, check_marks, next_json
from .json_cells import Json
from .json_shapes import to_records
from .records import Records, first_few

#: The most punctuation marks: as many as 300,000 rows of five columns have.
_MAX_MARKS = 4_000_000


def read_json(text: str, *, name: str) -> Records:
    """The records of JSON text; ``name`` is for messages. Raises InputError when it is not JSON or of another shape."""
    try:
        value, repeated = _decode(text)
    except JsonError as error:
        raise InputError(f"{name} is not valid JSON: {error}") from None
    records = to_records(value, name)
    if not repeated:
        return records
    note = f"written twice in one object, the last one counts: {first_few(repeated, 'name')}"
    return replace(records, notes=(*records.notes, note))


def _decode(text: str) -> tuple[Json, list[str]]:
    """The JSON value, or the list of values where several follow each other, and names used twice in an object."""
    repeated: list[str] = []

    def build(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        built = dict(pairs)
        if len(built) < len(pairs):
            repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return built

    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=build)
    values: list[Json] = []
    check_marks(text, _MAX_MARKS)
    at = after_blanks(text, 0)
    while at < len(text) or not values:
        value, end = next_json(text, at, decoder)
        values.append(value)
        at = after_blanks(text, end)
    return (values if len(values) > 1 else values[0]), repeated
