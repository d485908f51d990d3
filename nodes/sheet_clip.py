"""What CLIP does for the sheets of a node: the inputs for it, and the model, opened when a picture first needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..options import options_of, read_options, widgets
from .host import Host
from .model_choice import AUTO, NONE, auto_model, whole_model_names
from .socket_types import MODEL_TYPE, Declaration, Lists
from .sockets import first_value
from .vocabularies import VOCABULARY_HELP, find_words

if TYPE_CHECKING:
    from ..api.grid_labels import ClipWishes, Finders
    from ..clip_backend.encoder import Encoder
    from ..grid.pictures import Progress


def clip_inputs(host: Host) -> dict[str, Declaration]:
    """The inputs about CLIP, in the order of their widgets."""
    from ..api.grid_labels import ClipWishes

    options = widgets(list(options_of(ClipWishes).values()))
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
    from ..api.grid_labels import finders
    from ..api.models import LazyModel

    wishes = clip_wishes(inputs)
    words = find_words(wishes.vocabulary, host) if wishes.use_clip else None
    model = first_value(inputs, "clip_model")
    return finders(wishes, progress, model=LazyModel(lambda: open_model(model, host)), vocabulary=words)


def open_model(model: object, host: Host) -> tuple[Encoder, tuple[str, ...]]:
    """The encoder of a linked model, or of a name, and a note of what auto took.

    Raises InputError for a model that is not there, and what loading it raises.
    """
    from .loaded_model import LoadOptions, linked_model, load_model

    if model is not None and not isinstance(model, str):
        return linked_model(model, "clip_model").encoder, ()
    name, notes = (model, ()) if model and model != AUTO else auto_model(host)
    return load_model(name, NONE, LoadOptions(), host).encoder, notes


def clip_wishes(inputs: Lists) -> ClipWishes:
    """What the widgets say; the model, which may be a linked one, is left out."""
    from ..api.grid_labels import ClipWishes

    given = {name: first_value(inputs, name) for name in ("use_clip", "vocabulary", "score_text")}
    return read_options(ClipWishes, {name: value for name, value in given.items() if value is not None})


def model_key(inputs: Lists, host: Host) -> str:
    """Changes with the files of the model that is chosen by its name; never raises."""
    model = first_value(inputs, "clip_model")
    if not isinstance(model, str) or model in ("", AUTO):
        return ""
    from .loaded_model import files_key

    return files_key((model,), host)
