"""The optional inputs of the nodes that make sheets, as they are declared to ComfyUI."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib.util import find_spec

from ...errors import ClipGridError, InputError
from ...grid.template import GridTemplate, built_in_templates, saved_templates
from ..host.host import Host
from ..models.choice import AUTO, complete_model_names
from ..sockets.inputs import MODEL_TYPE, NUMBERS, TEMPLATE_TYPE, AnyType, Declaration, option_inputs, text_inputs
from ..sockets.vocabularies import VOCABULARY_HELP

NO_TEMPLATE = "none"
DEFAULT_PREFIX = "ClipGrid"
#: Saved workflows hold the values of widgets by position: append, never insert.
SHEET_INPUTS = (
    "labels", "metadata", "csv", "label_columns", "label_format", "rows", "columns", "cell_width", "cell_height", "fit",
    "margin", "font", "font_size", "text_color", "background", "label_position", "title", "row_headers",
    "column_headers", "x_axis", "y_axis", "sort_by", "template", "filename_prefix", "format", "quality", "on_overflow",
    "use_clip", "clip_model", "vocabulary", "score_text", "scores", "badge", "winner", "heatmap", "scores_csv",
)  # fmt: skip
#: What a user sees at first sight; everything else is folded away as advanced.
BASIC_INPUTS = frozenset({
    "labels", "columns", "cell_width", "title", "template", "filename_prefix", "format", "use_clip", "clip_model",
})  # fmt: skip
#: The same for the node that makes a sheet for each folder: nobody types a label for each picture of many folders.
BASIC_FOLDER_INPUTS = BASIC_INPUTS - {"labels"} | {"label_format"}
#: Widgets of the template node at first sight.
BASIC_OPTIONS = frozenset({
    "rows", "columns", "cell_width", "cell_height", "fit", "margin", "font_size", "background", "label_position",
    "title", "format",
})  # fmt: skip


def sheet_inputs(host: Host, basic: Collection[str] = BASIC_INPUTS) -> dict[str, Declaration]:
    """All of them, in the order of their widgets; those that are not basic are folded away."""
    from ...api.clip_sheets import ClipOptions

    declared = option_inputs(GridTemplate, ClipOptions) | _own_inputs(host)
    return fold(text_inputs(_writable({name: declared[name] for name in SHEET_INPUTS})), basic)


def template_inputs() -> dict[str, Declaration]:
    """The options of a template, in the order of their widgets."""
    return fold(text_inputs(_writable(option_inputs(GridTemplate))), BASIC_OPTIONS)


def fold(declared: Mapping[str, Declaration], basic: Collection[str]) -> dict[str, Declaration]:
    """The declarations; all that are not basic are advanced, whatever they were."""
    return {
        name: (kind, {key: value for key, value in extra.items() if key != "advanced"} | _advanced(name not in basic))
        for name, (kind, extra) in declared.items()
    }


def _advanced(is_advanced: bool) -> dict[str, object]:
    return {"advanced": True} if is_advanced else {}


def _writable(declared: Mapping[str, Declaration]) -> dict[str, Declaration]:
    """The declarations, with those file formats alone that can be written here."""
    formats, extra = declared["format"]
    offered = [one for one in formats if is_writable(one)] if isinstance(formats, list) else formats
    return {**declared, "format": (offered, extra)}


@cache
def is_writable(format: str) -> bool:
    """Whether the Pillow that is installed can write the format, and for PDF whether fpdf2 is installed."""
    from ...grid.write.output import check_format

    try:
        check_format(format)
    except InputError:
        return False
    return format != "pdf" or find_spec("fpdf") is not None


def _own_inputs(host: Host) -> dict[str, Declaration]:
    """The inputs that are not plain options. ``widgetType`` gives a widget to a type that has none."""
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
    model = (
        "The model that looks at the pictures, or one linked from CLIP Model Loader; auto = the first in your model "
        "folders that has both encoders. If it cannot be used, the sheet is made without it"
    )
    return {
        "labels": (AnyType("*"), {"widgetType": "STRING", "default": "", "multiline": True, "tooltip": labels}),
        "metadata": ("STRING", {"default": "", "multiline": True, "tooltip": metadata}),
        "csv": ("STRING", {"default": "", "tooltip": csv}),
        "template": _combo(TEMPLATE_TYPE, template_names(host), template),
        "filename_prefix": ("STRING", {"default": DEFAULT_PREFIX, "tooltip": prefix}),
        "scores": (NUMBERS, {"forceInput": True, "tooltip": scores}),
        "clip_model": _combo(MODEL_TYPE, [AUTO, *complete_model_names(host)], model),
        "vocabulary": ("STRING", {"default": "", "tooltip": VOCABULARY_HELP}),
    }


def _combo(type: str, choices: list[str], tooltip: str) -> Declaration:
    """A combo box for the browser alone: the server would refuse a name that is gone before the node can react."""
    return type, {"widgetType": "COMBO", "options": choices, "default": choices[0], "tooltip": tooltip}


def template_names(host: Host) -> list[str]:
    """``none``, the built-in templates, and the saved ones if their folder is known and can be read."""
    try:
        saved = list(saved_templates(host.templates_folder))
    except (ClipGridError, OSError):
        saved = []
    return list(dict.fromkeys([NO_TEMPLATE, *_built_in_names(), *saved]))


@cache
def _built_in_names() -> tuple[str, ...]:
    return tuple(built_in_templates())
