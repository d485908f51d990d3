"""What a sheet is made from beside its images, read from the inputs of a node."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...api.clip_sheets import ClipFunctions, ClipOptions, clip_functions
from ...api.models import LazyModel
from ...api.sheets import SheetInputs
from ...errors import ForbiddenPath, InputError
from ...grid.template import GridTemplate, find_template, template_path, write_template
from ...imaging import Progress
from ...json_text import parse_object
from ...options import Value, options_of, read_options
from ..host.host import Host
from ..models.choice import AUTO, NONE, auto_model, demo_notes
from ..models.loaded import LoadOptions, check_both_encoders, check_loaded, load_model
from ..sockets.inputs import (
    Inputs,
    first_value,
    flatten,
    label_texts,
    metadata_text,
    texts_of,
    widget_text,
    widget_value,
)
from ..sockets.notes import log_notes
from ..sockets.prefix_tokens import fill_prefix
from ..sockets.vocabularies import read_vocabulary_input
from .axis_values import AXES
from .inputs import DEFAULT_PREFIX, NO_TEMPLATE

if TYPE_CHECKING:
    from ...clip_backend.encoding.encoder import Encoder

#: Pixels of all pages together that the ``grid`` output may have: 0.8 GB as float32.
PAGE_BUDGET = 64_000_000
#: The name of the linked scores.
SCORE = "score"


@dataclass(frozen=True, kw_only=True)
class SheetRequest:
    """The template, the data and the file name of a sheet."""

    template: GridTemplate
    inputs: SheetInputs
    prefix: str
    #: Pixels of all pages together that the ``grid`` output may have.
    budget: int = PAGE_BUDGET
    #: Linked lists of values by the option of their axis, such as ``x_axis``.
    axes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: What the user should know of the inputs.
    notes: tuple[str, ...] = ()


def read_request(inputs: Inputs, host: Host, progress: Progress | None = None) -> SheetRequest:
    """The request; progress: of the labels and scores that CLIP computes.

    Raises InputError for a template, option, CSV file, font or vocabulary that cannot be used, ForbiddenPath for files
    outside the allowed folders.
    """
    notes: list[str] = []
    csv = widget_text(inputs, "csv", notes)
    prompt, extra = first_value(inputs, "prompt"), first_value(inputs, "extra_pnginfo")
    clip = _clip(inputs, host, progress, notes)
    data = SheetInputs(
        labels=label_texts(inputs),
        csv=host.folders.find(csv) if csv else None,
        metadata=metadata_text(inputs),
        texts=_workflow_texts(prompt, extra) if host.embeds_metadata else {},
        scores=[{SCORE: _score(value, i)} for i, value in enumerate(flatten(inputs.get("scores") or ()), 1)],
        labeller=clip.labeller,
        scorer=clip.scorer,
        clip_notes=clip.notes,
        uses_torch=True,
    )
    axes = {name: values for name in AXES if len(values := texts_of(inputs.get(name))) > 1}
    template = choose_template({name: values for name, values in inputs.items() if name not in axes}, host, notes)
    template = _with_judged_badges(template, data, notes)
    prefix = widget_text(inputs, "filename_prefix", notes) or DEFAULT_PREFIX
    prefix = fill_prefix(prefix, prompt, extra, datetime.now())
    return SheetRequest(template=template, inputs=data, prefix=prefix, axes=axes, notes=tuple(notes))


def _with_judged_badges(template: GridTemplate, data: SheetInputs, notes: list[str]) -> GridTemplate:
    """The template with linked scores as its badge; ``heatmap`` and ``winner`` without any score are left out."""
    if data.scores and not template.badge:
        template = template.with_options({"badge": SCORE})
    # the scores of labels are shown by a heat map alone
    has_score = template.badge or data.scorer or (data.labeller and template.heatmap == "on")
    for name, off in (("heatmap", "off"), ("winner", "none")):
        if getattr(template, name) != off and not has_score:
            notes.append(
                f"{name} is {getattr(template, name)}, but the pictures have no score: link scores, write score_text, "
                "or name a column of numbers in badge"
            )
            template = template.with_options({name: off})
    return template


def _score(value: object, number: int) -> float:
    """The score; NaN for an image that could not be scored."""
    if isinstance(value, (int, float)):
        return float(value)
    raise InputError(f"score {number} is {value!r}; link a list of numbers to scores")


def _workflow_texts(prompt: object, extra: object) -> dict[str, str]:
    """The texts that Save Image embeds in its files."""
    texts = {} if prompt is None else {"prompt": json.dumps(prompt)}
    named = extra if isinstance(extra, Mapping) else {}
    return texts | {str(key): json.dumps(value) for key, value in named.items()}


def choose_template(inputs: Inputs, host: Host, notes: list[str] | None = None) -> GridTemplate:
    """The linked or named template with the options of the node; an option at its default does not count.

    notes: gets what the user should know of linked lists.

    Raises InputError for a name or value that cannot be used, ForbiddenPath for a font outside the allowed folders.
    """
    value = first_value(inputs, "template")
    has_template = isinstance(value, Mapping) or (value is not None and str(value) not in ("", NO_TEMPLATE))
    if isinstance(value, Mapping):
        base = GridTemplate.from_dict(value, name=str(value.get("name", "template")))
    elif has_template:
        base = find_template(str(value), host.templates_folder)
    else:
        base = GridTemplate()
    notes = [] if notes is None else notes
    given = template_options(inputs, notes)
    known = options_of(GridTemplate)
    template = base.with_options({name: value for name, value in given.items() if value != known[name].default})
    notes += _note_of_place(base, template) if has_template else []
    return template.with_options({"font": _allowed_font(template.font, host)})


def _note_of_place(base: GridTemplate, template: GridTemplate) -> list[str]:
    """Workflows from when over was the default hold it also where the place of the template was meant."""
    default = options_of(GridTemplate)["label_position"].default
    if template.label_position != "over" or base.label_position == "over":
        return []
    return [
        f"label_position is over in the node, which beats {base.label_position} of the template {base.name}; earlier "
        f"versions took the template's: choose {default} in the node for that"
    ]


def template_options(inputs: Inputs, notes: list[str]) -> dict[str, Value]:
    """The options of a template among the inputs, parsed; raises InputError for a value that cannot be used."""
    known = options_of(GridTemplate)
    values = {name: widget_value(inputs, name, notes) for name in inputs if name in known}
    return {name: known[name].parse(value) for name, value in values.items() if value is not None}


def _allowed_font(font: str, host: Host) -> str:
    """The name of a font family as it is, a file as its real path; raises ForbiddenPath outside the allowed folders."""
    if not font.strip():
        return ""
    is_path = any(sign in font for sign in ("/", "\\", "~", ":")) or font.rstrip().endswith("]")
    try:
        return str(host.folders.find(font))
    except InputError as error:
        if is_path or isinstance(error, ForbiddenPath):
            raise
    # a plain name is a font of this machine, but never a file in the working directory
    if os.path.exists(font):
        raise ForbiddenPath(
            f"the font {font!r} is a file outside the folders that this server allows; put it into the input folder"
        )
    return font


def make_template(inputs: Inputs, host: Host) -> dict[str, Any]:
    """What the template node returns: the template, saved under its name if ``save`` says so."""
    notes: list[str] = []
    name = widget_text(inputs, "name", notes) if "name" in inputs else "my template"
    template = GridTemplate(name=name).with_options(template_options(inputs, notes))
    is_saved = first_value(inputs, "save")
    text = f"saved as {save_template(template, host)}" if is_saved else f"template {name}, not saved"
    log_notes(notes)
    return {"ui": {"text": ["\n".join([text, *notes])]}, "result": (parse_object(template.to_json()),)}


def save_template(template: GridTemplate, host: Host) -> str:
    """Write the template into the user's templates folder; the answer is the file, from ComfyUI's user folder on.

    Raises InputError for an unusable name.
    """
    path = template_path(template.name, host.templates_folder)
    write_template(template, path)
    return Path("user", path.relative_to(host.templates_folder.parents[1])).as_posix()


def _clip(inputs: Inputs, host: Host, progress: Progress | None, notes: list[str]) -> ClipFunctions:
    """Functions that label and score images by CLIP, if the inputs say so; the model is loaded when they are called."""
    values = {name: widget_value(inputs, name, notes) for name in ("use_clip", "vocabulary", "score_text")}
    options = read_options(ClipOptions, {name: value for name, value in values.items() if value is not None})
    vocabulary = read_vocabulary_input(options.vocabulary, host) if options.use_clip else None
    model = first_value(inputs, "clip_model")
    return clip_functions(options, progress, model=LazyModel(lambda: _load(model, host)), vocabulary=vocabulary)


def _load(model: object, host: Host) -> tuple[Encoder, tuple[str, ...]]:
    """The encoder of a linked or named model, and a note that names the one taken for "auto".

    Raises InputError if there is no such model, and what loading it raises.
    """
    if model is not None and not isinstance(model, str):
        loaded = check_both_encoders(check_loaded(model, "clip_model"), host)
        return loaded.encoder, demo_notes(loaded.name, host)
    name, notes = (model, demo_notes(model, host)) if model and model != AUTO else auto_model(host)
    return check_both_encoders(load_model(name, NONE, LoadOptions(), host), host).encoder, notes
