"""The LoRAs of pictures as columns of their own, so that names and weights become two axes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from ...csv_cells import plain_name
from .axes import PictureValues
from .axis_columns import identity

#: The column of generation data that holds all LoRAs, as "name:weight, name:weight".
LORAS = "loras"
_NAME, _WEIGHT = "lora", "lora_weight"
#: What a picture without a LoRA has as its name.
_NONE = "none"
_ENTRY = re.compile(r"(.*?)(?::([+-]?[\d.]+(?:e[+-]?\d+)?))?", re.DOTALL)


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
