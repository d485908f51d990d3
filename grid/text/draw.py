"""Drawing a fitted text into a picture; nothing is drawn outside its box, the outline included."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from PIL import Image

from ...errors import InputError
from .fonts import Faces
from .line import Run, TextBlock, TextStyle

#: Layers of at most so many pixels are cached.
_CACHED_PIXELS = 40_000


def draw_text(image: Image.Image, block: TextBlock, x: int, y: int, style: TextStyle, faces: Faces) -> None:
    """Draw the block with its top left corner at x, y; what is outside the picture is cut off.

    Raises InputError for a picture that is neither RGB nor RGBA.
    """
    if image.mode not in ("RGB", "RGBA"):
        raise InputError(f"text cannot be drawn into a picture of mode {image.mode}; convert it to RGB or RGBA")
    if not block.lines or not block.width:
        return
    is_small = block.width * block.height <= _CACHED_PIXELS
    layer = _cached_layer(block, style, faces) if is_small else _layer(block, style, faces)
    if image.mode == "RGB":
        image.paste(layer, (x, y), layer)
        return
    box = (x, y, x + block.width, y + block.height)
    image.paste(Image.alpha_composite(image.crop(box), layer), box)


@lru_cache(maxsize=128)
def _cached_layer(block: TextBlock, style: TextStyle, faces: Faces) -> Image.Image:
    return _layer(block, style, faces)


def _layer(block: TextBlock, style: TextStyle, faces: Faces) -> Image.Image:
    """The block as an RGBA picture: all outlines below all letters, so that no outline covers a letter."""
    shape = (block.height, block.width)
    fill = _mask(block, style, faces, 0)
    if not style.outline_width:
        layer = Image.new("RGBA", shape[::-1], (*style.fill, 0))
        layer.putalpha(fill)
    else:
        layer = Image.new("RGBA", shape[::-1], (*style.outline, 0))
        layer.putalpha(_mask(block, style, faces, style.outline_width))
        layer.paste((*style.fill, 255), (0, 0), fill)
    _add_color_runs(layer, block, style, faces)
    return layer


def _mask(block: TextBlock, style: TextStyle, faces: Faces, outline: int) -> Image.Image:
    """The coverage of each pixel (mode L) by letters grown by `outline` pixels; 0 leaves out colour fonts."""
    canvas = np.zeros((block.height, block.width), np.uint8)
    for run, x, y in _placed(block, style):
        if outline or not run.face.is_color:
            faces.at(run.face, block.size).add_ink(canvas, (x, y), run.text, run.is_rtl, outline)
    return Image.fromarray(canvas)


def _add_color_runs(layer: Image.Image, block: TextBlock, style: TextStyle, faces: Faces) -> None:
    """Lay the runs of colour fonts over the layer."""
    for run, x, y in _placed(block, style):
        if run.face.is_color:
            picture, dx, dy = faces.at(run.face, block.size).picture(run.text, run.is_rtl, style.fill)
            whole = Image.new("RGBA", layer.size)
            whole.paste(picture, (x + dx, y + dy))
            layer.alpha_composite(whole)


def _placed(block: TextBlock, style: TextStyle) -> Iterator[tuple[Run, int, int]]:
    """Each run and where its pen begins in the block."""
    outline = style.outline_width
    for line, baseline in zip(block.lines, block.baselines, strict=True):
        spare = block.width - 2 * outline - line.width
        indent = {"left": 0, "center": spare // 2, "right": spare}[style.align]
        for run in line.runs:
            yield run, outline + indent - line.left + run.x, baseline
