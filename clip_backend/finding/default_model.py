"""Which model is taken when the user names none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...errors import InputError
from ..checkpoint_info import CheckpointInfo
from .catalog import FoundModel, find_models

#: Names the model that is taken by default.
VARIABLE = "CLIP_GRID_MODEL"


def default_model(
    *, environment: Mapping[str, str] = os.environ, find: Callable[[], Sequence[FoundModel]] = find_models
) -> tuple[str | Path, str]:
    """A model that reads texts and sees pictures, and a note that says which it is and why.

    The one that the variable CLIP_GRID_MODEL names, else the first whole one among those that ``clip-grid models``
    lists. Raises InputError when there is none.
    """
    if named := environment.get(VARIABLE, "").strip():
        return named, f"the model is {named}, which {VARIABLE} names"
    whole = [model for model in find() if not model.problem and model.info is not None and is_whole(model.info)]
    if not whole:
        raise InputError(
            "there is no CLIP on this machine that has both halves, pictures and texts, in one file; name a model, or "
            f"set {VARIABLE} to one; clip-grid models lists what was found"
        )
    others = f", the first of {len(whole)}; another is taken by its name" if len(whole) > 1 else ""
    return whole[0].path, f"the model is {whole[0].name}{others}"


def is_whole(info: CheckpointInfo) -> bool:
    """Whether a file alone can compare pictures with texts."""
    has_halves = info.vision is not None and info.text is not None
    return has_halves and info.has_vision_projection and info.has_text_projection
