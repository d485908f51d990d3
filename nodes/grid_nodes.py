"""The nodes that make sheets: they read their sockets, call the core once, and wrap the answer.

Everything that a node works with is imported when it works, so that ComfyUI starts as fast as without this pack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ClipGridError
from .host import get_host
from .host.folders import directory_lines
from .sockets.types import TEMPLATE_TYPE

if TYPE_CHECKING:
    from ..grid.template import GridTemplate


CATEGORY = "CLIP Grid/grid"
# the id is asked for so that of two equal nodes each saves and shows its own sheet
HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO", "unique_id": "UNIQUE_ID"}
ALIASES = ("contact sheet", "xy plot", "montage", "caption", "image grid", "labels", "clip labels", "heat map")
#: The values of an input; ``(None,)`` when it is linked and ComfyUI does not know them yet.
Values = Sequence[object]


class SheetNode:
    """What all nodes that make sheets have in common for ComfyUI."""

    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    OUTPUT_IS_LIST = (True, True, False)
    RETURN_TYPES = ("IMAGE", "STRING", "STRING")
    RETURN_NAMES = ("grid", "path", "report")
    OUTPUT_TOOLTIPS = (
        "The sheet, one image per page; reduced when all pages together have more than 64 megapixels",
        "The saved files",
        "What was placed where, what was skipped and why, as JSON",
    )
    FUNCTION = "execute"
    CATEGORY = CATEGORY


class LabeledGridExporterNode(SheetNode):
    """Pictures of the graph -> one labelled sheet, saved and shown."""

    DESCRIPTION = "Puts all pictures on one labelled sheet, or into a table with headers; saves it and shows it."
    SEARCH_ALIASES = ALIASES

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .sheets.inputs import sheet_inputs

        images = ("IMAGE", {"tooltip": "Pictures: a batch, or a list of batches of any sizes; all go on one sheet"})
        return {"required": {"images": images}, "optional": sheet_inputs(get_host()), "hidden": HIDDEN}

    @classmethod
    def IS_CHANGED(cls, **inputs: Values) -> str:
        from .sheets.change_keys import sheet_key

        return sheet_key(inputs, get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, csv: Values = (), use_clip: Values = (), vocabulary: Values = ()) -> bool | str:
        return _csv_problem(csv) or _vocabulary_problem(use_clip, vocabulary) or True

    def execute(self, images: object, **inputs: Values) -> dict[str, Any]:
        from ..grid.pictures.survey import pictures_from_arrays
        from .sheets.requests import read_request
        from .sheets.sheets import answer, make_sheet
        from .sockets.tensors import picture_arrays

        host = get_host()
        request = read_request(inputs, host, host.progress())
        made = make_sheet(pictures_from_arrays(picture_arrays(images)), request, host, host.progress())
        return answer([made], made.report, request.csv)


class BatchLabeledGridExporterNode(SheetNode):
    """Folders of pictures -> one labelled sheet for each."""

    DESCRIPTION = (
        "Makes one labelled sheet of each folder of pictures; a folder that fails is reported, the rest goes on."
    )
    SEARCH_ALIASES = (*ALIASES, "folder", "directory")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .sheets.inputs import sheet_inputs

        tooltip = (
            "Folders, one per line, in ComfyUI's input or output folder or in one that the server's owner added; "
            "parent/* means every folder in parent"
        )
        directories = ("STRING", {"default": "", "multiline": True, "tooltip": tooltip})
        return {"required": {"directories": directories}, "optional": sheet_inputs(get_host()), "hidden": HIDDEN}

    @classmethod
    def IS_CHANGED(cls, **inputs: Values) -> str:
        from .sheets.change_keys import batch_key

        return batch_key(inputs, get_host())

    @classmethod
    def VALIDATE_INPUTS(
        cls, directories: Values, csv: Values = (), use_clip: Values = (), vocabulary: Values = ()
    ) -> bool | str:
        files = _csv_problem(csv) or _vocabulary_problem(use_clip, vocabulary)
        return _directories_problem(directories) or files or True

    def execute(self, directories: Values, **inputs: Values) -> dict[str, Any]:
        from .sheets.batch import make_batch
        from .sheets.requests import read_request
        from .sheets.sheets import answer

        host = get_host()
        request = read_request(inputs, host, host.progress())
        made, report = make_batch(directory_lines(directories), request, host)
        return answer(made, report, request.csv)


class GridTemplateNode:
    """Every setting of a sheet in one place, to be linked, or saved under a name."""

    OUTPUT_NODE = True
    RETURN_TYPES = (TEMPLATE_TYPE,)
    RETURN_NAMES = ("template",)
    OUTPUT_TOOLTIPS = ("All settings, for the template input of the exporters",)
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "All settings of a labelled sheet, the rare ones too; they can be saved and chosen by name later."
    SEARCH_ALIASES = ("grid layout", "grid style", "grid preset")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .sheets.inputs import template_inputs

        name = ("STRING", {"default": "my template", "tooltip": "Name under which the template is saved and chosen"})
        save = (
            "BOOLEAN",
            {"default": False, "tooltip": "Save it in ComfyUI's user folder, over an older one of that name"},
        )
        # these two come first, so that options which are added later are appended
        return {"optional": {"name": name, "save": save, **template_inputs()}}

    def execute(self, name: str = "my template", save: bool = False, **options: object) -> dict[str, Any]:
        import json

        from ..grid.template import GridTemplate

        template = GridTemplate(name=name).with_options(options)
        text = f"saved as {save_template(template)}" if save else f"template {name}, not saved"
        return {"ui": {"text": [text]}, "result": (json.loads(template.to_json()),)}


def save_template(template: GridTemplate) -> str:
    """Write the template into the user's folder; answers its path. Raises InputError for a name that is not plain."""
    from ..atomic import atomic_file
    from ..grid.template import template_path

    path = template_path(template.name, get_host().templates_folder)
    with atomic_file(path) as file:
        file.write(template.to_json().encode("utf-8"))
    return str(path)


def _csv_problem(csv: Values) -> str:
    """Why the table's file cannot be used, known before anything runs; empty when all is well or it is linked."""
    return _first_problem(get_host().folders.find, [str(value) for value in csv if value and str(value).strip()])


def _vocabulary_problem(use_clip: Values, vocabulary: Values) -> str:
    """The same for the words that CLIP is to use, if it is used."""
    if not any(use_clip):
        return ""
    from .sockets.vocabularies import vocabulary_problem

    return vocabulary_problem(vocabulary, get_host())


def _directories_problem(directories: Values) -> str:
    lines = directory_lines(directories)
    if not lines and None not in directories:
        return "directories is empty; give a folder per line, such as my_renders or my_renders/*"
    return _first_problem(get_host().folders.find_directories, lines)


def _first_problem(find: Callable[[str], object], texts: Iterable[str]) -> str:
    try:
        for text in texts:
            find(text)
    except ClipGridError as error:
        return str(error)
    return ""
