"""The text that AUTOMATIC1111's web UI, its relatives and many ComfyUI savers write as "parameters".

a prompt, which may go on over several lines
Negative prompt: what to avoid, also over several lines
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768, Lora hashes: "a: 1f, b: 2e"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .columns import DECODER, clean, loras_text, snake_case, to_columns

#: Where the text may be: the PNG chunk, the EXIF comment, the comment of a JPEG or GIF.
PLACES = ("parameters", "UserComment", "comment", "Comment")
#: Settings of other names are columns too when they are no longer than this, in characters.
_MAX_EXTRA = 200
_NEGATIVE = "Negative prompt:"
_KEY = re.compile(r"\s*(\w[\w \-/]{0,60}):[ \t]*")
_STEPS = re.compile(r"\s*Steps: *\d+ *(?:,|$)")
_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
_LORA_TAG = re.compile(r"<(?:lora|lyco):([^:<>]{1,200})(?::([^:<>]{1,40}))?[^<>]{0,80}>")
#: Columns by the label of a setting.
_STANDARD = {
    "Seed": "seed", "Steps": "steps", "CFG scale": "cfg", "Sampler": "sampler", "Schedule type": "scheduler",
    "Scheduler": "scheduler", "Denoising strength": "denoise", "Distilled CFG Scale": "guidance", "Model": "model",
    "VAE": "vae", "Clip skip": "clip_skip",
}  # fmt: skip


@dataclass(frozen=True)
class Infotext:
    """The three parts of the text; settings by label, in their order."""

    prompt: str
    negative: str
    settings: dict[str, str]


def read_a1111(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of the first text that is written this way; empty when none is."""
    infotext = find_infotext(texts)
    return infotext_columns(infotext) if infotext else {}


def find_infotext(texts: Mapping[str, str]) -> Infotext | None:
    """The first text that is written this way, in its parts."""
    parsed = (_parse(texts[place]) for place in PLACES if place in texts)
    return next(filter(None, parsed), None)


def _parse(text: str) -> Infotext | None:
    """The parts of the text; None when it has no line of settings, the one thing that makes it this format."""
    lines = clean(text).split("\n")
    at = _settings_line(lines)
    if at < 0:
        return None
    body = [line.strip() for line in lines[:at]]
    split = next((number for number, line in enumerate(body) if line.startswith(_NEGATIVE)), len(body))
    negative = "\n".join(body[split:])[len(_NEGATIVE) :]
    return Infotext("\n".join(body[:split]).strip(), negative.strip(), _settings(lines[at]))


def _settings_line(lines: list[str]) -> int:
    """The index of the last line that starts with a number of steps, else of a last line of settings; -1 if none."""
    for at in range(len(lines) - 1, -1, -1):
        if _STEPS.match(lines[at]):
            return at
    settings = _settings(lines[-1])
    # three labels, as the web UI asks for, and one of them known: prose has colons too
    return len(lines) - 1 if len(settings) >= 3 and not _STANDARD.keys().isdisjoint(settings) else -1


def _settings(line: str) -> dict[str, str]:
    """`Label: value` pairs between commas. Quoted values may hold commas; values that are JSON objects are left out."""
    settings: dict[str, str] = {}
    at, quotes_close = 0, True
    while at < len(line):
        key = _KEY.match(line, at)
        end = _comma(line, at if key is None else key.end())
        if key:
            value: object = line[key.end() : end].strip()
            if quotes_close and line[key.end() : key.end() + 1] in ('"', "{", "["):
                try:
                    value, after = DECODER.raw_decode(line, key.end())
                    end = _comma(line, after)
                except (ValueError, RecursionError):
                    # read on without quotes: to try again at each label would take time squared in the length
                    quotes_close = False
            if isinstance(value, str):
                settings.setdefault(key[1].strip(), value)
        at = end + 1
    return settings


def _comma(line: str, start: int) -> int:
    at = line.find(",", start)
    return len(line) if at < 0 else at


def infotext_columns(infotext: Infotext) -> dict[str, str]:
    """The text's values under standard names; other short settings under their own in snake_case."""
    raw: dict[str, object] = {"prompt": infotext.prompt, "negative": infotext.negative}
    for label, value in infotext.settings.items():
        if label in _STANDARD:
            raw.setdefault(_STANDARD[label], value)
    if size := _SIZE.fullmatch(infotext.settings.get("Size", "")):
        raw["width"], raw["height"] = size.groups()
    raw["loras"] = _loras(infotext)
    for label, value in infotext.settings.items():
        if label not in _STANDARD and label != "Size" and len(value) <= _MAX_EXTRA:
            raw.setdefault(snake_case(label), value)
    return to_columns(raw)


def _loras(infotext: Infotext) -> str:
    if tags := _LORA_TAG.findall(infotext.prompt):
        return loras_text((name, strength or "1") for name, strength in tags)
    if weights := infotext.settings.get("Lora weights"):
        pairs = (entry.rpartition(":") for entry in weights.split(","))
        return loras_text((name, strength) for name, _, strength in pairs)
    # the second part of a hash entry is no strength, so that only the names are known
    hashes = infotext.settings.get("Lora hashes", "")
    return loras_text((entry.split(":")[0], "") for entry in hashes.split(","))
