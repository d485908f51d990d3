"""The nodes that make sheets: they read their sockets, call the core once, and wrap the answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ClipGridError, InputError
from ..grid.template import GridTemplate, template_path
from ..options import check, options_of, widgets
from .change_keys import batch_key, sheet_key
from .folders import directory_lines
from .host import Host, get_host
from .sockets import (
    DEFAULT_PREFIX,
    TEMPLATE_TYPE,
    Lists,
    chosen_template,
    first_text,
    first_value,
    label_texts,
    metadata_text,
    sheet_inputs,
)

if TYPE_CHECKING:
    from ..api import SheetInputs
    from ..grid.pictures import Progress
    from ..grid.report import BatchReport, GridReport
    from .sheets import MadeSheet

log = logging.getLogger("clip_grid")

HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO", "unique_id": "UNIQUE_ID"}
#: What ComfyUI takes back from a node: its ``ui`` and its ``result``.
Answer = dict[str, Any]


class _SheetNode:
    """What both sheet nodes have in common for ComfyUI."""

    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    OUTPUT_IS_LIST = (True, True, False)
    RETURN_TYPES = ("IMAGE", "STRING", "STRING")
    RETURN_NAMES = ("grid", "path", "report")
    OUTPUT_TOOLTIPS = (
        "The sheet, one image per page; reduced when all pages together have more than 64 megapixels",
        "The saved file of each page",
        "What was placed where, skipped and why, as JSON",
    )
    FUNCTION = "execute"
    CATEGORY = "CLIP Grid/grid"
    SEARCH_ALIASES = ("contact sheet", "xy plot", "montage", "caption", "image grid", "labels")


class LabeledGridExporterNode(_SheetNode):
    """Pictures from the graph -> one labelled sheet, saved and shown."""

    DESCRIPTION = "Puts all pictures on one labelled sheet (or a table with headers), saves it and shows it."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        images = ("IMAGE", {"tooltip": "Pictures: a batch, or a list of batches of any sizes; all go on one sheet"})
        return {"required": {"images": images}, "optional": sheet_inputs(get_host()), "hidden": HIDDEN}

    @classmethod
    def IS_CHANGED(cls, **inputs: Sequence[object]) -> str:
        return sheet_key(inputs, get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, csv: Sequence[object] = ()) -> bool | str:
        return _csv_problem(csv) or True

    def execute(self, images: object, **inputs: Sequence[object]) -> Answer:
        from ..grid.pictures import pictures_from_arrays
        from .previews import PAGE_BUDGET
        from .tensors import picture_arrays

        host = get_host()
        survey = pictures_from_arrays(picture_arrays(images))
        made = _make(survey, inputs, host, host.progress(), DEFAULT_PREFIX, PAGE_BUDGET)
        return _answer([made], made.report)


class BatchLabeledGridExporterNode(_SheetNode):
    """Folders of pictures -> one labelled sheet each."""

    DESCRIPTION = (
        "Makes one labelled sheet from each folder of pictures; a folder that fails is reported, the others go on."
    )
    SEARCH_ALIASES = (*_SheetNode.SEARCH_ALIASES, "folder", "directory")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        tooltip = (
            "Folders, one per line, in ComfyUI's input or output folder or one that the server's owner added; "
            "parent/* means every folder in parent"
        )
        directories = ("STRING", {"default": "", "multiline": True, "tooltip": tooltip})
        return {"required": {"directories": directories}, "optional": sheet_inputs(get_host()), "hidden": HIDDEN}

    @classmethod
    def IS_CHANGED(cls, **inputs: Sequence[object]) -> str:
        return batch_key(inputs, get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, directories: Sequence[object], csv: Sequence[object] = ()) -> bool | str:
        return _directories_problem(directories) or _csv_problem(csv) or True

    def execute(self, directories: Sequence[object], **inputs: Sequence[object]) -> Answer:
        from ..grid.report import BatchReport

        host = get_host()
        folders, failed = _expand(directories, host)
        made: list[MadeSheet] = []
        show = host.progress()
        for number, folder in enumerate(folders):
            try:
                made.append(_sheet_of(folder, inputs, host, _part(show, number, len(folders)), len(folders)))
            except ClipGridError as error:
                failed.append((str(folder), str(error)))
        report = BatchReport(tuple(sheet.report for sheet in made), _failures(failed))
        if not made:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in failed)
            raise InputError(f"no folder gave a sheet: {reasons}")
        return _answer(made, report)


class GridTemplateNode:
    """Every setting of a sheet in one place, to be linked or saved under a name."""

    OUTPUT_NODE = True
    RETURN_TYPES = (TEMPLATE_TYPE,)
    RETURN_NAMES = ("template",)
    OUTPUT_TOOLTIPS = ("All settings, for the template input of the exporters",)
    FUNCTION = "execute"
    CATEGORY = "CLIP Grid/grid"
    DESCRIPTION = "All settings of a labelled sheet, also the rare ones; can be saved and chosen by name later."
    SEARCH_ALIASES = ("contact sheet", "xy plot", "grid style", "layout", "preset")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        name = ("STRING", {"default": "my template", "tooltip": "Name under which the template is saved and chosen"})
        save = ("BOOLEAN", {"default": False, "tooltip": "Save the template in ComfyUI's user folder, over an older one"})
        # these two come first, so that options which are added later are appended
        return {"optional": {"name": name, "save": save, **widgets(list(options_of(GridTemplate).values()))}}

    def execute(self, name: str = "my template", save: bool = False, **options: object) -> Answer:
        template = GridTemplate(name=name, **check(GridTemplate, options))  # type: ignore[arg-type]
        text = f"saved as {_save(template, get_host())}" if save else f"template {name}"
        return {"ui": {"text": [text]}, "result": (json.loads(template.to_json()),)}


def _save(template: GridTemplate, host: Host) -> Path:
    from ..grid.atomic import atomic_file

    path = template_path(template.name, host.templates_folder)
    with atomic_file(path) as file:
        file.write(template.to_json().encode("utf-8"))
    return path


def _sheet_of(folder: Path, inputs: Lists, host: Host, progress: Progress, share: int) -> MadeSheet:
    """The sheet of one folder of a batch, called after it."""
    from .previews import PAGE_BUDGET
    from .sheets import survey_directory

    survey = survey_directory(folder, host.folders, progress)
    return _make(survey, inputs, host, progress, f"{DEFAULT_PREFIX}_{folder.name}", PAGE_BUDGET // share)


def _texts(inputs: Lists, host: Host) -> SheetInputs:
    from ..api import SheetInputs
    from .sheets import workflow_texts

    csv = first_text(inputs, "csv")
    found = host.folders.find(csv) if csv else None
    if found:
        log.info("labels from %s", found)
    return SheetInputs(
        labels=label_texts(inputs),
        csv=found,
        metadata=metadata_text(inputs),
        texts=workflow_texts(host, first_value(inputs, "prompt"), first_value(inputs, "extra_pnginfo")),
    )


def _expand(directories: Sequence[object], host: Host) -> tuple[list[Path], list[tuple[str, str]]]:
    """The folders that are meant, each once, and the lines that mean none with their reasons."""
    folders: dict[Path, None] = {}
    failed: list[tuple[str, str]] = []
    for line in _lines(directories):
        try:
            folders.update(dict.fromkeys(host.folders.find_directories(line)))
        except ClipGridError as error:
            failed.append((line, str(error)))
    if not folders and not failed:
        raise InputError("directories is empty; give a folder per line, such as my_renders or my_renders/*")
    return list(folders), failed


def _lines(directories: Sequence[object]) -> list[str]:
    return [line for text in directories if text is not None for line in directory_lines(str(text))]
