"""The text that AUTOMATIC1111's web UI, its relatives and many ComfyUI savers write as "parameters".

a prompt, which may go on over several lines
Negative prompt: what to avoid, also over several lines
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768, Lora hashes: "a: 1f, b: 2e"

SD.Next of 2023 parts the settings by " | " and begins with "prompt: ".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ....json_text import JsonError, next_json
from .columns import DECODER, as_list, as_object, clean, snake_case, to_columns
from .lora_settings import infotext_loras, resource_type

#: Where the text may be: the PNG chunk, the EXIF and XMP comments, the comment of a JPEG or GIF.
PLACES = ("parameters", "UserComment", "comment", "Comment", "MakerNote", "ImageDescription", "description")
#: Settings of other names are columns too when they are no longer than this, in characters.
_MAX_EXTRA = 200
#: Longer texts are no data, in characters: real ones have some thousands.
MAX_TEXT = 2**20
#: No more settings are read; real texts have less than a hundred.
_MAX_SETTINGS = 500
_NEGATIVE = "Negative prompt:"
_PROMPT = "prompt: "
_KEY = re.compile(r"\s*(\w[\w \-/]{0,60}):[ \t]*")
_STEPS = re.compile(r"\s*Steps: *\d+ *(?:[,|]|$)")
_PIPES = re.compile(r"\s*Steps: *\d+ *\|")
_ENDS = {",": re.compile(r"[,\n]"), "|": re.compile(r"[|\n]")}
#: What may stand on a line of its own before the steps in SD.Next's text.
_SDNEXT_LINE = re.compile(r"(?:Version|App|Pipeline|Parser|Backend|Operations?): ")
_SDNEXT_NEGATIVE = re.compile(r"^Negative:")
_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
#: Settings whose JSON value is kept.
_RESOURCES = "Civitai resources"
#: Columns by the label of a setting in small letters, as tools differ in "Clip skip" and "CFG scale".
_STANDARD = {
    "seed": "seed", "steps": "steps", "cfg scale": "cfg", "sampler": "sampler", "schedule type": "scheduler",
    "scheduler": "scheduler", "denoising strength": "denoise", "distilled cfg scale": "guidance", "model": "model",
    "vae": "vae", "clip skip": "clip_skip",
}  # fmt: skip


@dataclass(frozen=True)
class Infotext:
    """The three parts of the text; settings by label, in their order."""

    prompt: str
    negative: str
    settings: dict[str, str]
    #: The models that Civitai names in the text, in their order.
    resources: list[object] = field(default_factory=list)


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
    if len(text) > MAX_TEXT:
        return None
    lines = clean(text).split("\n")
    at = _settings_line(lines)
    if at < 0:
        return None
    settings, resources = _settings("\n".join(lines[at:]), "|" if _PIPES.match(lines[at]) else ",")
    body = [line.strip() for line in lines[:at]]
    if _PIPES.match(lines[at]) or settings.get("App", "").startswith("SD.Next"):
        while body and _SDNEXT_LINE.match(body[-1]):
            earlier, _ = _settings(body.pop(), ",")
            settings = {**settings, **{label: value for label, value in earlier.items() if label not in settings}}
        body = [_SDNEXT_NEGATIVE.sub(_NEGATIVE, line) for line in body]
        if body and body[0].lower().startswith(_PROMPT):
            body[0] = body[0][len(_PROMPT) :]
    split = next((number for number, line in enumerate(body) if line.startswith(_NEGATIVE)), len(body))
    negative = "\n".join(body[split:])[len(_NEGATIVE) :]
    return Infotext("\n".join(body[:split]).strip(), negative.strip(), settings, resources)


def _settings_line(lines: list[str]) -> int:
    """The index of the last line that starts with a number of steps, else of a last line of settings; -1 if none."""
    for at in range(len(lines) - 1, -1, -1):
        if _STEPS.match(lines[at]):
            return at
    settings, _ = _settings(lines[-1], ",")
    # three labels, as the web UI asks for, and one of them known: prose has colons too
    return len(lines) - 1 if len(settings) >= 3 and any(map(_standard_column, settings)) else -1


def _settings(text: str, separator: str) -> tuple[dict[str, str], list[object]]:
    """`Label: value` pairs between separators, and Civitai's list of models, if it is among them.

    Quoted values may hold separators and line ends; other values that are JSON are left out. The settings end with
    their line, unless that ends with a separator or the next one begins with a label that is known.
    """
    settings: dict[str, str] = {}
    resources: list[object] = []
    at, unread = 0, ""
    while at < len(text) and len(settings) < _MAX_SETTINGS:
        key = _KEY.match(text, at)
        end = _value_end(text, at if key is None else key.end(), separator)
        if key:
            value: object = text[key.end() : end].strip()
            opener = text[key.end() : key.end() + 1]
            if opener in ('"', "{", "[") and opener not in unread:
                try:
                    value, after = next_json(text, key.end(), DECODER)
                    end = _value_end(text, after, separator)
                except JsonError:
                    # such values are read as they are from here on: to try again at each label would take time squared
                    # in the length
                    unread += opener
            if isinstance(value, str):
                settings.setdefault(key[1].strip(), value)
            elif key[1].strip() == _RESOURCES:
                resources = resources or as_list(value)
        if text[end : end + 1] == "\n" and not _goes_on(text, end):
            break
        at = end + 1
    return settings, resources


def _value_end(text: str, start: int, separator: str) -> int:
    """Where the next separator or line end is, or the text ends."""
    end = _ENDS[separator].search(text, start)
    return end.start() if end else len(text)


def _goes_on(text: str, line_end: int) -> bool:
    """Whether the next line begins with a setting that is known."""
    following = _KEY.match(text, line_end + 1)
    return following is not None and (following[1] == "Size" or bool(_standard_column(following[1])))


def _standard_column(label: str) -> str:
    """The standard column that a setting fills; empty for none."""
    return _STANDARD.get(label.lower(), "")


def infotext_columns(infotext: Infotext) -> dict[str, str]:
    """The text's values under standard names; other short settings under their own in snake_case."""
    raw: dict[str, object] = {"prompt": infotext.prompt, "negative": infotext.negative}
    for label, value in infotext.settings.items():
        if column := _standard_column(label):
            raw.setdefault(column, value)
    if size := _SIZE.fullmatch(infotext.settings.get("Size", "")):
        raw["width"], raw["height"] = size.groups()
    loras, others = infotext_loras(infotext.prompt, infotext.settings, infotext.resources)
    raw["loras"] = loras
    for record in map(as_object, infotext.resources):
        if resource_type(record) == "checkpoint":
            raw.setdefault("model", record.get("modelName"))
            raw.setdefault("model_version", record.get("modelVersionName"))
    for label, value in others.items():
        if not _standard_column(label) and label != "Size" and len(value) <= _MAX_EXTRA:
            raw.setdefault(snake_case(label), value)
    return to_columns(raw)
