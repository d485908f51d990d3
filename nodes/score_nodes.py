"""The nodes that score images: CLIP Match Score, CLIP Label and Rank Images.

What a node works with is imported when it works, so that the pack costs ComfyUI no time at its start.
"""

from __future__ import annotations

from typing import Any

from .host import get_host
from .sockets.inputs import (
    HEAD_TYPE,
    MODEL_TYPE,
    NUMBERS_AND_VERDICTS,
    Declaration,
    Values,
    first_text,
    option_inputs,
)

_IMAGE: Declaration = (
    "IMAGE",
    {"tooltip": "Pictures: a batch, or a list of batches of any sizes; each picture counts for itself"},
)
_MODEL: Declaration = (MODEL_TYPE, {"tooltip": "From CLIP Model Loader; or connect clip and clip_vision instead"})
_CLIP: Declaration = (
    "CLIP",
    {"tooltip": "The text encoder of a CLIP that ComfyUI has loaded; clip_vision must be of the same CLIP"},
)
_CLIP_VISION: Declaration = (
    "CLIP_VISION",
    {"tooltip": "The vision encoder of a CLIP that ComfyUI has loaded; clip must be of the same CLIP"},
)
_PICTURES = "The pictures one by one, in their order"
_REPORT = "Every number with its scale, and notes, as JSON"


class ScoringNode:
    """What ComfyUI reads of all nodes that score images."""

    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    FUNCTION = "execute"
    CATEGORY = "CLIP Grid/clip"


class CLIPMatchScore(ScoringNode):
    """Images and texts -> how well they match, and a verdict."""

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

        text = "What the pictures should show: one text, of however many lines; several come as a list"
        options = option_inputs(MatchOptions)
        return {
            "required": {"image": _IMAGE, "text": ("STRING", {"default": "", "multiline": True, "tooltip": text})},
            "optional": {"model": _MODEL, "clip": _CLIP, "clip_vision": _CLIP_VISION, **options},
        }

    def execute(self, image: Values, text: Values, **inputs: Values) -> dict[str, Any]:
        from .scores.results import match_images

        return match_images(image, text, inputs, get_host())


class CLIPLabel(ScoringNode):
    """Images -> the given label, or the words of a vocabulary, that fits each."""

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
        from ..clip_backend.labelling.options import LabelOptions
        from .sockets.vocabularies import VOCABULARY_HELP

        labels = (
            "Labels to choose from, one per line or between commas, or a linked list; empty = those of the vocabulary"
        )
        head = (
            "Classes that were learnt, from Load Head or Learn From Folder, in place of labels and vocabulary; without "
            "model the one that they were learnt on is taken"
        )
        return {
            "required": {"image": _IMAGE},
            "optional": {
                "model": _MODEL,
                "labels": ("STRING", {"default": "", "multiline": True, "tooltip": labels}),
                "vocabulary": ("STRING", {"default": "", "tooltip": VOCABULARY_HELP}),
                # saved workflows hold the values of widgets by position: these stay first, new options are appended
                **option_inputs(LabelOptions, first=("templates", "top_k", "threshold")),
                "clip": _CLIP,
                "clip_vision": _CLIP_VISION,
                "head": (HEAD_TYPE, {"tooltip": head}),
            },
        }

    @classmethod
    def IS_CHANGED(cls, **inputs: Values) -> str:
        from .checks import vocabulary_state

        return vocabulary_state(first_text(inputs, "vocabulary"), get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, vocabulary: Values = ()) -> bool | str:
        from .checks import vocabulary_problem

        return vocabulary_problem(vocabulary, get_host()) or True

    def execute(self, image: Values, labels: Values = (), **inputs: Values) -> dict[str, Any]:
        from .scores.results import label_images

        return label_images(image, labels, inputs, get_host())


class RankImages(ScoringNode):
    """Images -> the best of them, best first, and the others."""

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
        from ..clip_backend.ranking.result import RankOptions
        from .scores.ranks import EmptyOptions

        text = "Rank by how well pictures match this text; or connect scores or references instead"
        scores = (
            "Rank by these numbers, one for each picture, such as the score output of CLIP Match Score; of its "
            "is_match output, above threshold keeps the matches"
        )
        references = "Rank by likeness to these pictures; several stand for what they have in common"
        # saved workflows hold the values of widgets by position: these stay first, new options are appended
        first = ("keep", "k", "threshold", "descending", "duplicates", "when_empty")
        return {
            "required": {"image": _IMAGE},
            "optional": {
                "text": ("STRING", {"default": "", "multiline": True, "tooltip": text}),
                "scores": (NUMBERS_AND_VERDICTS, {"forceInput": True, "tooltip": scores}),
                "references": ("IMAGE", {"tooltip": references}),
                "model": _MODEL,
                "clip": _CLIP,
                "clip_vision": _CLIP_VISION,
                **option_inputs(RankOptions, EmptyOptions, first=first),
            },
        }

    def execute(self, image: Values, **inputs: Values) -> dict[str, Any]:
        from .scores.ranks import rank_images

        return rank_images(image, inputs, get_host())
