"""The inputs of the label node beside the pictures."""

from __future__ import annotations

from ..clip_backend.labelling.options import LabelOptions
from ..options import options_of, widgets
from .socket_types import Declaration
from .vocabularies import VOCABULARY_HELP

#: Those that come first; saved workflows hold widgets by position, so that new ones are appended.
_FIRST = ("templates", "top_k", "threshold")


def label_inputs(model: Declaration, clip: Declaration, clip_vision: Declaration) -> dict[str, Declaration]:
    """The optional inputs in the order of their widgets."""
    labels = "Labels to choose from, one per line or between commas, or a linked list; empty = those of the vocabulary"
    options = options_of(LabelOptions)
    ordered = {name: options[name] for name in dict.fromkeys((*_FIRST, *options))}
    return {
        "model": model,
        "labels": ("STRING", {"default": "", "multiline": True, "tooltip": labels}),
        "vocabulary": ("STRING", {"default": "", "tooltip": VOCABULARY_HELP}),
        **widgets(list(ordered.values())),
        "clip": clip,
        "clip_vision": clip_vision,
    }
