"""Painting badges: a short text on a plate, which is a rectangle with round corners."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image, ImageDraw

from ..arrange.heat_map import STEPS, heat_color
from ..colors import RGB, readable_on
from ..layout.placing import picture_box, plate_pad, plate_size
from ..layout.plan import Box, CellPlan
from ..text.draw import draw_text
from ..text.fit import fit_text
from ..text.line import TextBlock, TextStyle
from .style import SheetStyle

PLATE_COLOR = (24, 24, 24)
TEXT_COLOR = (255, 255, 255)
WINNER_COLOR = (255, 196, 0)


def fit_badge(text: str, cell: CellPlan, style: SheetStyle) -> tuple[TextBlock, Box]:
    """The text as it fits on a badge, and its plate at the top right of the picture, or of its cell if that is larger.

    The picture's box is left only where the badge would be cut there.
    """
    block, plate = _fit_in(text, picture_box(cell, style.template), style)
    return _fit_in(text, cell.area, style) if block.shortened else (block, plate)


def _fit_in(text: str, area: Box, style: SheetStyle) -> tuple[TextBlock, Box]:
    pad = plate_pad(style.metrics.font)
    space = area.shrunk(pad)
    width, height = max(1, space.width - 2 * pad), max(1, space.height - 2 * pad)
    block = fit_text(text, width, height, _badge_style(style, TEXT_COLOR), style.faces)
    plate_width, plate_height = plate_size((block.width, block.height), style.metrics.font)
    return block, Box(space.right - plate_width, space.y, plate_width, plate_height)


def paint_badge(
    canvas: Image.Image, text: str, cell: CellPlan, style: SheetStyle, *, winner: bool, tint: RGB | None
) -> TextBlock:
    """Paint the badge of a picture on the canvas of its cell; tint: the plate's colour in a heat map.

    A winner has golden text, or on a tint a golden edge.
    """
    block, plate = fit_badge(text, cell, style)
    if not block.width:
        return block
    plate = plate._replace(x=plate.x - cell.box.x, y=plate.y - cell.box.y)
    pad = plate_pad(style.metrics.font)
    plain = WINNER_COLOR if winner else TEXT_COLOR
    color = readable_on((*tint, 255)) if tint else plain
    paint_plate(canvas, plate, tint or PLATE_COLOR, pad, edge=WINNER_COLOR if winner and tint else None)
    draw_text(canvas, block, plate.x + pad, plate.y + pad // 2, _badge_style(style, color), style.faces)
    return block


def paint_scale(canvas: Image.Image) -> Image.Image:
    """The colours of a heat map from the lowest, at the left edge, to the highest."""
    draw = ImageDraw.Draw(canvas)
    for x in range(canvas.width):
        color = heat_color(round(x / max(1, canvas.width - 1) * (STEPS - 1)))
        draw.line((x, 0, x, canvas.height - 1), fill=color)
    return canvas


def paint_plate(canvas: Image.Image, plate: Box, color: RGB, radius: int, *, edge: RGB | None = None) -> None:
    """Paint a rectangle with round corners."""
    corners = (plate.x, plate.y, plate.right - 1, plate.bottom - 1)
    ImageDraw.Draw(canvas).rounded_rectangle(
        corners, radius=radius, fill=color, outline=edge, width=max(1, radius // 2) if edge else 0
    )


def readable_style(text_style: TextStyle, tint: RGB) -> TextStyle:
    """The style in black or white, whichever has the larger contrast to the tint."""
    color = readable_on((*tint, 255))
    return replace(text_style, fill=color, outline=color)


def _badge_style(style: SheetStyle, color: RGB) -> TextStyle:
    size = style.metrics.font
    return TextStyle(size=size, min_size=min(size, style.metrics.min_font), fill=color, outline=color, align="left")
