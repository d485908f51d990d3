"""The nodes of the index: Index Images and Search Images.

What a node works with is imported when it works, so that the pack costs ComfyUI no time at its start.
"""

from __future__ import annotations

from typing import Any

from .host import get_host
from .sockets.inputs import INDEX_TYPE, MODEL_TYPE, Declaration, Values, option_inputs

_MODEL: Declaration = (
    MODEL_TYPE,
    {
        "tooltip": "From CLIP Model Loader. Without it: the model that the index was made with, or for a new index the "
        "first in your model folders"
    },
)


class IndexNode:
    """What ComfyUI reads of both nodes."""

    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    FUNCTION = "execute"
    CATEGORY = "CLIP Grid/search"


class IndexImages(IndexNode):
    """Folders -> an index of their pictures that is up to date."""

    RETURN_TYPES = (INDEX_TYPE, "STRING")
    RETURN_NAMES = ("index", "report")
    OUTPUT_IS_LIST = (False, False)
    OUTPUT_TOOLTIPS = (
        "For Search Images, which then searches after the index was brought up to date",
        "What was new, moved, gone or could not be used and why, as JSON",
    )
    DESCRIPTION = "Reads the pictures of folders once, so that Search Images and the search tab find them."
    SEARCH_ALIASES = ("index folder", "scan pictures", "image library", "embed folder", "clip index", "image database")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from ..api.index import IndexOptions

        tooltip = (
            "Folders, one per line, indexed with all folders below them; in ComfyUI's input or output folder or in one "
            "that the server's owner added. Empty = the whole output and input folder"
        )
        directories = ("STRING", {"default": "", "multiline": True, "tooltip": tooltip})
        return {"optional": {"directories": directories, "model": _MODEL, **option_inputs(IndexOptions)}}

    @classmethod
    def IS_CHANGED(cls, directories: Values = (), **others: Values) -> str:
        from .checks import pictures_state

        return pictures_state(directories, get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, directories: Values = ()) -> bool | str:
        from .checks import index_folders_problem

        return index_folders_problem(directories, get_host()) or True

    def execute(self, **inputs: Values) -> dict[str, Any]:
        from .search.workflow import update_the_index

        host = get_host()
        with host.folders.short_errors():
            return update_the_index(inputs, host)


class SearchImages(IndexNode):
    """Texts and pictures -> the pictures of the index that fit best."""

    RETURN_TYPES = ("IMAGE", "STRING", "FLOAT", "STRING")
    RETURN_NAMES = ("images", "paths", "scores", "report")
    OUTPUT_IS_LIST = (True, True, True, False)
    OUTPUT_TOOLTIPS = (
        "The hits one by one in their own sizes, the best first, weak ones last",
        "Their files on this machine",
        "Their scores; higher is better, and only scores of one search compare",
        "Every hit with score, z, percentile, files and whether it is weak, and notes, as JSON",
    )
    DESCRIPTION = "Finds pictures of the index by texts, by pictures, by words of their prompts and by filters."
    SEARCH_ALIASES = ("find images", "search pictures", "similar images", "image search", "semantic search", "gallery")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from ..api.search import SearchOptions
        from .search.workflow import EmptyOptions

        text = "What the pictures show; several lines count together, each with a weight if you like: at night::0.5"
        without = "What the pictures are not to show, a line each"
        index = "From Index Images, to search after it is done; not needed otherwise"
        # saved workflows hold the values of widgets by position: these stay first, new options are appended
        first = ("keywords", "where", "top", "diversity", "duplicates", "collapse", "strong", "when_empty")
        return {
            "optional": {
                "text": ("STRING", {"default": "", "multiline": True, "tooltip": text}),
                "without": ("STRING", {"default": "", "multiline": True, "tooltip": without}),
                "like": ("IMAGE", {"tooltip": "Pictures that the hits are to resemble"}),
                "unlike": ("IMAGE", {"tooltip": "Pictures that the hits are not to resemble"}),
                "index": (INDEX_TYPE, {"tooltip": index}),
                "model": _MODEL,
                **option_inputs(SearchOptions, EmptyOptions, first=first),
            }
        }

    @classmethod
    def IS_CHANGED(cls, **inputs: Values) -> str:
        from .checks import index_state

        return index_state(get_host())

    def execute(self, **inputs: Values) -> dict[str, Any]:
        from .search.workflow import search_the_index

        host = get_host()
        with host.folders.short_errors():
            return search_the_index(inputs, host)
