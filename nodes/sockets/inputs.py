"""The inputs that sheet nodes share: how they are declared to ComfyUI, and how their lists of values are read.

These nodes take lists (INPUT_IS_LIST), so every value arrives as a list, of one value where a widget made it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .types import Lists

if TYPE_CHECKING:
    pass

#: The sockets of models.
MODEL_INPUTS = ("model", "clip", "clip_vision")


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
    from ...grid.pictures.metadata.columns import number_text

    return value if isinstance(value, str) else number_text(value) or str(value)


def metadata_text(inputs: Lists) -> str:
    """The metadata widget's text; several linked JSON texts become one list."""
    texts = [str(value) for value in flat(inputs.get("metadata") or []) if str(value).strip()]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]" if texts else ""


def settings(inputs: Lists) -> dict[str, object]:
    """The values of the widgets among the inputs."""
    return {name: values[0] for name, values in inputs.items() if name not in MODEL_INPUTS and values}
