"""The order in which the pictures of a sheet stand: by name, time, row, column or score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import isnan

from ...errors import InputError
from ..labels.sources import PictureRecord
from ..pictures.find import natural_key
from ..pictures.survey import Picture
from ..table.matching import TableMatch
from ..table.records import ColumnValues
from ..template import GridTemplate
from .badges import score_named

#: What pictures are sorted by that is no column and no score.
_ORDERS = ("name", "time", "given", "csv")


def order_pictures(
    template: GridTemplate,
    pictures: Sequence[Picture],
    records: Sequence[PictureRecord],
    scores: Sequence[Mapping[str, float]],
    match: TableMatch | None,
) -> tuple[list[int], bool]:
    """Indices of the pictures as the template sorts them, and whether any has what it names.

    Raises InputError for sort_by csv without a table.
    """
    by, keys = template.sort_by, list[str | float | None]()
    if by == "csv":
        if match is None:
            raise InputError("sort_by is csv, but there is no table; give one or sort by name")
        keys = [None if row is None else float(row) for row in match.order]
    elif by not in _ORDERS:
        keys = [_sort_value(by, *known) for known in zip(records, scores, strict=True)]
    order = sort_pictures(pictures, by, reverse=template.reverse, keys=keys)
    return order, by in _ORDERS or any(key is not None for key in keys)


def _sort_value(name: str, record: PictureRecord, scores: Mapping[str, float]) -> str | float | None:
    """The column, else the score, of this name; None where the picture has neither, or its score is no number."""
    value = ColumnValues({**record.properties, **record.values}).get(name)
    if value is not None:
        return value
    score = score_named(name, scores)
    return None if score is None or isnan(score) else score


def sort_pictures(
    pictures: Sequence[Picture], by: str, *, reverse: bool, keys: Sequence[str | float | None] = ()
) -> list[int]:
    """Indices of the pictures in order: by ``name`` (natural), ``time``, ``given``, or else by ``keys``.

    keys: what each picture is sorted by; None goes to the end, also in reverse. Pictures of equal keys or times keep
    natural name order, also in reverse.
    """
    if by == "given":
        order = list(range(len(pictures)))
    else:
        order = sorted(range(len(pictures)), key=lambda i: natural_key(pictures[i].name))
    if by == "time":
        return sorted(order, key=lambda i: pictures[i].time, reverse=reverse)
    if by in ("given", "name"):
        return order[::-1] if reverse else order
    known = [i for i in order if keys[i] is not None]
    unknown = [i for i in order if keys[i] is None]
    return sorted(known, key=lambda i: _sort_key(keys[i]), reverse=reverse) + unknown


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
