"""Fooocus: a JSON object of settings, or the text of AUTOMATIC1111 when the user chose that scheme."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .a1111 import PLACES, find_infotext, infotext_columns
from .columns import first_object, loras_text, pick, snake_case, to_columns

_LORA_KEY = re.compile(r"lora_(?:combined_)?\d+")


def read_fooocus(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of a Fooocus picture; empty for any other."""
    # labels such as "Base Model" are keys in the files of old versions
    settings = {snake_case(key): value for key, value in first_object(texts, *PLACES).items()}
    if "base_model" in settings and not settings.keys().isdisjoint(("prompt", "guidance_scale", "performance")):
        return _json_columns(settings)
    is_signed = "fooocus_scheme" in texts or texts.get("Software", "").startswith("Fooocus")
    return _infotext_columns(texts) if is_signed else {}


def _json_columns(settings: Mapping[str, object]) -> dict[str, str]:
    raw = pick(
        settings, "prompt", "seed", "steps", "sampler", "scheduler", "vae", "clip_skip",
        negative="negative_prompt", cfg="guidance_scale", model="base_model",
    )  # fmt: skip
    raw["loras"] = loras_text(_lora(value) for key, value in settings.items() if _LORA_KEY.fullmatch(key))
    numbers = re.findall(r"\d{1,6}", str(settings.get("resolution", "")))
    if len(numbers) == 2:
        raw["width"], raw["height"] = numbers
    return to_columns(raw)


def _lora(value: object) -> tuple[str, str]:
    """Name and strength from `name : strength` or `switched on : name : strength`."""
    parts = value.split(" : ") if isinstance(value, str) else []
    if len(parts) < 2 or (len(parts) == 3 and parts[0] != "True"):
        return "", ""
    return parts[-2], parts[-1]


def _infotext_columns(texts: Mapping[str, str]) -> dict[str, str]:
    infotext = find_infotext(texts)
    if infotext is None:
        return {}
    columns: dict[str, object] = {**infotext_columns(infotext)}
    # what the user typed, as in the other scheme; the plain prompt has the words of all styles in it
    for column, label in (("prompt", "Raw prompt"), ("negative", "Raw negative prompt")):
        if label in infotext.settings:
            columns[column] = infotext.settings[label]
            columns.pop(snake_case(label), None)
    return to_columns(columns)
