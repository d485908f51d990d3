"""The inputs that sheet nodes share: how they are declared to ComfyUI, and how their lists of values are read.

These nodes take lists (INPUT_IS_LIST), so every value arrives as a list, of one value where a widget made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ForbiddenPath, InputError
from ..grid.template import (
    GridTemplate,
    built_in_templates,
    find_template,
    saved_templates,
)
from ..options import options_of, widgets
from .host import Host
from .socket_types import NUMBERS, TEMPLATE_TYPE, AnyType, Declaration, Lists

NO_TEMPLATE = "none"
DEFAULT_PREFIX = "ClipGrid"

#: Saved workflows hold the values of widgets by position: append, never insert.
SHEET_INPUTS = (
    "labels", "metadata", "csv", "label_columns", "label_format", "rows", "columns", "cell_width", "cell_height", "fit",
    "margin", "font", "font_size", "text_color", "background", "label_position", "title", "row_headers",
    "column_headers", "x_axis", "y_axis", "sort_by", "template", "filename_prefix", "format", "quality", "on_overflow",
    "use_clip", "clip_model", "vocabulary", "score_text", "scores", "badge", "winner", "heatmap", "scores_csv",
)  # fmt: skip


def sheet_inputs(host: Host) -> dict[str, Declaration]:
    """The optional inputs of a node that makes sheets."""
    options = template_inputs()
    from .sheet_clip import clip_inputs

    own = _own_inputs(template_names(host)) | clip_inputs(host)
    return {name: own.get(name) or options[name] for name in SHEET_INPUTS}


def template_inputs() -> dict[str, Declaration]:
    """Every option of a template."""
    return widgets(list(options_of(GridTemplate).values()))


def _own_inputs(templates: list[str]) -> dict[str, Declaration]:
    """The inputs that are no options of a template. ``widgetType`` gives a widget to a type that has none."""
    labels = (
        "One label per line, one for each picture; a single line goes to all, an empty line is no label, \\n breaks a "
        "line. Numbers and lists may be linked too"
    )
    metadata = (
        "Values of the pictures as JSON or CSV: an object of columns with lists, a list of objects, or a table with a "
        "header. They become labels, axes and tooltips"
    )
    csv = (
        "CSV or JSON file with a row per picture, in ComfyUI's input or output folder (labels.csv, labels.csv "
        "[output]) or in a folder that the server's owner added"
    )
    template = (
        "A saved or built-in template, or a linked one. An option here beats the template; an option that stands at "
        "its default counts as not given"
    )
    prefix = (
        "Start of the file's name in the output folder, with folders and the tokens of Save Image, such as "
        "grids/%year%-%month%-%day%/seeds"
    )
    scores = (
        "A number for each picture, such as the score output of CLIP Match Score; shown as badges under the name score"
    )
    return {
        "scores": (NUMBERS, {"forceInput": True, "tooltip": scores}),
        "labels": (AnyType("*"), {"widgetType": "STRING", "default": "", "multiline": True, "tooltip": labels}),
        "metadata": ("STRING", {"default": "", "multiline": True, "tooltip": metadata}),
        "csv": ("STRING", {"default": "", "tooltip": csv}),
        # not a combo for the server: a name that is gone is answered when the node runs, with a hint
        "template": (
            TEMPLATE_TYPE,
            {"widgetType": "COMBO", "options": templates, "default": NO_TEMPLATE, "tooltip": template},
        ),
        "filename_prefix": ("STRING", {"default": DEFAULT_PREFIX, "tooltip": prefix}),
    }


@cache
def _built_in_names() -> tuple[str, ...]:
    return tuple(built_in_templates())


def template_names(host: Host) -> list[str]:
    """What may be chosen: none, the built-in, and the saved templates as far as their folder can be read."""
    try:
        saved = list(saved_templates(host.templates_folder))
    except OSError:
        saved = []
    return list(dict.fromkeys([NO_TEMPLATE, *_built_in_names(), *saved]))


def first_value(inputs: Lists, name: str) -> Any:
    """The value of a widget; None where the input is not given, or linked and not known yet."""
    values = inputs.get(name) or [None]
    return values[0]


def first_text(inputs: Lists, name: str) -> str:
    """The value of a text widget without blanks around it; empty where it is not given."""
    value = first_value(inputs, name)
    return "" if value is None else str(value).strip()


def label_texts(inputs: Lists) -> list[str]:
    """The given labels: the lines of a single text, or else one label per value; none for an empty widget."""
    values = list(flat(inputs.get("labels") or []))
    if len(values) != 1 or not isinstance(values[0], str):
        return [_label(value) for value in values]
    text = values[0].replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []


def flat(values: object) -> Iterator[object]:
    """The values in lists in lists, without those that are None."""
    if isinstance(values, (list, tuple)):
        for value in values:
            yield from flat(value)
    elif values is not None:
        yield values


def _label(value: object) -> str:
    """Text as it is, numbers without float noise and with every digit of a seed, anything else as Python shows it."""
    from ..grid.metadata.columns import number_text

    return value if isinstance(value, str) else number_text(value) or str(value)


def metadata_text(inputs: Lists) -> str:
    """The metadata widget's text; several linked JSON texts become one list."""
    texts = [str(value) for value in flat(inputs.get("metadata") or []) if str(value).strip()]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]" if texts else ""


def chosen_template(inputs: Lists, host: Host) -> GridTemplate:
    """The template with the given options over it; raises InputError for a name or value that cannot be used.

    An option at its default counts as not given. Its font, if it is a file, lies in an allowed folder.
    """
    value = first_value(inputs, "template")
    if isinstance(value, Mapping):
        base = GridTemplate.from_dict(value, name=str(value.get("name", "template")))
    elif value is None or str(value) in ("", NO_TEMPLATE):
        base = GridTemplate()
    else:
        base = find_template(str(value), host.templates_folder)
    template = base.with_options(given_options(inputs))
    return template.with_options({"font": allowed_font(template.font, host)})


def given_options(inputs: Lists) -> dict[str, object]:
    """The template's options among the inputs that do not stand at their default."""
    known = options_of(GridTemplate)
    values = {name: first_value(inputs, name) for name in inputs if name in known}
    parsed = {name: known[name].parse(value) for name, value in values.items() if value is not None}
    return {name: value for name, value in parsed.items() if value != known[name].default}


def allowed_font(font: str, host: Host) -> str:
    """A family's name as it is, a file as its real path; raises ForbiddenPath outside the allowed folders."""
    if not font.strip():
        return ""
    if any(sign in font for sign in ("/", "\\", "~", ":")) or font.rstrip().endswith("]"):
        return str(host.folders.find(font))
    try:
        return str(host.folders.find(font))
    except InputError:
        # a bare name is a family's, or that of one of the machine's fonts; never a file of the working directory
        if Path(font).exists():
            raise ForbiddenPath(
                f"the font {font!r} is a file outside the folders that this server allows; put it into the input folder"
            ) from None
        return font
