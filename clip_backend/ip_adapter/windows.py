"""Which frame of a batch or video each row of an attention shows, inside context windows too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def frames_of(options: Mapping[str, Any], rows: int) -> tuple[int, ...]:
    """The frame of each of the rows that belong to one conditioning.

    options: ``transformer_options``, where the context windows of ComfyUI and AnimateDiff-Evolved leave their frames.
    """
    window = options.get("context_window")
    if window is not None and getattr(window, "dim", 0) == 0:
        frames = list(window.index_list)
        anchor = getattr(window, "causal_anchor_index", None)
        if anchor is not None and anchor >= 0 and len(frames) + 1 == rows:
            frames = [anchor, *frames]
        if len(frames) == rows:
            return tuple(frames)
    indices: Sequence[int] | None = (options.get("ad_params") or {}).get("sub_idxs")
    if indices is not None and len(indices) == rows:
        return tuple(indices)
    return tuple(range(rows))
