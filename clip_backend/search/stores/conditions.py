"""Filters of an index as filters of Qdrant, in the form of its REST interface.

A picture passes if one of its files does, so that all that is said of files must be true of one and the same: it is
collected below ``nested``. What joins files and pictures with "or" below "and" is therefore multiplied out first.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from math import isfinite
from typing import Any

from ..filter_sql import EXACT, RATIO_TOLERANCE, is_yes, ratio, span, with_separators
from ..filters import FIELDS, Combination, Comparison, Filter, Value, comparisons
from ..index import folded
from .payload import DATE, FILES, HAS_FILE, IS_MISSING, folded_key, number_key, small_letters, storable, text_key

Condition = Mapping[str, Any]
#: More alternatives are not multiplied out.
MOST_ALTERNATIVES = 64
_ABOUT_FILES = frozenset(("name", "folder", "path", "root", "date", "missing"))
_BOUNDS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_NANOSECONDS = 1_000_000_000


class NotExpressible(Exception):
    """Qdrant has no condition for the filter, so that SQLite must say which pictures pass."""


def has_file() -> Condition:
    """True of pictures that have a file which is not missing."""
    return _is(HAS_FILE, True)


def condition_of(found: Filter) -> Condition:
    """The condition that a filter is, which has compiled for the index; raises NotExpressible."""
    is_about_files = any(one.field in _ABOUT_FILES for one in comparisons(found))
    alternatives = []
    for pictures, files in _alternatives(found):
        parts = [_condition(one) for one in pictures]
        if files:
            nested = {"must": [_condition(one) for one in files]}
            parts.append({"nested": {"key": FILES, "filter": nested}})
        elif is_about_files:
            parts.append(_not({"is_empty": {"key": FILES}}))
        alternatives.append(_all(parts))
    return _any(alternatives)


def _alternatives(found: Filter) -> list[tuple[list[Filter], list[Filter]]]:
    """What must be true of the picture, and of one of its files; one of these pairs is enough."""
    about = {one.field in _ABOUT_FILES for one in comparisons(found)}
    if len(about) == 1:
        return [([], [found])] if about == {True} else [([found], [])]
    if not isinstance(found, Combination):
        raise NotExpressible("a comparison is about one field")
    if found.operator == "not":
        return _alternatives(_negated(found.parts[0]))
    of_parts = [_alternatives(part) for part in found.parts]
    if found.operator == "or":
        joined = [one for part in of_parts for one in part]
    else:
        count = 1
        for part in of_parts:
            count *= len(part)
            if count > MOST_ALTERNATIVES:
                raise NotExpressible("too many alternatives")
        joined = [
            ([one for pictures, _ in chosen for one in pictures], [one for _, files in chosen for one in files])
            for chosen in product(*of_parts)
        ]
    if len(joined) > MOST_ALTERNATIVES:
        raise NotExpressible("too many alternatives")
    return joined


def _negated(found: Filter) -> Filter:
    """The opposite of a filter, with "not" above comparisons alone or above what it was above."""
    if isinstance(found, Comparison):
        return Combination("not", (found,))
    if found.operator == "not":
        return found.parts[0]
    return Combination("or" if found.operator == "and" else "and", tuple(map(_negated, found.parts)))


def _condition(found: Filter) -> Condition:
    if isinstance(found, Combination):
        parts = [_condition(part) for part in found.parts]
        return _not(parts[0]) if found.operator == "not" else _all(parts) if found.operator == "and" else _any(parts)
    return _any([_comparison(found.field, found.operator, value) for value in found.values])


def _comparison(field: str, operator: str, value: Value) -> Condition:
    if field not in FIELDS:
        return _about_property(field, operator, value)
    if field == "date":
        return _about_date(operator, value.text)
    if field == "missing":
        return _is(IS_MISSING, is_yes(value.text) == (operator == "="))
    if field == "ratio":
        return _about_ratio(operator, ratio(value.text))
    if field in ("width", "height"):
        return _about_number(field, operator, value.number)
    return _about_text(field, operator, with_separators(value.text))


def _about_property(field: str, operator: str, value: Value) -> Condition:
    key, number = text_key(field), value.number
    if operator == "!=":
        return _all([_not({"is_empty": {"key": key}}), _not(_about_property(field, "=", value))])
    if number is None or operator == "~":
        return _about_text(key, operator, value.text)
    if operator != "=":
        return _about_number(number_key(field), operator, number)
    same = _about_text(key, "=", value.text)
    return _any([same, _about_number(number_key(field), "=", number)]) if abs(number) < EXACT else same


def _about_text(key: str, operator: str, text: str) -> Condition:
    if operator not in ("=", "!=", "~"):
        raise NotExpressible("texts are not in an order")
    if operator == "!=":
        return _not(_about_text(key, "=", text))
    word = "substring" if operator == "~" else "value"
    shown = storable(text)
    if shown.isascii():
        return {"key": key, "match": {word: small_letters(shown)}}
    # a text of ASCII alone has no second form
    wanted = folded(shown)
    return _any([{"key": one, "match": {word: wanted}} for one in (folded_key(key), key)])


def _about_number(key: str, operator: str, number: float | None) -> Condition:
    if number is None or not isfinite(number):
        raise NotExpressible("JSON has no such number")
    if operator == "!=":
        return _not(_about_number(key, "=", number))
    bounds = {"gte": number, "lte": number} if operator == "=" else {_BOUNDS[operator]: number}
    return {"key": key, "range": bounds}


def _about_ratio(operator: str, number: float | None) -> Condition:
    if number is None or operator not in ("=", "!="):
        return _about_number("ratio", operator, number)
    margin = RATIO_TOLERANCE * number
    near: Condition = {"key": "ratio", "range": {"gte": number - margin, "lte": number + margin}}
    return near if operator == "=" else _not(near)


def _about_date(operator: str, text: str) -> Condition:
    first, after = (moment // _NANOSECONDS for moment in span(text))
    within: Condition = {"key": DATE, "range": {"gte": first, "lt": after}}
    if operator in ("=", "!="):
        return within if operator == "=" else _not(within)
    bounds = {"<": {"lt": first}, ">=": {"gte": first}, "<=": {"lt": after}, ">": {"gte": after}}
    return {"key": DATE, "range": bounds[operator]}


def _is(key: str, value: bool) -> Condition:
    return {"key": key, "match": {"value": int(value)}}


def _not(condition: Condition) -> Condition:
    return {"must_not": [condition]}


def _all(conditions: list[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else {"must": conditions}


def _any(conditions: list[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else {"should": conditions}
