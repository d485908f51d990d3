"""InvokeAI, all three of its formats: "invokeai_metadata" (3 and later), "sd-metadata" (2) and "Dream" (before)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .columns import as_list, as_object, load_object, loras_text, pick, to_columns

_FLAGS = {"s": "steps", "S": "seed", "W": "width", "H": "height", "C": "cfg", "A": "sampler", "f": "denoise"}
_FLAG = re.compile(r"(?:^|\s)-([sSWHCAf])\s?([^\s-]\S{0,60})")
_IN_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


def read_invokeai(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of an InvokeAI picture, the newest format first; empty for any other."""
    for name, read in (("invokeai_metadata", _read_metadata), ("sd-metadata", _read_sd_metadata)):
        if (record := load_object(texts.get(name, ""))) and (columns := read(record)):
            return columns
    return _read_dream(texts.get("Dream", ""))


def _read_metadata(record: Mapping[str, object]) -> dict[str, str]:
    raw = pick(
        record, "seed", "steps", "scheduler", "guidance", "clip_skip", "width", "height",
        prompt="positive_prompt", negative="negative_prompt", cfg="cfg_scale", denoise="strength",
    )  # fmt: skip
    raw["model"] = _model_name(record.get("model"))
    raw["vae"] = _model_name(record.get("vae"))
    raw["loras"] = loras_text(_loras(record.get("loras")))
    return to_columns(raw)


def _model_name(value: object) -> object:
    """The name in a model record; it has had three keys over the versions, and was plain text before."""
    record = as_object(value)
    names = (record[key] for key in ("name", "model_name", "key") if key in record)
    return next(names, value)


def _loras(value: object) -> Iterator[tuple[object, object]]:
    for entry in map(as_object, as_list(value)):
        yield _model_name(entry.get("model", entry.get("lora"))), entry.get("weight")


def _read_sd_metadata(record: Mapping[str, object]) -> dict[str, str]:
    image = as_object(record.get("image"))
    raw = pick(image, "seed", "steps", "sampler", "width", "height", cfg="cfg_scale", denoise="strength")
    prompt = image.get("prompt")
    if isinstance(prompt, list):
        prompt = "\n".join(str(as_object(part).get("prompt", "")) for part in prompt)
    raw |= _split_prompt(prompt if isinstance(prompt, str) else "")
    raw["model"] = record.get("model_weights")
    return to_columns(raw)


def _read_dream(text: str) -> dict[str, str]:
    end = text.rfind('"')
    if not text.startswith('"') or end < 1:
        return {}
    raw: dict[str, object] = {_FLAGS[flag]: value for flag, value in _FLAG.findall(text[end + 1 :])}
    return to_columns(raw | _split_prompt(text[1:end]))


def _split_prompt(prompt: str) -> dict[str, object]:
    """The prompt, and the negative one that these versions took in square brackets."""
    negative = "\n".join(_IN_BRACKETS.findall(prompt))
    return {"prompt": re.sub(r"  +", " ", _IN_BRACKETS.sub("", prompt)), "negative": negative}
