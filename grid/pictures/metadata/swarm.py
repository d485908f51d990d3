"""SwarmUI: a JSON object whose "sui_image_params" holds every setting, numbers sometimes as text.

Source: SwarmUI, docs/Image Metadata Format.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from .columns import as_object, load_object, loras_text, number_text, pick, to_columns

_KEYS = {
    "prompt": "prompt",
    "negative": "negativeprompt",
    "seed": "seed",
    "steps": "steps",
    "cfg": "cfgscale",
    "sampler": "sampler",
    "scheduler": "scheduler",
    "denoise": "initimagecreativity",
    "guidance": "fluxguidancescale",
    "model": "model",
    "vae": "vae",
    "width": "width",
    "height": "height",
}


def read_swarm(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of a SwarmUI picture; empty for any other."""
    for place in ("parameters", "UserComment", "comment"):
        params = as_object(load_object(texts.get(place, "")).get("sui_image_params"))
        if params:
            raw = pick(params, _KEYS)
            names, weights = _entries(params.get("loras")), _entries(params.get("loraweights"))
            raw["loras"] = loras_text(zip(names, [*weights, *([""] * len(names))], strict=False))
            raw["clip_skip"] = number_text(params.get("clipstopatlayer")).lstrip("-")
            return to_columns(raw)
    return {}


def _entries(value: object) -> list[object]:
    """A list setting, which is a JSON array or text between commas."""
    if isinstance(value, str):
        return [entry.strip() for entry in value.split(",")]
    return value if isinstance(value, list) else []
