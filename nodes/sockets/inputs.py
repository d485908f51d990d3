"""Socket types, and how the values of inputs are read.

Nodes with INPUT_IS_LIST get every input as a list, of a single value if a widget made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: An input as INPUT_TYPES declares it.
Declaration = tuple[object, dict[str, object]]
#: The values of one input; ``(None,)`` before a run if it is linked.
Values = Sequence[object]
#: The values of all inputs by name.
Inputs = Mapping[str, Values]
#: The options of a template as a plain dict, which every cache can hold.
TEMPLATE_TYPE = "CLIP_GRID_TEMPLATE"
#: A model loaded by CLIP Model Loader: ``LoadedModel``.
MODEL_TYPE = "CLIP_GRID_MODEL"
#: A head: ``LoadedHead``.
HEAD_TYPE = "CLIP_GRID_HEAD"
#: Embeddings and hidden states of images: ``ImageFeatures``.
FEATURES_TYPE = "CLIP_GRID_FEATURES"
#: That an index is up to date: a text about it, which no node reads.
INDEX_TYPE = "CLIP_GRID_INDEX"
#: An adapter loaded by IP-Adapter Loader: ``LoadedAdapter``.
ADAPTER_TYPE = "CLIP_GRID_IP_ADAPTER"
#: Our adapters, and what ComfyUI_IPAdapter_plus passes on.
ADAPTERS = f"{ADAPTER_TYPE},IPADAPTER"
#: Reference pictures of an adapter: a tuple of ``Reference``.
REFERENCE_TYPE = "CLIP_GRID_REFERENCE"
#: Our references, and the tensors of ComfyUI_IPAdapter_plus.
REFERENCES = f"{REFERENCE_TYPE},EMBEDS"
#: Texts, and numbers that become texts.
TEXTS = "STRING,INT,FLOAT"
#: Scores: FLOAT in this pack, INT in some others.
NUMBERS = "FLOAT,INT"
#: Numbers, and whether each picture is a match, which counts as 1 or 0.
NUMBERS_AND_VERDICTS = f"{NUMBERS},BOOLEAN"

_Options = TypeVar("_Options", bound="DataclassInstance")


class AnyType(str):
    """The type of an input that takes every output: ComfyUI refuses links between types that are ``!=``."""

    __slots__ = ()

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def option_inputs(*classes: type[DataclassInstance], first: Sequence[str] = ()) -> dict[str, Declaration]:
    """The options declared on dataclasses as widgets, those named in ``first`` before the others."""
    from ...options import options_of, widgets

    options = {name: option for cls in classes for name, option in options_of(cls).items()}
    return widgets([options[name] for name in dict.fromkeys((*first, *options))])


def text_inputs(declared: Mapping[str, Declaration]) -> dict[str, Declaration]:
    """The declarations, in which every text also takes linked numbers; its widget stays."""
    return {
        name: (TEXTS, {"widgetType": "STRING", **extra}) if kind == "STRING" else (kind, extra)
        for name, (kind, extra) in declared.items()
    }


def read_widgets(cls: type[_Options], inputs: Inputs) -> _Options:
    """The options of a dataclass from the widgets of their names; raises InputError for a value that is not allowed."""
    from ...options import options_of, read_options

    return read_options(cls, {name: inputs[name][0] for name in options_of(cls) if inputs.get(name)})


def first_value(inputs: Inputs, name: str) -> Any:
    """The value of a widget; None if the input is missing, or linked and not computed yet."""
    values = inputs.get(name) or [None]
    return values[0]


def first_text(inputs: Inputs, name: str) -> str:
    """The value of a text widget without spaces around it; empty if it is missing."""
    value = first_value(inputs, name)
    return "" if value is None else str(value).strip()


def flatten(values: object) -> Iterator[object]:
    """The values of nested lists in order, without those that are None."""
    if isinstance(values, (list, tuple)):
        for value in values:
            yield from flatten(value)
    elif values is not None:
        yield values


def texts_of(values: object) -> list[str]:
    """The values of nested lists as texts, in order; numbers without float noise, and with every digit of a seed."""
    from ...grid.pictures.metadata.columns import number_text

    return [value if isinstance(value, str) else number_text(value) or str(value) for value in flatten(values)]


def label_texts(inputs: Inputs) -> list[str]:
    """The texts of the labels input: the lines of a single text, or else one label per value."""
    values = list(flatten(inputs.get("labels") or []))
    if len(values) != 1 or not isinstance(values[0], str):
        return texts_of(values)
    text = values[0].replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []


#: Inputs of which a linked list gives one header per value, lines, or names; of all others it gives one value.
_HEADERS = frozenset({"row_headers", "column_headers"})
_LINES = frozenset({"title", "header", "footer"})
_NAMES = frozenset({"label_columns", "label_sources", "vocabulary"})


def widget_value(inputs: Inputs, name: str, notes: list[str]) -> Any:
    """The one value of an input, of which a linked list may give several; None if it is missing.

    Headers are joined by lines, the distinct values of titles by lines, those of names by commas. Of other inputs the
    first value is taken; if they differ, ``notes`` gets a sentence that says so.
    """
    values = list(flatten(inputs.get(name) or []))
    if len(values) < 2:
        return values[0] if values else None
    if name in _HEADERS:
        return "\n".join(" ".join(text.split()) for text in texts_of(values))
    distinct = list(dict.fromkeys(texts_of(values)))
    if name in _LINES or name in _NAMES:
        return ("\n" if name in _LINES else ", ").join(distinct)
    if len(distinct) > 1:
        notes.append(f"{len(distinct)} different values are linked to {name}; the first is used: {distinct[0][:60]}")
    return values[0]


def widget_text(inputs: Inputs, name: str, notes: list[str]) -> str:
    """``widget_value`` as text without spaces around it; empty if it is missing."""
    return "".join(texts_of(widget_value(inputs, name, notes))[:1]).strip()


def metadata_text(inputs: Inputs) -> str:
    """The text of the metadata input; several linked JSON texts become one JSON list."""
    texts = [str(value) for value in flatten(inputs.get("metadata") or []) if str(value).strip()]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]" if texts else ""


def directory_lines(values: Values) -> list[str]:
    """The lines of the directories input that are not empty."""
    lines = (line.strip() for value in values if value is not None for line in str(value).splitlines())
    return [line for line in lines if line]
