"""Generation data out of picture files: which prompt, seed, sampler and model made the picture.

One small reader per writer; what none of them understands is no data, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .a1111 import read_a1111
from .columns import COLUMNS
from .comfyui import read_comfyui
from .embedded import embedded_texts
from .fooocus import read_fooocus
from .invokeai import read_invokeai
from .novelai import read_novelai
from .swarm import read_swarm

__all__ = ["COLUMNS", "Generation", "embedded_texts", "read_generation"]
#: The writer that signs its data most clearly comes first. A1111's text goes before ComfyUI's graph because a saver
#: that writes both has put there what its author wanted to be read.
_READERS = (
    ("swarmui", read_swarm),
    ("invokeai", read_invokeai),
    ("novelai", read_novelai),
    ("fooocus", read_fooocus),
    ("a1111", read_a1111),
    ("comfyui", read_comfyui),
)


@dataclass(frozen=True)
class Generation:
    """How a picture was made, as far as its file shows."""

    #: "swarmui", "invokeai", "novelai", "fooocus", "a1111", "comfyui", or "" when nothing was found.
    writer: str = ""
    #: Text by column as it should be shown: the `COLUMNS` that are known, in their order, then the writer's own.
    values: dict[str, str] = field(default_factory=dict)


def read_generation(texts: Mapping[str, str]) -> Generation:
    """The generation data in the texts of one file (see `embedded_texts`). Never raises: bad data is no data."""
    for writer, read in _READERS:
        if values := read(texts):
            return Generation(writer, values)
    return Generation()
