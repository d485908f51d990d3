"""LoRAs as axes: names and weights in columns of their own, and prompts without the tags that name them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from ...csv_cells import plain_name
from ..pictures.metadata.lora_settings import LORA_TAG
from .axes import Axes, PictureValues, find_axes
from .axis_columns import identity

#: The column of generation data that holds all LoRAs, as "name:weight, name:weight".
LORAS = "loras"
_NAME, _WEIGHT = "lora", "lora_weight"
_PROMPT = "prompt"
_EMPTY_PARTS = re.compile(r",(?:\s*,)+")
#: What a picture without a LoRA has as its name.
_NONE = "none"
_ENTRY = re.compile(r"(.*?)(?::([+-]?[\d.]+(?:e[+-]?\d+)?))?", re.DOTALL)


def find_axes_with_loras(
    values: PictureValues, *, x: str = "auto", y: str = "auto", page: str = "auto"
) -> tuple[Axes, PictureValues]:
    """The axes as ``find_axes`` finds them, and for each picture the columns that it must have for them.

    A prompt is compared without its tags of LoRAs, which the column of LoRAs shows, and the LoRAs are two columns where
    that makes axes; but not if that column is asked for by name.
    """
    asked = {plain_name(name) for name in (x, y, page)}
    prompts = [] if _PROMPT in asked else _prompts_without_tags(values)
    values = _joined(values, prompts)
    loras = [] if LORAS in asked else lora_columns(values)
    if loras:
        without = [{column: text for column, text in picture.items() if column != LORAS} for picture in values]
        axes = find_axes(_joined(without, loras), x=x, y=y, page=page)
        if any(axis.name in loras[0] for axis in axes.used):
            return axes, _joined(loras, prompts if _is_axis(_PROMPT, axes) else [])
    axes = find_axes(values, x=x, y=y, page=page)
    return axes, prompts if _is_axis(_PROMPT, axes) else []


def _joined(values: PictureValues, added: PictureValues) -> PictureValues:
    """The values of each picture with those of the columns added, if there are any."""
    if not added:
        return values
    return [{**picture, **more} for picture, more in zip(values, added, strict=True)]


def _is_axis(column: str, axes: Axes) -> bool:
    return any(axis.name == column for axis in axes.used)


def _prompts_without_tags(values: PictureValues) -> list[dict[str, str]]:
    """For each picture its prompt without tags of LoRAs; none at all where no prompt has one."""
    if not any(picture.get(LORAS) and LORA_TAG.search(picture.get(_PROMPT, "")) for picture in values):
        return []
    return [{_PROMPT: _without_tags(picture[_PROMPT])} if picture.get(_PROMPT) else {} for picture in values]


def _without_tags(prompt: str) -> str:
    if not LORA_TAG.search(prompt):
        return prompt
    return _EMPTY_PARTS.sub(",", " ".join(LORA_TAG.sub("", prompt).split())).strip(" ,")


def lora_columns(pictures: PictureValues) -> list[dict[str, str]]:
    """For each picture the columns that its LoRAs make; none at all unless they make two that vary.

    LoRAs that all pictures have with one weight are left out. One that all have with several weights makes a column
    of its weights. The others make "lora" and "lora_weight", as long as no picture has two of them.
    """
    taken = set(map(plain_name, set(chain.from_iterable(pictures))))
    loras = [dict(_entries(picture.get(LORAS, ""))) for picture in pictures]
    names = list(dict.fromkeys(name for entries in loras for name in entries))
    common = {name for name in names if all(name in entries for entries in loras)}
    weighed = [name for name in names if name in common and len({identity(entries[name]) for entries in loras}) > 1]
    others = [[name for name in entries if name not in common] for entries in loras]
    if plain_name(_NAME) in taken or plain_name(_WEIGHT) in taken or any(len(entries) > 1 for entries in others):
        return []
    columns = [{f"{name} weight": entries[name] for name in weighed} for entries in loras]
    if any(others):
        for column, entries, other in zip(columns, loras, others, strict=True):
            column[_NAME] = other[0] if other else _NONE
            column[_WEIGHT] = entries[other[0]] if other else ""
    return columns if _varying(columns) >= 2 else []


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for entry in filter(None, text.split(", ")):
        if parts := _ENTRY.fullmatch(entry):
            yield parts[1], parts[2] or ""


def _varying(columns: Sequence[dict[str, str]]) -> int:
    return sum(
        len({identity(column[name]) for column in columns} - {""}) > 1 for name in (columns[0] if columns else ())
    )
