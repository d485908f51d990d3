"""The nodes that label, match and rank pictures: they read their sockets, call the core once, and wrap the answer.

Everything that a node works with is imported when it works, so that ComfyUI starts as fast as without this pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .host import get_host
from .sockets.types import MODEL_TYPE, Declaration

CATEGORY = "CLIP Grid/clip"
#: The values of an input; ``(None,)`` when it is linked and ComfyUI does not know them yet.
Values = Sequence[object]
_IMAGE: Declaration = (
    "IMAGE",
    {"tooltip": "Pictures: a batch, or a list of batches of any sizes; each picture counts for itself"},
)
_MODEL: Declaration = (MODEL_TYPE, {"tooltip": "From CLIP Model Loader; or connect clip and clip_vision instead"})
_CLIP: Declaration = (
    "CLIP",
    {"tooltip": "Texts' half of a CLIP that ComfyUI has loaded; clip_vision must be of the same CLIP"},
)
_VISION: Declaration = (
    "CLIP_VISION",
    {"tooltip": "Pictures' half of a CLIP that ComfyUI has loaded; clip must be of the same CLIP"},
)
_PICTURES = "The pictures one by one, in their order"
_REPORT = "Every number with its scale, and notes, as JSON"


class ScoringNode:
    """What all nodes that score pictures have in common for ComfyUI."""

    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    FUNCTION = "execute"
    CATEGORY = CATEGORY


class CLIPMatchScore(ScoringNode):
    """Pictures and texts -> how well they match, by names of scales, and a verdict."""

    RETURN_TYPES = ("FLOAT", "BOOLEAN", "STRING", "IMAGE", "STRING")
    RETURN_NAMES = ("score", "is_match", "status", "image", "report")
    OUTPUT_IS_LIST = (True, True, True, True, False)
    OUTPUT_TOOLTIPS = (
        "The cosine of each pair of picture and text, -1 to 1",
        "Whether each pair is a match",
        "The verdict in words, such as Match (score: 0.310)",
        _PICTURES,
        _REPORT,
    )
    DESCRIPTION = "Says how well pictures match texts, which part of a text is missing, and whether it is a match."
    SEARCH_ALIASES = ("clip score", "similarity", "prompt match", "compare image and text", "image text score")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from ..clip_backend.matching.result import MatchOptions
        from ..options import options_of, widgets

        text = (
            "STRING",
            {
                "default": "",
                "multiline": True,
                "tooltip": "What the pictures should show: one text, of however many lines; several come as a list",
            },
        )
        options = widgets(list(options_of(MatchOptions).values()))
        return {
            "required": {"image": _IMAGE, "text": text},
            "optional": {"model": _MODEL, "clip": _CLIP, "clip_vision": _VISION, **options},
        }

    def execute(self, image: Values, text: Values, **inputs: Values) -> dict[str, Any]:
        from ..clip_backend.matching.result import MatchOptions
        from ..options import read_options
        from .models.connected import connected_model
        from .scores.matches import linked_texts, match_answer
        from .sockets.inputs import settings

        host = get_host()
        options, texts = read_options(MatchOptions, settings(inputs)), linked_texts(text)
        return match_answer(image, texts, connected_model(inputs, host), options, host)


class CLIPLabel(ScoringNode):
    """Pictures -> which of the given labels they show, or what words of a vocabulary fit."""

    RETURN_TYPES = ("STRING", "FLOAT", "IMAGE", "STRING")
    RETURN_NAMES = ("label", "score", "image", "report")
    OUTPUT_IS_LIST = (True, True, True, False)
    OUTPUT_TOOLTIPS = (
        "The label of each picture",
        "The probability of each label, 0 to 1; the report names its scale",
        _PICTURES,
        _REPORT,
    )
    DESCRIPTION = "Labels pictures: one of your labels, or words for medium, subject, style and more."
    SEARCH_ALIASES = ("tag", "caption", "classify", "zero-shot", "interrogate", "clip label", "tagger")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .scores.labels import label_inputs

        return {"required": {"image": _IMAGE}, "optional": label_inputs(_MODEL, _CLIP, _VISION)}

    @classmethod
    def IS_CHANGED(cls, **inputs: Values) -> str:
        from .sheets.change_keys import vocabulary_key
        from .sockets.inputs import first_text

        return vocabulary_key(first_text(inputs, "vocabulary"), get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, vocabulary: Values = ()) -> bool | str:
        from .sockets.vocabularies import vocabulary_problem

        return vocabulary_problem(vocabulary, get_host()) or True

    def execute(self, image: Values, labels: Values = (), vocabulary: Values = (), **inputs: Values) -> dict[str, Any]:
        from ..clip_backend.labelling.options import LabelOptions
        from ..options import read_options
        from .models.connected import connected_model
        from .scores.labels import label_answer
        from .sockets.inputs import first_text, settings
        from .sockets.vocabularies import chosen_words

        host = get_host()
        options = read_options(LabelOptions, settings(inputs))
        words = chosen_words(labels, first_text({"vocabulary": vocabulary}, "vocabulary"), host)
        return label_answer(image, words, connected_model(inputs, host), options, host)


class RankImages(ScoringNode):
    """Pictures -> the best of them, best first, and the others."""

    RETURN_TYPES = ("IMAGE", "FLOAT", "INT", "STRING", "IMAGE", "INT")
    RETURN_NAMES = ("image", "score", "index", "report", "rejected", "rejected_index")
    OUTPUT_IS_LIST = (True, True, True, False, True, True)
    OUTPUT_TOOLTIPS = (
        "The pictures that are kept, the best first",
        "Their scores: cosines, or the scores that were given",
        "Their places among the pictures that came in, from 0",
        _REPORT,
        "The other pictures, the best first; what follows is not run if there are none",
        "Their places among the pictures that came in, from 0",
    )
    DESCRIPTION = "Sorts pictures by a text, by scores or by pictures you like, and keeps the best or all good ones."
    SEARCH_ALIASES = ("best of n", "filter", "rank", "sort images", "select best", "top k", "duplicates")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .scores.ranks import rank_inputs

        return {"required": {"image": _IMAGE}, "optional": rank_inputs(_MODEL, _CLIP, _VISION)}

    def execute(self, image: Values, **inputs: Values) -> dict[str, Any]:
        from .scores.ranks import RankWishes, rank_answer

        return rank_answer(image, RankWishes.of(inputs), inputs, get_host())
