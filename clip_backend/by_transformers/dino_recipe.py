"""How DINO models want their pictures, where neither their tensors nor their position table tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..checkpoint_info import CheckpointInfo, VisionShape
from ..preparing.recipe import Recipe, recipe_of
from ..recognition.json_files import part
from .hub_files import beside

#: What both were evaluated with: the short side becomes 256, of which the middle is seen. The position table of DINOv2
#: is for 518, and the model works it out for other sizes.
SIZE, SHORT_SIDE = 224, 256


def dino_recipe(info: CheckpointInfo, vision: VisionShape, changes: Mapping[str, object]) -> Recipe:
    """What a DINO checkpoint, or the preprocessor_config.json in its folder, says of its pictures.

    A size that the caller gave beats both; the short side then grows with it. changes: any fields of ``Recipe``.
    """
    size, short = _told_sizes(info)
    if info.sources.get("image_size") == "argument":
        short = vision.image_size * short // size
        size = vision.image_size
    told = replace(info, vision=replace(vision, image_size=size))
    habits: dict[str, object] = {"short_side": max(short, size)} if info.fit == "crop" else {}
    return recipe_of(told, **{**habits, **changes})


def _told_sizes(info: CheckpointInfo) -> tuple[int, int]:
    """The side of the square that is seen, and the short side before it is cut out."""
    raw = beside(info, "preprocessor_config.json")
    whole = part(raw, "size")
    size = _side(part(raw, "crop_size"), "height") or _side(whole, "height")
    short = _side(whole, "shortest_edge")
    if size is None:
        return SIZE, SHORT_SIDE
    return size, short or size


def _side(raw: Mapping[str, object], name: str) -> int | None:
    value = raw.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 16 else None
