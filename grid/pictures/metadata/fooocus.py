"""Fooocus: a JSON object of settings, or the text of AUTOMATIC1111 when the user chose that scheme."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .a1111 import PLACES, infotext_columns, parse_infotext
from .columns import arrange, first_object, loras_text, snake_case

_COLUMNS = {
    "prompt": "prompt",
    "negative": "negative_prompt",
    "seed": "seed",
    "steps": "steps",
    "cfg": "guidance_scale",
    "sampler": "sampler",
    "scheduler": "scheduler",
    "model": "base_model",
    "vae": "vae",
    "clip_skip": "clip_skip",
}
_LORA_KEY = re.compile(r"lora_(?:combined_)?\d+")


def read_fooocus(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of a Fooocus picture; empty for any other."""
    # labels such as "Base Model" are keys in the files of old versions
    found = {snake_case(key): value for key, value in first_object(texts, *PLACES).items()}
    if "base_model" in found and not found.keys().isdisjoint(("prompt", "guidance_scale", "performance")):
        return _json_columns(found)
    signed = "fooocus_scheme" in texts or texts.get("Software", "").startswith("Fooocus")
    return _infotext_columns(texts) if signed else {}


def _json_columns(found: Mapping[str, object]) -> dict[str, str]:
    raw: dict[str, object] = {column: found[key] for column, key in _COLUMNS.items() if key in found}
    raw["loras"] = loras_text(_lora(value) for key, value in found.items() if _LORA_KEY.fullmatch(key))
    numbers = re.findall(r"\d{1,6}", str(found.get("resolution", "")))
    if len(numbers) == 2:
        raw["width"], raw["height"] = numbers
    return arrange(raw)


def _lora(value: object) -> tuple[str, str]:
    """Name and strength from `name : strength` or `switched on : name : strength`."""
    parts = value.split(" : ") if isinstance(value, str) else []
    if len(parts) < 2 or (len(parts) == 3 and parts[0] != "True"):
        return "", ""
    return parts[-2], parts[-1]


def _infotext_columns(texts: Mapping[str, str]) -> dict[str, str]:
    parsed = (parse_infotext(texts[place]) for place in PLACES if place in texts)
    infotext = next((found for found in parsed if found), None)
    if infotext is None:
        return {}
    columns: dict[str, object] = {**infotext_columns(infotext)}
    # what the user typed, as in the other scheme; the plain prompt has the words of all styles in it
    for column, label in (("prompt", "Raw prompt"), ("negative", "Raw negative prompt")):
        if label in infotext.settings:
            columns[column] = infotext.settings[label]
            columns.pop(snake_case(label), None)
    return arrange(columns)
