"""JSON text -> records of named cells; numbers keep the digits that were written. The shapes are in json_shapes.py."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace

from ...errors import InputError
from .json_cells import Json
from .json_shapes import SHAPES, to_records
from .records import Records, first_few

_BLANKS = re.compile(r"\s*")


def read_json(text: str, *, name: str) -> Records:
    """The records of JSON text; ``name`` is for messages. Raises InputError when it is not JSON or of another shape."""
    try:
        value, repeated = _decode(text, name)
        records = to_records(value, name)
    except RecursionError:
        raise InputError(f"{name} is nested too deeply; {SHAPES}") from None
    if not repeated:
        return records
    note = f"written twice in one object, the last one counts: {first_few(repeated, 'name')}"
    return replace(records, notes=(*records.notes, note))


def _decode(text: str, name: str) -> tuple[Json, list[str]]:
    """The JSON value, or the list of values where several follow each other, and names used twice in an object."""
    repeated: list[str] = []

    def build(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        built = dict(pairs)
        if len(built) < len(pairs):
            repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return built

    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=build)
    values: list[Json] = []
    at = _after_blanks(text, 0)
    try:
        while at < len(text) or not values:
            value, end = decoder.raw_decode(text, at)
            values.append(value)
            at = _after_blanks(text, end)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{name} is not valid JSON: {error.msg.lower()} at {where}") from None
    return (values if len(values) > 1 else values[0]), repeated


def _after_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at
