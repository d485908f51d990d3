"""Fooocus and its forks: a JSON object of settings, or the text of AUTOMATIC1111 when the user chose that scheme."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .a1111 import PLACES, find_infotext, infotext_columns
from .columns import as_list, first_object, loras_text, pick, snake_case, to_columns

_LORA_KEY = re.compile(r"lora_(?:combined_)?\d+")
#: Key of a LoRA's name in Fooocus-MRE; its weight is under `w1`.
_LORA_NAME_KEY = re.compile(r"l(\d)")
_MARKS = ("base_model", "Base Model", '"Prompt"')
#: The keys of one fork, RuinedFooocus, by the column they fill; it signs what it writes.
_RUINED = {
    "prompt": "prompt", "negative": "negative", "seed": "seed", "steps": "steps", "cfg": "cfg",
    "sampler_name": "sampler", "scheduler": "scheduler", "denoise": "denoise", "base_model_name": "model",
    "clip_skip": "clip_skip", "width": "width", "height": "height",
}  # fmt: skip


def read_fooocus(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of a Fooocus picture; empty for any other."""
    # labels such as "Base Model" are keys in the files of old versions
    settings = {snake_case(key): value for key, value in first_object(texts, *PLACES, marks=_MARKS).items()}
    if settings.get("software") == "RuinedFooocus" or {"prompt", "base_model_name"} <= settings.keys():
        raw = {column: settings[key] for key, column in _RUINED.items() if key in settings}
        return to_columns({**raw, "loras": loras_text(map(_ruined_lora, as_list(settings.get("loras"))))})
    if "base_model" in settings and not settings.keys().isdisjoint(("prompt", "guidance_scale", "performance")):
        return _json_columns(settings)
    is_signed = "fooocus_scheme" in texts or texts.get("Software", "").startswith("Fooocus")
    return _infotext_columns(texts) if is_signed else {}


def _json_columns(settings: Mapping[str, object]) -> dict[str, str]:
    raw = pick(
        settings, "cfg", "prompt", "seed", "steps", "sampler", "scheduler", "vae", "clip_skip", "width", "height",
        negative="negative_prompt", model="base_model",
    )  # fmt: skip
    raw |= pick(settings, cfg="guidance_scale")
    raw["loras"] = loras_text(_loras(settings))
    resolution = settings.get("resolution")
    numbers = re.findall(r"\d{1,6}", resolution) if isinstance(resolution, str) else as_list(resolution)
    if len(numbers) == 2:
        raw["width"], raw["height"] = numbers
    return to_columns(raw)


def _loras(settings: Mapping[str, object]) -> Iterator[tuple[object, object]]:
    for key, value in settings.items():
        if _LORA_KEY.fullmatch(key):
            yield _lora(value)
        elif slot := _LORA_NAME_KEY.fullmatch(key):
            yield value, settings.get(f"w{slot[1]}")
        elif key == "loras":
            # the list of a version in between: [[name, strength], ...]
            yield from ((entry[0], entry[1]) for entry in map(as_list, as_list(value)) if len(entry) == 2)


def _lora(value: object) -> tuple[str, str]:
    """Name and strength from `name : strength` or `switched on : name : strength`."""
    parts = value.split(" : ") if isinstance(value, str) else []
    if len(parts) < 2 or (len(parts) == 3 and parts[0] != "True"):
        return "", ""
    return parts[-2], parts[-1]


def _ruined_lora(value: object) -> tuple[str, str]:
    """Name and strength from [hash, "strength - name"], or of old versions ["hash - strength", name]."""
    texts = [text for text in as_list(value) if isinstance(text, str)]
    if len(texts) != 2:
        return "", ""
    strength, dash, name = texts[1].partition(" - ")
    return (name, strength) if dash else (texts[1], texts[0].rpartition(" - ")[2])


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
