"""The order in which the pictures of a sheet stand: by name, time, row, column or score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import isnan

from ...errors import InputError
from ..labels.names import ColumnNames
from ..pictures.find import natural_key
from ..pictures.survey import Picture, facts_of
from ..table.table import Match
from ..template import GridTemplate
from .badges import score_named


def order_pictures(
    pictures: Sequence[Picture],
    template: GridTemplate,
    match: Match | None,
    scores: Sequence[Mapping[str, float]],
) -> tuple[list[int], tuple[str, str] | None]:
    """Indices of the pictures as the template sorts them; with the reason and a warning if none has what it names.

    Raises InputError for sort_by csv without a table.
    """
    by = template.sort_by
    if by == "csv" and match is None:
        raise InputError("sort_by is csv, but there is no table; give one or sort by name")

    def key(index: int) -> str | float | None:
        if by == "csv":
            place = match.order[index] if match else None
            return None if place is None else float(place)
        row = (match.rows[index] if match else None) or {}
        known = {**facts_of(pictures[index], index), **pictures[index].values, **row}
        value = ColumnNames(known).get(by)
        return _score(by, scores[index]) if value is None else value

    order = sort_pictures(pictures, by, reverse=template.reverse, keys=key)
    if by in ("name", "time", "given", "csv") or any(key(index) is not None for index in order):
        return order, None
    problem = f"sort_by names {by!r}, which no picture has"
    return order, (f"{problem}; sort by name, time, given, csv, a column or a score", f"{problem}; sorted by name")


def _score(name: str, scores: Mapping[str, float]) -> float | None:
    score = score_named(name, scores)
    return None if score is None or isnan(score) else score


def sort_pictures(
    pictures: Sequence[Picture], by: str, *, reverse: bool, keys: Callable[[int], str | float | None]
) -> list[int]:
    """Indices of the pictures in order: by ``name`` (natural), ``time``, ``given``, or else by ``keys``.

    keys: index -> what the picture is sorted by; None goes to the end, also in reverse. Pictures of equal keys or times
    keep natural name order, also in reverse.
    """
    if by == "given":
        order = list(range(len(pictures)))
    else:
        order = sorted(range(len(pictures)), key=lambda i: natural_key(pictures[i].name))
    if by == "time":
        return sorted(order, key=lambda i: pictures[i].time, reverse=reverse)
    if by not in ("given", "name"):
        known = [i for i in order if keys(i) is not None]
        known.sort(key=lambda i: _sort_key(keys(i)), reverse=reverse)
        rest = [i for i in order if keys(i) is None]
        return known + rest
    return order[::-1] if reverse else order


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
    return number if number == number else None
