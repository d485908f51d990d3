"""Nodes of ComfyUI and its packs that choose: which of a node's inputs is the one that it hands on.

Told by the names of the inputs, so that one rule fits the switches of all packs:

- ``on_true`` and ``on_false``, ``tt_value`` and ``ff_value``, and the like, chosen by a boolean: core's If/Else Switch,
  Impact's Conditional Branch, easy-use's If else, Crystools' and KJNodes' switches;
- ``text1``, ``text2`` or ``input1``, ``input2``, chosen by a number: Comfyroll's and Impact's switches, easy-use's
  index switches, which count from 0 and name their inputs so;
- ``text_a`` and ``text_b``, chosen by a boolean: WAS and easy-use;
- ``any_01``, ``any_02``, of which the first that is connected goes on: rgthree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from .comfyui_names import MERGES, Names

#: The answer for a node that does more than hand on one of its inputs.
STAYS = object()
#: The answer for a node of which it cannot be told what it hands on, though it hands on something.
UNKNOWN = object()
_CHOOSES = Names(
    re.compile(
        r"switch|select|choose|choice|branch|if\b|ifelse|condition\b|simplecondition|index", re.IGNORECASE
    ).search
)
_TRUE = re.compile(r"(?:.*_)?(?:true|tt)(?:_.*)?|if", re.IGNORECASE)
_FALSE = re.compile(r"(?:.*_)?(?:false|ff)(?:_.*)?|else", re.IGNORECASE)
_BOOLEANS = (
    "switch",
    "cond",
    "boolean",
    "condition",
    "if_condition",
    "evaluate",
    "bool",
    "boolean_number",
    "ANY",
    "any",
)
_ANY_BOOLEAN = frozenset(_BOOLEANS)
_INDEXES = ("select", "Input", "index", "switch", "choice", "selected", "selector", "input", *_BOOLEANS)
_OPTION = re.compile(r"(.*?)(?:_?(\d{1,2})|_([a-j]))")
_FIRST_LIVE = Names(re.compile(r"(?:any|ctx|context)_\d{1,9}", re.ASCII).fullmatch)
_NO = frozenset({"", "false", "no", "off", "disable", "disabled", "0"})


class Resolve(NamedTuple):
    """How a graph tells what inputs hold."""

    #: The plain value that an input has or leads to; None when it cannot be told.
    literal: Callable[[object], object]
    #: Whether an input gets anything.
    is_live: Callable[[object], bool]


def pick_input(kind: str, inputs: Mapping[str, object], resolve: Resolve) -> list[object] | None:
    """The values that a node which chooses hands on, one for each of its outputs.

    Empty when it hands on nothing, UNKNOWN as a value when the choice cannot be told; None for a node that does not
    choose.
    """
    by_boolean = _by_boolean(inputs, resolve)
    if by_boolean is not None:
        return by_boolean
    if is_first_live(inputs):
        return None if MERGES[kind] else _first([v for v in by_number(inputs) if resolve.is_live(v)])
    return _by_index(inputs, resolve) if _CHOOSES[kind] else None


def is_first_live(names: Iterable[str]) -> bool:
    """Whether a node with inputs of these names hands on the first of them that gets anything."""
    found = False
    for name in names:
        if not _FIRST_LIVE[name]:
            return False
        found = True
    return found


def by_number(inputs: Mapping[str, object]) -> list[object]:
    """The values of the inputs that ``is_first_live`` accepts, by their numbers, in whatever order they stand."""
    return [inputs[key] for key in sorted(inputs, key=lambda key: int(key.rpartition("_")[2]))]


def _by_boolean(inputs: Mapping[str, object], resolve: Resolve) -> list[object] | None:
    if _ANY_BOOLEAN.isdisjoint(inputs):
        return None
    selector = next(key for key in _BOOLEANS if key in inputs)
    on_true = [key for key in inputs if _TRUE.fullmatch(key)]
    on_false = [key for key in inputs if _FALSE.fullmatch(key)]
    if not (on_true or on_false):
        return None
    choice = _as_boolean(resolve.literal(inputs[selector]))
    if choice is None:
        return [UNKNOWN]
    return [inputs[key] for key in (on_true if choice else on_false)]


def _as_boolean(value: object) -> bool | None:
    if isinstance(value, str):
        return value.strip().lower() not in _NO
    return bool(value) if isinstance(value, (bool, int, float)) else None


def _by_index(inputs: Mapping[str, object], resolve: Resolve) -> list[object] | None:
    selector = next((key for key in _INDEXES if key in inputs), None)
    numbered = {key: match for key in inputs if key != selector and (match := _OPTION.fullmatch(key))}
    choice = resolve.literal(inputs[selector]) if selector else None
    if isinstance(choice, str) and choice in inputs:
        return [inputs[choice]]
    if not numbered:
        return None
    if selector is None:
        # which one cannot be told, unless there is only one
        return [inputs[key] for key in numbered] if len(numbered) == 1 else [UNKNOWN]
    if choice is None:
        return [UNKNOWN]
    letters = _letters(selector, choice)
    if isinstance(choice, str) and choice.strip().isdecimal():
        choice = int(choice)
    is_number = isinstance(choice, (int, float)) and not isinstance(choice, bool)
    number = int(choice) if is_number and isinstance(choice, (int, float)) else None
    return [
        inputs[key]
        for key, match in numbered.items()
        if (match[2] is not None and int(match[2]) == number) or (match[3] is not None and match[3] == letters)
    ]


def _letters(selector: str, choice: object) -> str | None:
    """The letter of the input that is chosen: where there are two, a boolean chooses the first when it is true."""
    if selector in _BOOLEANS:
        is_true = _as_boolean(choice)
        return None if is_true is None else "a" if is_true else "b"
    is_number = isinstance(choice, int) and 1 <= choice <= 10
    return "abcdefghij"[int(choice) - 1] if is_number and isinstance(choice, int) else None


def _first(values: list[object]) -> list[object]:
    return values[:1]
