"""Generation data as columns of text, out of the JSON that writers embed; shared by the readers of all writers.

Everything is tolerant of what writers really write: bad data is no data, never an exception.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping

from ....json_text import JsonError, parse_object

#: Every standard column, in the order in which it is shown.
COLUMNS = (
    "prompt", "negative", "seed", "steps", "cfg", "sampler", "scheduler", "denoise", "guidance", "model", "vae",
    "loras", "clip_skip", "width", "height",
)  # fmt: skip
_NUMBERS = frozenset({"steps", "cfg", "denoise", "guidance", "clip_skip", "width", "height"})
_FILES = frozenset({"model", "vae"})
_NO_VALUE = frozenset({"", "none", "null", "undefined", "baked vae", "default (model)"})
_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{0,40})?(?:[eE][+-]?\d{1,3})?")
_SEED = re.compile(r"\d{1,40}", re.ASCII)
_WEIGHTS = re.compile(r"\.(?:safetensors|ckpt|pt|sft|gguf|bin)$", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


def _constant_as_none(_: str) -> None:
    """ComfyUI writes NaN and Infinity, which are not values to show."""


DECODER = json.JSONDecoder(strict=False, parse_constant=_constant_as_none)


def load_object(text: str) -> dict[str, object]:
    """The JSON object that the text holds, integers exact, NaN and Infinity as None; empty when it is anything else."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        return parse_object(text, DECODER)
    except JsonError:
        return {}


def first_object(texts: Mapping[str, str], *names: str, marks: Iterable[str]) -> dict[str, object]:
    """The first text under one of the names that holds a JSON object with at least one key, else an empty one.

    marks: only texts that have one of these in them are parsed, as a graph of ComfyUI may take a while.
    """
    marks = tuple(marks)
    marked = (text for text in map(texts.get, names) if text and any(mark in text for mark in marks))
    return next(filter(None, map(load_object, marked)), {})


def as_object(value: object) -> dict[str, object]:
    """The value when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The value when it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def pick(record: Mapping[str, object], *same: str, **renamed: str) -> dict[str, object]:
    """Values of the record by column; those that it does not have are left out.

    same: columns that the writer calls as we do. renamed: column=its key.
    """
    keys = {column: column for column in same} | renamed
    return {column: record[key] for column, key in keys.items() if key in record}


def to_columns(raw: Mapping[str, object]) -> dict[str, str]:
    """Text by column: standard columns in their order, then the rest in its own; unknown and empty ones left out."""
    order = [*(name for name in COLUMNS if name in raw), *(name for name in raw if name not in COLUMNS)]
    texts = {name: _column_text(name, raw[name]) for name in order}
    return {name: text for name, text in texts.items() if text}


def _column_text(name: str, value: object) -> str:
    if name == "seed":
        return seed_text(value)
    if name in _NUMBERS:
        return number_text(value)
    if name in _FILES:
        return weights_name(value)
    if name in ("prompt", "negative"):
        return clean(value) if isinstance(value, str) else ""
    text = clean(value) if isinstance(value, str) else number_text(value)
    return "" if text.lower() in _NO_VALUE else text


def number_text(value: object) -> str:
    """A number, or text that holds one, without float noise (7.0 -> 7); empty for anything else."""
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            return ""
        return text if _SEED.fullmatch(text) else number_text(float(text))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return ""
    # ten digits hide the noise of binary fractions and keep every setting a person would type
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else f"{value:.10g}"


def seed_text(value: object) -> str:
    """A seed, every digit kept; empty for what is none: other types, "None", and -1, which asks for a random one."""
    text = value.strip() if isinstance(value, str) else number_text(value)
    return text if _SEED.fullmatch(text) else ""


def weights_name(value: object) -> str:
    """The name of a weight file: no folder, no known extension; a name without extension keeps its dots."""
    if not isinstance(value, str):
        return ""
    name = _WEIGHTS.sub("", re.split(r"[\\/]", clean(value))[-1])
    return "" if name.lower() in _NO_VALUE else name


def loras_text(loras: Iterable[tuple[object, object]]) -> str:
    """ "name:strength, name:strength" from (file, strength) pairs; a strength that is not known is left out."""
    named = ((weights_name(file), number_text(strength)) for file, strength in loras)
    return ", ".join(f"{name}:{strength}" if strength else name for name, strength in named if name)


def clean(text: str) -> str:
    """The text as it can be written anywhere: \\n line ends, no NUL, no lone surrogate, no blank ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text).strip()


def snake_case(label: str) -> str:
    """A column name from a label: "Hires upscale" -> hires_upscale."""
    return re.sub(r"\W+", "_", label.strip().lower()).strip("_")
