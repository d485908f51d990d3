"""Plates with a short text on them: the badge in the corner of a picture, and the means of a heat map."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image, ImageDraw

from ..colors import RGB, readable_on
from ..layout.placing import plate_pad, plate_size
from ..layout.plan import Box
from ..text.draw import draw_text
from ..text.fit import fit_text
from ..text.line import TextBlock, TextStyle
from .style import Look

BADGE_BACK = (24, 24, 24)
BADGE_TEXT = (255, 255, 255)
WINNER = (255, 196, 0)


def badge_style(look: Look, color: RGB = BADGE_TEXT) -> TextStyle:
    """The style of the text on a badge."""
    size = look.metrics.font
    return TextStyle(
        size=size, min_size=min(size, look.metrics.min_font), fill=color, outline=color, outline_width=0,
        align="left", shorten="end",
    )  # fmt: skip


def fit_badge(text: str, area: Box, look: Look) -> tuple[TextBlock, Box]:
    """The text as it fits on a badge, and its plate at the top right of a picture's area."""
    pad = plate_pad(look.metrics.font)
    room = area.shrunk(pad)
    block = fit_text(text, max(1, room.width - 2 * pad), max(1, room.height - 2 * pad), badge_style(look), look.faces)
    width, height = plate_size((block.width, block.height), look.metrics.font)
    return block, Box(room.right - width, room.y, width, height)


def paint_badge(canvas: Image.Image, text: str, area: Box, look: Look, *, winner: bool, tint: RGB | None) -> None:
    """The badge, on a dark plate or on one of a colour; that of a winner has gold letters, or else a gold edge."""
    block, plate = fit_badge(text, area, look)
    if not block.width:
        return
    pad = plate_pad(look.metrics.font)
    plain = WINNER if winner else BADGE_TEXT
    color = readable_on((*tint, 255)) if tint else plain
    paint_plate(canvas, plate, tint or BADGE_BACK, pad, edge=WINNER if winner and tint else None)
    draw_text(canvas, block, plate.x + pad, plate.y + pad // 2, badge_style(look, color), look.faces)


def paint_plate(canvas: Image.Image, plate: Box, color: RGB, radius: int, *, edge: RGB | None = None) -> None:
    """A rectangle with round corners."""
    corners = (plate.x, plate.y, plate.right - 1, plate.bottom - 1)
    ImageDraw.Draw(canvas).rounded_rectangle(
        corners, radius=radius, fill=color, outline=edge, width=max(1, radius // 2) if edge else 0
    )


def on_tint(style: TextStyle, tint: RGB) -> TextStyle:
    """The style in black or white, whichever reads better on the tint."""
    color = readable_on((*tint, 255))
    return replace(style, fill=color, outline=color)
