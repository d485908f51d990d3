"""Small JSON files beside a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ...errors import CheckpointError

_LARGEST = 16_000_000


def read_object(path: Path) -> Mapping[str, object]:
    """The object in a JSON file; CheckpointError with what is wrong."""
    try:
        if path.stat().st_size > _LARGEST:
            raise CheckpointError(str(path), f"is larger than {_LARGEST:,} bytes, which no configuration is")
        return parse_object(path.read_text("utf-8-sig"))
    except OSError as error:
        raise CheckpointError(str(path), f"cannot be read ({error.strerror}); check the file") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(str(path), f"is no sound JSON ({str(error)[:100]}); fetch it again") from error


def parse_object(text: str) -> Mapping[str, object]:
    """The object in a text of JSON; ValueError or RecursionError if there is none."""
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError("it holds no object")
    return raw


def part(raw: Mapping[str, object], name: str) -> Mapping[str, object]:
    """An object within an object; an empty one if it is not there."""
    value = raw.get(name)
    return value if isinstance(value, dict) else {}
