"""Civitai's own generator: a ComfyUI graph whose "extraMetadata" says what the user typed.

What it writes as text of AUTOMATIC1111's kind is read with that, its list of models included.
"""

from __future__ import annotations

from collections.abc import Mapping

from .a1111 import PLACES
from .columns import as_object, first_object, load_object, pick, to_columns
from .comfyui import read_comfyui


def read_civitai(texts: Mapping[str, str]) -> dict[str, str]:
    """The columns of a picture of Civitai's generator; empty for any other."""
    graph = first_object(texts, "prompt", *PLACES, marks=['"extraMetadata"'])
    extra = graph.get("extraMetadata")
    typed = load_object(extra) if isinstance(extra, str) else as_object(extra)
    if "prompt" not in typed:
        return {}
    raw: dict[str, object] = pick(
        typed, "prompt", "seed", "steps", "sampler", "scheduler", "denoise", "width", "height",
        negative="negativePrompt", cfg="cfgScale", clip_skip="clipSkip",
    )  # fmt: skip
    # what is not in it, such as the model, is in the graph
    return to_columns({**read_comfyui(texts)[0], **to_columns(raw)})
