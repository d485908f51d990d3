"""JSON out of a picture file: tolerant of what writers really write, and never an exception."""

from __future__ import annotations

import json
from collections.abc import Mapping


def _no_number(_: str) -> None:
    """ComfyUI writes NaN and Infinity, which are not values to show."""


DECODER = json.JSONDecoder(strict=False, parse_constant=_no_number)


def load_json(text: str) -> object:
    """The value that *text* holds, integers exact, NaN and Infinity as None; None when it is not JSON."""
    try:
        found: object = DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return found


def load_object(text: str) -> dict[str, object]:
    """The JSON object that *text* holds; empty when it holds anything else."""
    return as_object(load_json(text)) if text.lstrip().startswith("{") else {}


def as_object(value: object) -> dict[str, object]:
    """*value* when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """*value* when it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def first_object(texts: Mapping[str, str], *names: str) -> dict[str, object]:
    """The first text under one of *names* that holds a JSON object with at least one key, else an empty one."""
    objects = (load_object(texts[name]) for name in names if name in texts)
    return next((found for found in objects if found), {})
