"""How large a cell is, where in it a picture stands, and how large the plate of a text is."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import median

from ...imaging import Size
from ..template import GridTemplate
from .plan import Box, CellPlan

#: The largest share of a cell's height that a label may cover or a label strip may add.
LABEL_SHARE = 0.5
#: Pixels between a picture and its caption.
CAPTION_GAP = 6
LARGEST_AUTOMATIC_CELL = 512
SMALLEST_AUTOMATIC_CELL = 128
#: The short side of a panorama's cell still holds a label.
SHORTEST_AUTOMATIC_SIDE = 48


def automatic_font_size(cell: Size) -> int:
    """16 pixels for a cell of 256, growing with the root of the cell's shorter side."""
    return max(9, round(16 * sqrt(min(cell) / 256)))


def cell_size(sizes: Sequence[Size], template: GridTemplate) -> Size:
    """The template's cell, with what it leaves open (0) taken from the pictures.

    Both open: the box that holds every picture, each scaled so that its longer side is at most 512 (not when pictures
    keep their pixels); a box of less than 128 is scaled up to that. One open: it follows the pictures' middle ratio.
    """
    width, height = template.cell_width, template.cell_height
    if width and height:
        return width, height
    if width or height:
        ratio = median(w / h for w, h in sizes)
        return (width, max(1, round(width / ratio))) if width else (max(1, round(height * ratio)), height)
    different = set(sizes)
    longest = max(map(max, different))
    side = longest if template.fit == "original" else min(longest, LARGEST_AUTOMATIC_CELL)
    # pictures of the same shape fill the same cell, even if some are smaller
    is_enlarged = template.enlarge or template.fit in ("cover", "stretch")
    scales = [(w, h, side / max(w, h) if is_enlarged else min(1.0, side / max(w, h))) for w, h in different]
    box = max(w * scale for w, _, scale in scales), max(h * scale for _, h, scale in scales)
    grown = max(1.0, SMALLEST_AUTOMATIC_CELL / max(box))
    width, height = round(box[0] * grown), round(box[1] * grown)
    return max(width, SHORTEST_AUTOMATIC_SIDE), max(height, SHORTEST_AUTOMATIC_SIDE)


def inside_border(area: Box, border: int) -> Box:
    """The area less the border around the picture, at least one pixel of it."""
    return area.shrunk(min(border, (min(area.width, area.height) - 1) // 2))


def place_picture(size: Size, area: Box, fit: str, enlarge: bool, *, across: float = 0.5, down: float = 0.5) -> Box:
    """Where a picture of this size is drawn in the area; it never leaves the area.

    across, down: the share of the free width that is left of it, and of the free height that is above it.
    """
    width, height = drawn_size(size, (area.width, area.height), fit, enlarge)
    if (width, height) == (area.width, area.height):
        return area
    return Box(area.x + int((area.width - width) * across), area.y + int((area.height - height) * down), width, height)


def drawn_size(size: Size, area: Size, fit: str, enlarge: bool) -> Size:
    """The size at which a picture is drawn in an area of a size."""
    width, height = size
    if fit in ("stretch", "cover"):
        return area
    if fit == "original":
        return min(width, area[0]), min(height, area[1])
    scale = min(area[0] / width, area[1] / height)
    scale = scale if enlarge else min(scale, 1.0)
    return min(max(1, round(width * scale)), area[0]), min(max(1, round(height * scale)), area[1])


def outer_size(size: Size, cell: Size, template: GridTemplate) -> Size:
    """The size of a picture with its border and padding in a cell."""
    if template.fit in ("cover", "stretch", "pad"):
        return cell
    inner = inside_border(Box(0, 0, *cell), template.border_width)
    border = cell[0] - inner.width, cell[1] - inner.height
    drawn = drawn_size(size, (inner.width, inner.height), template.fit, template.enlarge)
    return drawn[0] + border[0], drawn[1] + border[1]


def picture_box(cell: CellPlan, template: GridTemplate) -> Box:
    """The box of a picture in its cell, with its border and padding."""
    return bordered_box(cell.image, cell.area, template)


def bordered_box(image: Box, area: Box, template: GridTemplate) -> Box:
    """The box of a picture with its border and padding inside an area."""
    if template.fit in ("cover", "stretch", "pad"):
        return area
    by = template.border_width
    left, top = max(area.x, image.x - by), max(area.y, image.y - by)
    right, bottom = min(area.right, image.right + by), min(area.bottom, image.bottom + by)
    return Box(left, top, right - left, bottom - top)


def label_over(picture: Box, line: int) -> Box:
    """Where a label may be over a picture: at its foot, with 8 pixels of space below it where that is large enough."""
    foot = min(8, picture.height // 32)
    height = min(picture.height - foot, max(min(line, picture.height), int(picture.height * LABEL_SHARE)))
    side = min(4, picture.width // 32)
    return Box(picture.x + side, picture.bottom - foot - height, picture.width - 2 * side, height)


def holds_label(picture: Size, cell: Size, line: int) -> bool:
    """Whether a label stands over its picture, which is too small for it only where there is space below it."""
    is_small = picture[0] < 4 * line or picture[1] < 2 * line
    return not is_small or (cell[1] - picture[1]) // 2 < line + CAPTION_GAP


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
