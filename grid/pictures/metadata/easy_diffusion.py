"""Easy Diffusion: one PNG text for each setting, or the same as one JSON object; by key, or by the label it shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest

from .a1111 import PLACES
from .columns import first_object, loras_text, pick, snake_case, to_columns

#: Columns by the key of a setting, and by its label in snake_case.
_KEYS = {
    "prompt": "prompt", "negative_prompt": "negative", "seed": "seed", "num_inference_steps": "steps",
    "steps": "steps", "guidance_scale": "cfg", "sampler_name": "sampler", "sampler": "sampler",
    "scheduler_name": "scheduler", "scheduler": "scheduler", "use_stable_diffusion_model": "model",
    "stable_diffusion_model": "model", "use_vae_model": "vae", "vae_model": "vae", "clip_skip": "clip_skip",
    "prompt_strength": "denoise", "distilled_guidance_scale": "guidance", "width": "width", "height": "height",
}  # fmt: skip
#: Keys that no other writer known here has beside a prompt.
_SIGNATURES = ("use_stable_diffusion_model", "stable_diffusion_model", "num_inference_steps")
_MARKS = ("stable_diffusion_model", "Stable Diffusion model", "num_inference_steps")
_LORAS, _STRENGTHS = ("use_lora_model", "lora_model"), ("lora_alpha", "lora_strength")


def read_easy_diffusion(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of an Easy Diffusion picture; empty for any other."""
    for source in (texts, first_object(texts, *PLACES, marks=_MARKS)):
        settings: dict[str, object] = {snake_case(key): value for key, value in source.items()}
        if "prompt" in settings and not settings.keys().isdisjoint(_SIGNATURES):
            raw: dict[str, object] = {}
            for key, value in settings.items():
                if key in _KEYS:
                    raw.setdefault(_KEYS[key], value)
            names, strengths = _entries(settings, _LORAS), _entries(settings, _STRENGTHS)
            raw["loras"] = loras_text(zip_longest(names, strengths[: len(names)]))
            return to_columns(raw)
    return {}


def _entries(settings: Mapping[str, object], keys: tuple[str, str]) -> list[object]:
    """One or more values: a value, a list, or the text of a list such as `['a', 'b']`."""
    value = next(iter(pick(settings, *keys).values()), None)
    if isinstance(value, str):
        return [entry.strip(" '\"") for entry in re.sub(r"^\[|\]$", "", value.strip()).split(",")]
    return value if isinstance(value, list) else [value]
