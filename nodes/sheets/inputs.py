"""The inputs that sheet nodes share: how they are declared to ComfyUI, and how their lists of values are read.

These nodes take lists (INPUT_IS_LIST), so every value arrives as a list, of one value where a widget made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ForbiddenPath, InputError
from ...grid.template import GridTemplate, built_in_templates, find_template, saved_templates
from ...options import options_of, read_options, widgets
from ..host.host import Host
from ..models.choice import AUTO, NONE, auto_model, whole_model_names
from ..sockets.inputs import first_value
from ..sockets.types import MODEL_TYPE, NUMBERS, TEMPLATE_TYPE, AnyType, Declaration, Lists
from ..sockets.vocabularies import VOCABULARY_HELP, find_words

if TYPE_CHECKING:
    from ...api.clip_sheets import ClipOptions, Finders
    from ...clip_backend.encoding.encoder import Encoder
    from ...imaging import Progress


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


def clip_inputs(host: Host) -> dict[str, Declaration]:
    """The inputs about CLIP, in the order of their widgets."""
    from ...api.clip_sheets import ClipOptions

    options = widgets(list(options_of(ClipOptions).values()))
    model = (
        "The model that looks at the pictures, or one linked from CLIP Model Loader; auto = the first in your model "
        "folders that has both halves. If it cannot be used, the sheet is made without it"
    )
    # not a combo for the server: a model that is gone costs its labels and not the sheet
    names = [AUTO, *whole_model_names(host)]
    combo: Declaration = (MODEL_TYPE, {"widgetType": "COMBO", "options": names, "default": AUTO, "tooltip": model})
    return {**options, "clip_model": combo, "vocabulary": ("STRING", {"default": "", "tooltip": VOCABULARY_HELP})}


def sheet_finders(inputs: Lists, host: Host, progress: Progress | None) -> Finders:
    """What finds what the inputs wish for; no model is opened yet.

    Raises InputError for a vocabulary that cannot be used, ForbiddenPath outside the allowed folders.
    """
    from ...api.clip_sheets import finders
    from ...api.models import LazyModel

    wishes = clip_wishes(inputs)
    words = find_words(wishes.vocabulary, host) if wishes.use_clip else None
    model = first_value(inputs, "clip_model")
    return finders(wishes, progress, model=LazyModel(lambda: open_model(model, host)), vocabulary=words)


def open_model(model: object, host: Host) -> tuple[Encoder, tuple[str, ...]]:
    """The encoder of a linked model, or of a name, and a note of what auto took.

    Raises InputError for a model that is not there, and what loading it raises.
    """
    from ..models.loaded import LoadOptions, linked_model, load_model

    if model is not None and not isinstance(model, str):
        return linked_model(model, "clip_model").encoder, ()
    name, notes = (model, ()) if model and model != AUTO else auto_model(host)
    return load_model(name, NONE, LoadOptions(), host).encoder, notes


def clip_wishes(inputs: Lists) -> ClipOptions:
    """What the widgets say; the model, which may be a linked one, is left out."""
    from ...api.clip_sheets import ClipOptions

    given = {name: first_value(inputs, name) for name in ("use_clip", "vocabulary", "score_text")}
    return read_options(ClipOptions, {name: value for name, value in given.items() if value is not None})


def model_key(inputs: Lists, host: Host) -> str:
    """Changes with the files of the model that is chosen by its name; never raises."""
    model = first_value(inputs, "clip_model")
    if not isinstance(model, str) or model in ("", AUTO):
        return ""
    from ..models.loaded import files_key

    return files_key((model,), host)
