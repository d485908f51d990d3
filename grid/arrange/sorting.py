"""The order in which the pictures of a sheet stand: by name, time, row, column or score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import isnan

from ..labels.sources import PictureRecord
from ..pictures.find import natural_key
from ..table.records import ColumnValues
from .badges import score_named


def sort_pictures(
    records: Sequence[PictureRecord], scores: Sequence[Mapping[str, float]], by: str, *, reverse: bool = False
) -> tuple[list[int], bool]:
    """Indices of the pictures in order, and whether any of them has what they are to be sorted by.

    by: ``name`` (natural), ``time``, ``given``, ``csv`` (the order of their rows), or a column, or else a score.
    Pictures without such a value go to the end, also in reverse. Pictures of equal values or times keep natural name
    order, also in reverse.
    """
    order = list(range(len(records)))
    if by == "given":
        return (order[::-1] if reverse else order), True
    order.sort(key=lambda i: natural_key(records[i].picture.name))
    if by == "name":
        return (order[::-1] if reverse else order), True
    if by == "time":
        return sorted(order, key=lambda i: records[i].picture.time, reverse=reverse), True
    keys = [_value(by, *known) for known in zip(records, scores, strict=True)]
    known = [i for i in order if keys[i] is not None]
    unknown = [i for i in order if keys[i] is None]
    return sorted(known, key=lambda i: _sort_key(keys[i]), reverse=reverse) + unknown, by == "csv" or bool(known)


def _value(by: str, record: PictureRecord, scores: Mapping[str, float]) -> str | float | None:
    if by == "csv":
        return record.row_index
    value = ColumnValues(record.all_values).get(by)
    if value is not None:
        return value
    score = score_named(by, scores)
    return None if score is None or isnan(score) else score


def _sort_key(value: str | float | None) -> tuple[int, float, tuple[object, ...]]:
    """Numbers before texts; numbers by value, texts in natural order."""
    text = str(value)
    number = _number(text)
    return (1, 0.0, natural_key(text)) if number is None else (0, number, ())


def _number(text: str) -> float | None:
    """The number that a text is, None for other texts and NaN."""
    with suppress(ValueError):
        # seeds are longer than a float is exact
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return None
    return None if isnan(number) else number
