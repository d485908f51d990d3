"""Which of several savers in a ComfyUI graph wrote a file: the one whose filename prefix begins the file's name."""

from __future__ import annotations

import re

from .comfyui_graph import Graph, Node
from .comfyui_values import text

_PREFIXES = ("filename_prefix", "file_name_prefix", "filename", "file_name", "prefix", "save_prefix")
#: What savers replace: ComfyUI's %date:yyyy% and %KSampler.seed%, WAS' [time(%Y)], Image Saver's %seed and %date.
_TOKEN = re.compile(
    r"%(?:date:[^%]{1,60}|year|month|day|hour|minute|second|width|height|batch_num|[^%./]{1,60}\.[^%./]{1,60})%"
    r"|\[[a-z_]+(?:\([^)]{0,60}\))?\]|%[a-z]+(?:_name)?",
    re.IGNORECASE,
)
#: What savers and file managers add: _00001_, -1, (2), " - Copy".
_ADDED = r"(?:[ _.-]*\d{1,7}_?)?(?: ?\(\d{1,3}\)| - Copy)?"


def named_savers(graph: Graph, savers: list[Node], file: str) -> list[Node]:
    """The savers whose prefix fits the name of the file best; empty where none fits or there is no name."""
    stem = re.split(r"[\\/]", file)[-1].rpartition(".")[0]
    if not stem:
        return []
    fits = [_fit(graph, saver, stem) for saver in savers]
    best = max(fits, default=0)
    return [saver for saver, fit in zip(savers, fits, strict=True) if fit == best] if best else []


def _fit(graph: Graph, saver: Node, stem: str) -> int:
    """How many letters of the saver's prefix the name has; 0 where it is not the prefix."""
    prefix = next((found for key in _PREFIXES if (found := text(graph, saver.inputs.get(key), key))), "")
    # a token may hold slashes, so that it goes before the folder does
    literals = re.split(r"[\\/]", _TOKEN.sub("\0", prefix[:400]))[-1].split("\0")[:8]
    pattern = ".*".join(map(re.escape, literals))
    return sum(map(len, literals)) if re.fullmatch(pattern + _ADDED, stem[:300], re.DOTALL) else 0
