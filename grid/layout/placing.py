"""How large a cell is, where in it a picture stands, and how large the plate of a text is."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import median

from ...imaging import Size
from ..template import GridTemplate
from .plan import Box

LARGEST_AUTOMATIC_CELL = 512
SMALLEST_AUTOMATIC_CELL = 128
#: The short side of a panorama's cell still holds a label.
SHORTEST_AUTOMATIC_SIDE = 48


def automatic_font_size(cell: Size) -> int:
    """16 pixels for a cell of 256, growing with the root of the cell's shorter side."""
    return max(9, round(16 * sqrt(min(cell) / 256)))


def cell_size(sizes: Sequence[Size], template: GridTemplate) -> Size:
    """The template's cell, with what it leaves open (0) taken from the pictures.

    Both open: the box that holds every picture, scaled so that its longer side is at most 512 (not when pictures keep
    their pixels) and at least 128. One open: it follows the pictures' middle ratio.
    """
    width, height = template.cell_width, template.cell_height
    if width and height:
        return width, height
    if width or height:
        ratio = median(w / h for w, h in sizes)
        return (width, max(1, round(width / ratio))) if width else (max(1, round(height * ratio)), height)
    box = max(w for w, _ in sizes), max(h for _, h in sizes)
    longest = max(box)
    side = longest if template.fit == "original" else min(longest, LARGEST_AUTOMATIC_CELL)
    scale = max(side, SMALLEST_AUTOMATIC_CELL) / longest
    width, height = round(box[0] * scale), round(box[1] * scale)
    return max(width, SHORTEST_AUTOMATIC_SIDE), max(height, SHORTEST_AUTOMATIC_SIDE)


def inside_border(area: Box, border: int) -> Box:
    """The area less the border around the picture, at least one pixel of it."""
    return area.shrunk(min(border, (min(area.width, area.height) - 1) // 2))


def place_picture(size: Size, area: Box, fit: str, enlarge: bool) -> Box:
    """Where a picture of this size is drawn in the area, centred; it never leaves the area."""
    width, height = size
    if fit in ("stretch", "cover"):
        return area
    if fit == "original":
        drawn = min(width, area.width), min(height, area.height)
    else:
        scale = min(area.width / width, area.height / height)
        scale = scale if enlarge else min(scale, 1.0)
        drawn = max(1, round(width * scale)), max(1, round(height * scale))
    drawn = min(drawn[0], area.width), min(drawn[1], area.height)
    if drawn == (area.width, area.height):
        return area
    x, y = area.x + (area.width - drawn[0]) // 2, area.y + (area.height - drawn[1]) // 2
    return Box(x, y, *drawn)


def crop_of(size: Size, image: Box, fit: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the part of the picture that is shown in its image box."""
    width, height = size
    if fit == "cover":
        scale = max(image.width / width, image.height / height)
        shown = image.width / scale, image.height / scale
    elif fit == "original":
        shown = float(image.width), float(image.height)
    else:
        return 0.0, 0.0, float(width), float(height)
    # rounding may take the difference a hair below zero, which resizers refuse
    left, top = max(0.0, (width - shown[0]) / 2), max(0.0, (height - shown[1]) / 2)
    if fit == "original":  # whole pixels, so that nothing is resampled
        left, top = float(int(left)), float(int(top))
    return left, top, min(left + shown[0], width), min(top + shown[1], height)


def plate_pad(size: int) -> int:
    """The space between a text of this size and the left and right edge of its plate."""
    return max(2, size // 4)


def plate_size(text: Size, size: int) -> Size:
    """Width and height of the plate of a text that has this width and height."""
    return text[0] + 2 * plate_pad(size), text[1] + plate_pad(size)
