"""The inputs of the rank node beside the pictures."""

from __future__ import annotations

from dataclasses import dataclass

from ..clip_backend.ranking.options import RankOptions
from ..options import option, options_of, widgets
from .socket_types import NUMBERS, Declaration

BEST, STOP, BLOCK = "best", "stop", "block"
#: Widgets that come first; saved workflows hold them by position, so that new ones are appended.
_FIRST = ("keep", "k", "threshold", "descending", "duplicates", "when_empty")


@dataclass(frozen=True, kw_only=True)
class EmptyOptions:
    """What the node does beside ranking."""

    when_empty: str = option(
        BEST,
        "If no picture is kept: best keeps the best one all the same and says so, stop is an error, block runs nothing "
        "that follows",
        choices=(BEST, STOP, BLOCK),
    )


def rank_inputs(model: Declaration, clip: Declaration, clip_vision: Declaration) -> dict[str, Declaration]:
    """The optional inputs in the order of their widgets."""
    text = "Rank by how well pictures match this text; or connect scores or references instead"
    scores = "Rank by these numbers, one for each picture, such as the score output of CLIP Match Score"
    references = "Rank by likeness to these pictures; several stand for what they have in common"
    options = {**options_of(RankOptions), **options_of(EmptyOptions)}
    ordered = {name: options[name] for name in dict.fromkeys((*_FIRST, *options))}
    return {
        "text": ("STRING", {"default": "", "multiline": True, "tooltip": text}),
        "scores": (NUMBERS, {"forceInput": True, "tooltip": scores}),
        "references": ("IMAGE", {"tooltip": references}),
        "model": model,
        "clip": clip,
        "clip_vision": clip_vision,
        **widgets(list(ordered.values())),
    }
