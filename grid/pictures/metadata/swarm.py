"""SwarmUI: a JSON object whose "sui_image_params" holds every setting, numbers sometimes as text.

Source: SwarmUI, docs/Image Metadata Format.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest

from .a1111 import PLACES
from .columns import as_object, first_object, loras_text, number_text, pick, to_columns


def read_swarm(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of a SwarmUI picture; empty for any other."""
    params = as_object(first_object(texts, *PLACES, marks=['"sui_image_params"']).get("sui_image_params"))
    if not params:
        return {}
    raw = pick(
        params, "prompt", "seed", "steps", "sampler", "scheduler", "model", "vae", "width", "height",
        negative="negativeprompt", cfg="cfgscale", denoise="initimagecreativity", guidance="fluxguidancescale",
    )  # fmt: skip
    names, weights = _entries(params.get("loras")), _entries(params.get("loraweights"))
    raw["loras"] = loras_text(zip_longest(names, weights[: len(names)]))
    raw["clip_skip"] = number_text(params.get("clipstopatlayer")).lstrip("-")
    return to_columns(raw)


def _entries(value: object) -> list[object]:
    """A list setting, which is a JSON array or text between commas."""
    if isinstance(value, str):
        return [entry.strip() for entry in value.split(",")]
    return value if isinstance(value, list) else []
