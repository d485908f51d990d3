"""Reads the file of a calibration, and says what is wrong with one that cannot be used."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...errors import InputError
from .calibration import VERSION, Calibration


def read_calibration(path: str | os.PathLike[str]) -> Calibration:
    """The calibration in a file that ``save`` wrote; raises InputError, naming the file, if it holds none."""
    file = Path(os.path.expanduser(path))
    try:
        told = json.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise InputError(f"calibration {file} cannot be read: {error.strerror or error}; check the path") from error
    except ValueError as error:
        raise InputError(f"calibration {file} is not JSON: {error}; fit it anew") from error
    if problem := _problem(told):
        raise InputError(f"{file} cannot be used as a calibration: {problem}; fit it anew")
    own = {field.name: told[field.name] for field in fields(Calibration)}
    return Calibration(**own | {"roc_auc_interval": tuple(told["roc_auc_interval"])})


def _problem(told: Any) -> str:
    """Why this is no calibration; empty if it is one."""
    if not isinstance(told, dict) or told.get("clip_grid") != "calibration":
        return "it is JSON of something else"
    if told.get("version") != VERSION:
        return f"it is of version {told.get('version')!r}, and this program reads version {VERSION}"
    if missing := [field.name for field in fields(Calibration) if field.name not in told]:
        return f"it lacks {', '.join(missing)}"
    for name, is_right in _RIGHT.items():
        if not is_right(told[name]):
            return f"its {name} is {told[name]!r}"
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_RIGHT: Mapping[str, Callable[[Any], bool]] = {
    "model": _is_text,
    "fingerprint": _is_text,
    "space": _is_text,
    "slope": lambda value: _is_number(value) and value > 0,
    "intercept": _is_number,
    "pairs": _is_count,
    "positives": _is_count,
    "roc_auc": lambda value: _is_number(value) and 0 <= value <= 1,
    "roc_auc_interval": lambda value: isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)),
}
