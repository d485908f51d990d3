"""Types of sockets beyond ComfyUI's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: An input as INPUT_TYPES declares it.
Declaration = tuple[object, dict[str, object]]
#: What ComfyUI calls a node with: a list of values for each input.
Lists = Mapping[str, Sequence[object]]
#: The options of a template as a plain dict, so that any cache can keep it.
TEMPLATE_TYPE = "CLIP_GRID_TEMPLATE"
#: A loaded model: ``NodeModel``.
MODEL_TYPE = "CLIP_GRID_MODEL"
#: What a model says of pictures: ``ImageFeatures``.
FEATURES_TYPE = "CLIP_GRID_FEATURES"
#: Scores: those of this pack are FLOAT, some of other packs are whole numbers.
NUMBERS = "FLOAT,INT"


class AnyType(str):
    """The type of an input that every output may be linked to: ComfyUI refuses types that are ``!=``."""

    __slots__ = ()

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__
