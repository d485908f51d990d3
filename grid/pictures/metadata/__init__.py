"""Generation data out of picture files: which prompt, seed, sampler and model made the picture.

One small reader per writer; what none of them understands is no data, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from PIL import Image

from ....imaging import Size
from .a1111 import MAX_TEXT, PLACES, read_a1111
from .civitai import read_civitai
from .columns import COLUMNS
from .comfyui import read_comfyui
from .draw_things import read_draw_things
from .easy_diffusion import read_easy_diffusion
from .embedded import embedded_texts, hidden_texts, texts_behind_pixels
from .fooocus import read_fooocus
from .invokeai import read_invokeai
from .novelai import read_novelai
from .png_texts import not_read
from .swarm import read_swarm

__all__ = ["COLUMNS", "Generation", "embedded_texts", "read_generation", "read_picture"]
#: The writer that signs its data most clearly comes first. A1111's text goes before ComfyUI's graph because a saver
#: that writes both has put there what its author wanted to be read.
_READERS = (
    ("swarmui", read_swarm),
    ("invokeai", read_invokeai),
    ("novelai", read_novelai),
    ("fooocus", read_fooocus),
    ("drawthings", read_draw_things),
    ("easydiffusion", read_easy_diffusion),
    ("a1111", read_a1111),
    ("civitai", read_civitai),
)


@dataclass(frozen=True)
class Generation:
    """How a picture was made, as far as its file shows."""

    #: "swarmui", "invokeai", "novelai", "fooocus", "drawthings", "easydiffusion", "a1111", "civitai", "comfyui", or ""
    #: when nothing was found.
    writer: str = ""
    #: Text by column as it should be shown: the `COLUMNS` that are known, in their order, then the writer's own.
    values: dict[str, str] = field(default_factory=dict)
    #: What cannot be told of this picture, and why; "" where there is nothing to say.
    warning: str = ""


def read_generation(texts: Mapping[str, str], file: str = "", size: Size = (0, 0)) -> Generation:
    """The generation data in the texts of one file (see `embedded_texts`). Never raises: bad data is no data.

    file, size: name and pixels of the picture, where they are known; they tell which picture of a graph this is.
    """
    if not texts:
        return Generation()
    for writer, read in _READERS:
        if values := read(texts):
            return Generation(writer, values)
    values, warning = read_comfyui(texts, file, size)
    return Generation("comfyui", values, warning) if values or warning else Generation()


def read_picture(image: Image.Image, file: str = "") -> tuple[dict[str, str], Generation]:
    """The texts of an opened picture, and the generation data in them; the picture is not decoded.

    file: its name.
    Only where the texts in front of the pixels have no generation data, those behind and in the pixels are looked for.
    """
    notes: list[str] = []
    texts = embedded_texts(image, notes)
    generation = read_generation(texts, file, image.size)
    for read_more in (partial(texts_behind_pixels, notes=notes), hidden_texts):
        if not generation.writer and (more := read_more(image)):
            texts = {**more, **texts}
            generation = read_generation(texts, file, image.size)
    if not generation.writer:
        notes += [not_read(place, MAX_TEXT) for place in PLACES if len(texts.get(place, "")) > MAX_TEXT]
    warning = "; ".join(dict.fromkeys(filter(None, (generation.warning, *notes))))
    return texts, generation if warning == generation.warning else replace(generation, warning=warning)
