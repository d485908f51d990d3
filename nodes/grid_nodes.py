"""The nodes that make sheets: Labeled Grid Exporter, Batch Labeled Grid Exporter and Grid Template.

What a node works with is imported when it works, so that the pack costs ComfyUI no time at its start.
"""

from __future__ import annotations

from typing import Any

from .host import get_host
from .sockets.inputs import TEMPLATE_TYPE, Values, directory_lines

CATEGORY = "CLIP Grid/grid"
# without the id, ComfyUI's cache would let only one of two equal nodes save and show its sheet
HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO", "unique_id": "UNIQUE_ID"}
ALIASES = (
    "grid", "save grid", "save image grid", "image grid", "contact sheet", "xy plot", "xyz plot", "comparison grid",
    "montage", "collage", "caption", "labels", "clip labels", "heat map",
)  # fmt: skip


class SheetNode:
    """What ComfyUI reads of all nodes that make sheets."""

    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    OUTPUT_IS_LIST = (True, True, False)
    RETURN_TYPES = ("IMAGE", "STRING", "STRING")
    RETURN_NAMES = ("grid", "path", "report")
    OUTPUT_TOOLTIPS = (
        "The sheet, one image per page; reduced if its pages have over 64 megapixels together (a batch shares them)",
        "The saved files",
        "What was placed where, what was skipped and why, as JSON",
    )
    FUNCTION = "execute"
    CATEGORY = CATEGORY


class LabeledGridExporterNode(SheetNode):
    """Images of the graph -> one labelled sheet, saved and shown."""

    DESCRIPTION = "Puts all pictures on one labelled sheet, or into a table with headers; saves it and shows it."
    SEARCH_ALIASES = ALIASES

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .sheets.inputs import sheet_inputs

        images = ("IMAGE", {"tooltip": "Pictures: a batch, or a list of batches of any sizes; all go on one sheet"})
        return {"required": {"images": images}, "optional": sheet_inputs(get_host()), "hidden": HIDDEN}

    @classmethod
    def IS_CHANGED(cls, **inputs: Values) -> str:
        from .checks import sheet_state

        return sheet_state(inputs, get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, csv: Values = ()) -> bool | str:
        from .checks import file_problem

        # ComfyUI blames every input that is named here; what else is wrong is told when the node runs
        return file_problem(csv, get_host()) or True

    def execute(self, images: object, **inputs: Values) -> dict[str, Any]:
        from ..grid.pictures.survey import pictures_from_arrays
        from .sheets.request import read_request
        from .sheets.sheet import make_sheet, node_result
        from .sockets.tensors import picture_arrays

        host = get_host()
        with host.folders.short_errors():
            request = read_request(inputs, host, host.progress())
            sheet = make_sheet(pictures_from_arrays(picture_arrays(images)), request, host, host.progress())
        return node_result([sheet], sheet.report, request.inputs.csv, host)


class BatchLabeledGridExporterNode(SheetNode):
    """Folders of images -> one labelled sheet for each."""

    DESCRIPTION = (
        "Makes one labelled sheet of each folder of pictures; a folder that fails is reported, the rest goes on."
    )
    SEARCH_ALIASES = (*ALIASES, "folder", "directory")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .sheets.inputs import BASIC_FOLDER_INPUTS, sheet_inputs

        tooltip = (
            "Folders, one per line: my_renders is looked for in ComfyUI's input folder, then in its output folder; "
            "output/my_renders or [output] names the folder of ComfyUI (input, output, temp), and parent/* every "
            "folder in parent"
        )
        directories = ("STRING", {"default": "", "multiline": True, "tooltip": tooltip})
        optional = sheet_inputs(get_host(), BASIC_FOLDER_INPUTS)
        return {"required": {"directories": directories}, "optional": optional, "hidden": HIDDEN}

    @classmethod
    def IS_CHANGED(cls, **inputs: Values) -> str:
        from .checks import batch_state

        return batch_state(inputs, get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, directories: Values) -> bool | str:
        from .checks import directories_problem

        # ComfyUI blames every input that is named here; what else is wrong is told when the node runs
        return directories_problem(directories, get_host()) or True

    def execute(self, directories: Values, **inputs: Values) -> dict[str, Any]:
        from .sheets.batch import make_batch
        from .sheets.request import read_request
        from .sheets.sheet import node_result

        host = get_host()
        with host.folders.short_errors():
            request = read_request(inputs, host, host.progress())
            sheets, report = make_batch(directory_lines(directories), request, host)
        return node_result(sheets, report, request.inputs.csv, host)


class GridTemplateNode:
    """All options of a sheet -> a template, linked or saved under a name."""

    # a linked list of headers arrives whole
    INPUT_IS_LIST = True
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
        # these two come first, so that new options are appended
        return {"optional": {"name": name, "save": save, **template_inputs()}}

    def execute(self, **inputs: Values) -> dict[str, Any]:
        from .sheets.request import make_template

        return make_template(inputs, get_host())
