"""Reading JSON files beside a model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ...errors import CheckpointError, InputError
from .safetensors_header import read_exactly, reading

Json = Mapping[str, object]
_LARGEST = 16_000_000


def read_json(path: Path) -> Json:
    """The object in a JSON file; CheckpointError if there is none."""
    with reading(path) as file:
        size = file.seek(0, os.SEEK_END)
        if size > _LARGEST:
            raise CheckpointError(str(path), f"is larger than {_LARGEST:,} bytes, which no configuration is")
        file.seek(0)
        content = read_exactly(path, file, size)
    try:
        return parsed(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(str(path), f"is no sound JSON ({str(error)[:100]}); fetch it again") from error


def parsed(text: str) -> Json:
    """The object in a JSON text; ValueError or RecursionError if there is none."""
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError("it holds no object")
    return raw


def part(raw: Json, name: str) -> Json:
    """An object within an object; an empty one if it is not there."""
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def check_size(where: str, what: str, stated: object, actual: int) -> None:
    """Raises InputError if a config states another size than the tensors have: it is that of another model."""
    if stated != actual:
        raise InputError(f"{where} says {what} {stated!r} where the tensors say {actual}")
