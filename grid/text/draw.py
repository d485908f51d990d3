"""Text in a box: wrapped by measured pixels, then made smaller, then shortened until it fits; and drawn.

Nothing is ever drawn outside the box, the outline included.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from unicodedata import category, normalize

import numpy as np
import regex
from PIL import Image

from ...errors import InputError
from .fit import Fitter
from .fonts import Faces
from .line import Run, TextBlock, TextStyle

#: Higher than any box: for text that may be as high as it needs.
_ENDLESS = 1 << 30
_TAB = "    "
_NEW_LINE = regex.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
# soft hyphens, embeddings and isolates: what bidi.py and the wrapping do not follow
_UNUSED = regex.compile("[\u00ad\u202a-\u202e\u2066-\u2069]")
#: Pixels; a layer larger than this is drawn anew each time.
_BIG_LAYER = 40_000


def fit_text(text: str, width: int, height: int, style: TextStyle, faces: Faces) -> TextBlock:
    """The text as it fits into width x height pixels.

    It is wrapped; made smaller, down to style.min_size; and shortened with "…". A block without lines that says
    `shortened` means that not even "…" fits.
    """
    return _fit(text, width, height, style, faces)


def measure_height(text: str, width: int, style: TextStyle, faces: Faces) -> int:
    """The height that the text needs at its full size; smaller only if one character is wider than the width."""
    return fit_text(text, width, _ENDLESS, style, faces).height


def draw_text(image: Image.Image, block: TextBlock, x: int, y: int, style: TextStyle, faces: Faces) -> None:
    """Draws the block with its top left corner at x, y, into an RGB or RGBA picture, which may cut it off."""
    if image.mode not in ("RGB", "RGBA"):
        raise InputError(f"text cannot be drawn into a picture of mode {image.mode}; convert it to RGB or RGBA")
    if not block.lines or not block.width:
        return
    is_big = block.width * block.height > _BIG_LAYER
    layer = _layer(block, style, faces) if is_big else _kept_layer(block, style, faces)
    if image.mode == "RGB":
        image.paste(layer, (x, y), layer)
        return
    box = (x, y, x + block.width, y + block.height)
    image.paste(Image.alpha_composite(image.crop(box), layer), box)


@lru_cache(maxsize=1024)
def _fit(text: str, width: int, height: int, style: TextStyle, faces: Faces) -> TextBlock:
    return Fitter(faces.pieces(_clean(text)), width, height, style, faces).block()


def _clean(text: str) -> str:
    """The text with lines ended by a line feed, spaces for tabs, composed accents, and nothing that controls."""
    if text.isascii() and text.isprintable():
        return text.strip()
    text = _NEW_LINE.sub("\n", text).replace("\t", _TAB)
    text = _UNUSED.sub("", normalize("NFC", text))
    return "".join(_shown(char) for char in text).strip()


def _shown(char: str) -> str:
    kind = category(char)
    if kind == "Cs":
        return "\ufffd"
    return "" if kind == "Cc" and char != "\n" else char


@lru_cache(maxsize=128)
def _kept_layer(block: TextBlock, style: TextStyle, faces: Faces) -> Image.Image:
    return _layer(block, style, faces)


def _layer(block: TextBlock, style: TextStyle, faces: Faces) -> Image.Image:
    """The block as a picture (RGBA): all outlines below all fills, so that none covers its neighbour's letter."""
    shape = (block.height, block.width)
    fill = _mask(block, style, faces, 0)
    if not style.outline_width:
        layer = Image.new("RGBA", shape[::-1], (*style.fill, 0))
        layer.putalpha(fill)
    else:
        layer = Image.new("RGBA", shape[::-1], (*style.outline, 0))
        layer.putalpha(_mask(block, style, faces, style.outline_width))
        layer.paste((*style.fill, 255), (0, 0), fill)
    _add_pictures(layer, block, style, faces)
    return layer


def _mask(block: TextBlock, style: TextStyle, faces: Faces, outline: int) -> Image.Image:
    """How much ink each pixel has (L), letters grown by `outline` pixels; colour faces leave ink only when grown."""
    canvas = np.zeros((block.height, block.width), np.uint8)
    for run, x, y in _placed(block, style):
        if outline or not run.face.is_colour:
            faces.at(run.face, block.size).add_ink(canvas, (x, y), run.text, run.is_rtl, outline)
    return Image.fromarray(canvas)


def _add_pictures(layer: Image.Image, block: TextBlock, style: TextStyle, faces: Faces) -> None:
    """Lays the runs that have colours of their own over the layer."""
    for run, x, y in _placed(block, style):
        if run.face.is_colour:
            picture, dx, dy = faces.at(run.face, block.size).picture(run.text, run.is_rtl, style.fill)
            whole = Image.new("RGBA", layer.size)
            whole.paste(picture, (x + dx, y + dy))
            layer.alpha_composite(whole)


def _placed(block: TextBlock, style: TextStyle) -> Iterator[tuple[Run, int, int]]:
    """Each run and where its pen stands in the block."""
    outline = style.outline_width
    for line, baseline in zip(block.lines, block.baselines, strict=True):
        room = block.width - 2 * outline - line.width
        indent = {"left": 0, "center": room // 2, "right": room}[style.align]
        for run in line.runs:
            yield run, outline + indent - line.left + run.x, baseline
