"""A planned page and its pictures become bands of pixels, from top to bottom; nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image, ImageDraw

from ...errors import PictureError
from ...imaging import Pixels, Size
from ..arrange.badges import Badges
from ..bands import map_in_order
from ..layout.placing import crop_of, inside_border, plate_pad
from ..layout.plan import Band, Box, CellPlan, PagePlan, TextPlan
from ..pictures.survey import Picture
from ..text.draw import draw_text
from ..text.fit import fit_text
from ..text.line import TextStyle
from .plates import WINNER, on_tint, paint_badge, paint_plate
from .resize import Resizer
from .style import Look, on_white

HOLE = (128, 128, 128)


@dataclass
class Scene:
    """Everything that a page is painted from. ``failures`` and ``missing`` grow while painting."""

    look: Look
    pictures: Sequence[Picture]
    labels: Sequence[str]
    resize: Resizer
    badges: Badges = field(default_factory=Badges)
    #: Called after each picture; an exception that it raises stops the painting.
    done: Callable[[], None] = lambda: None
    #: Index and reason of each picture that could not be decoded.
    failures: list[tuple[int, str]] = field(default_factory=list)
    #: Characters for which no font has a glyph.
    missing: set[str] = field(default_factory=set)
    #: Texts that had to be shortened to fit.
    shortened: int = 0


@dataclass(frozen=True)
class _Tile:
    """One painted cell."""

    cell: CellPlan
    pixels: Pixels
    failure: str
    missing: frozenset[str]
    shortened: bool


def paint_page(page: PagePlan, scene: Scene) -> Iterator[Pixels]:
    """The page's bands, uint8 [height of the band, width, 3 or 4]; a few cells are decoded ahead by threads."""
    with closing(map_in_order(lambda cell: _paint_cell(cell, scene), page.cells)) as tiles:
        for band in page.bands:
            yield _paint_band(band, page.width, scene, tiles)


def _paint_band(band: Band, width: int, scene: Scene, tiles: Iterator[_Tile]) -> Pixels:
    look = scene.look
    pixels = np.empty((band.height, width, look.channels), np.uint8)
    # row by row: numpy takes ten times as long to spread three bytes over a page
    pixels.reshape(band.height, -1)[:] = np.tile(np.array(look.background[: look.channels], np.uint8), width)
    for text in band.texts:
        _paste(pixels, _paint_text(text, scene), text.box, band.y)
    for _ in band.cells:
        tile = next(tiles)
        _paste(pixels, tile.pixels, tile.cell.box, band.y)
        _note(tile, scene)
    return pixels


def _paste(pixels: Pixels, tile: Pixels, box: Box, top: int) -> None:
    pixels[box.y - top : box.bottom - top, box.x : box.right] = tile


def _note(tile: _Tile, scene: Scene) -> None:
    if tile.failure and tile.cell.index is not None:
        scene.failures.append((tile.cell.index, tile.failure))
    scene.missing |= tile.missing
    scene.shortened += tile.shortened
    if tile.cell.index is not None:
        scene.done()


def _canvas(size: Size, look: Look) -> Image.Image:
    return Image.new("RGB" if look.channels == 3 else "RGBA", size, look.background[: look.channels])


def _paint_text(text: TextPlan, scene: Scene) -> Pixels:
    canvas = _canvas((text.box.width, text.box.height), scene.look)
    style = scene.look.page_style(text.kind, text.size)
    pad = 0
    if text.tint:
        style, pad = on_tint(style, text.tint), plate_pad(text.size)
        paint_plate(canvas, Box(0, 0, text.box.width, text.box.height), text.tint, pad)
    block = fit_text(text.text, max(1, text.box.width - 2 * pad), text.box.height, style, scene.look.faces)
    spare = text.box.width - block.width
    x = {"left": pad, "center": spare // 2, "right": spare - pad}[style.align]
    draw_text(canvas, block, x, (text.box.height - block.height) // 2, style, scene.look.faces)
    scene.missing |= block.missing
    scene.shortened += block.shortened
    return np.asarray(canvas)


def _paint_cell(cell: CellPlan, scene: Scene) -> _Tile:
    """The cell's box as pixels; runs in a thread."""
    failure = ""
    if cell.index is None:
        hole = _hole(cell, scene.look, "–")
        return _Tile(cell, np.asarray(hole), "", frozenset(), False)
    try:
        canvas = _with_picture(cell, scene)
    except PictureError as error:
        failure = error.reason
        canvas = _hole(cell, scene.look, f"× {scene.pictures[cell.index].name}\n{failure}")
    _paint_badge(canvas, cell, scene)
    missing, shortened = _paint_label(canvas, cell, scene)
    return _Tile(cell, np.asarray(canvas), failure, missing, shortened)


def _with_picture(cell: CellPlan, scene: Scene) -> Image.Image:
    """The cell with its picture, and with what lies behind and around it."""
    template, picture = scene.look.template, scene.pictures[index_of(cell)]
    image = picture.load(_size_to_decode(cell, picture, template.fit) if template.resample != "lanczos" else None)
    box = _inside(cell.image, cell.box)
    # a JPEG may have been decoded at a fraction of its size
    crop = crop_of(image.size, Box(0, 0, box.width, box.height), template.fit)
    shown = scene.resize(image, (box.width, box.height), crop)
    if cell.image == cell.box and shown.mode == "RGB" and scene.look.channels == 3:
        # it is all of the cell; what was not resized may still be the caller's own picture
        return shown.copy() if shown is image else shown
    canvas = _canvas((cell.box.width, cell.box.height), scene.look)
    _paint_behind(canvas, box, _inside(cell.area, cell.box), scene.look)
    if shown.mode == "RGBA":
        _paste_transparent(canvas, shown, box)
    else:
        canvas.paste(shown, (box.x, box.y))
    return canvas


def _paint_behind(canvas: Image.Image, box: Box, area: Box, look: Look) -> None:
    """The border, and the colour on which a padded picture stands."""
    width, fit = look.template.border_width, look.template.fit
    if width:
        canvas.paste(look.border, _corners(area if fit in ("cover", "stretch", "pad") else _grown(box, width, area)))
    if fit == "pad":
        canvas.paste(look.pad, _corners(inside_border(area, width)))


def _paste_transparent(canvas: Image.Image, shown: Image.Image, box: Box) -> None:
    if canvas.mode == "RGBA":
        canvas.alpha_composite(shown, (box.x, box.y))
    else:
        canvas.paste(shown, (box.x, box.y), shown)


def _size_to_decode(cell: CellPlan, picture: Picture, fit: str) -> Size | None:
    """The size that the whole picture would have at the scale at which it is shown; None when it keeps its pixels."""
    if fit == "original":
        return None
    left, top, right, bottom = crop_of(picture.size, cell.image, fit)
    across, down = cell.image.width / (right - left), cell.image.height / (bottom - top)
    return max(1, round(picture.size[0] * across)), max(1, round(picture.size[1] * down))


def _hole(cell: CellPlan, look: Look, text: str) -> Image.Image:
    """A frame and a word where a picture would be, so that a missing one is seen."""
    canvas = _canvas((cell.box.width, cell.box.height), look)
    area = _inside(cell.area, cell.box)
    draw = ImageDraw.Draw(canvas)
    left, top, right, bottom = _corners(area)
    draw.rectangle((left, top, right - 1, bottom - 1), outline=HOLE)
    if cell.index is not None:
        # faint, since the reason is read on top of it
        cross = tuple((3 * page + line) // 4 for page, line in zip(on_white(look.background), HOLE, strict=False))
        draw.line((left + 1, top + 1, right - 2, bottom - 2), fill=cross)
        draw.line((left + 1, bottom - 2, right - 2, top + 1), fill=cross)
    style = replace(look.page_style("legend", look.metrics.font), align="center")
    # the label of a picture that failed stands below, where it always does
    room = area.shrunk(4) if cell.index is None else area.shrunk(4)._replace(height=area.height // 2)
    _write(canvas, text, room, style, look, foot=False)
    return canvas


def _paint_label(canvas: Image.Image, cell: CellPlan, scene: Scene) -> tuple[frozenset[str], bool]:
    text = scene.labels[index_of(cell)]
    if not text or not cell.label.width or not cell.label.height:
        return frozenset(), False
    box = _inside(cell.label, cell.box)
    return _write(canvas, text, box, scene.look.label, scene.look, foot=scene.look.over_picture)


def _write(
    canvas: Image.Image, text: str, box: Box, style: TextStyle, look: Look, *, foot: bool
) -> tuple[frozenset[str], bool]:
    """Text in its box, at the foot or in the middle; answers the characters without a glyph and whether it was cut."""
    block = fit_text(text, box.width, box.height, style, look.faces)
    spare = box.width - block.width
    x = box.x + {"left": 0, "center": spare // 2, "right": spare}[style.align]
    y = box.y + (box.height - block.height if foot else (box.height - block.height) // 2)
    draw_text(canvas, block, x, y, style, look.faces)
    return block.missing, block.shortened


def _paint_badge(canvas: Image.Image, cell: CellPlan, scene: Scene) -> None:
    look, index = scene.look, index_of(cell)
    area = _inside(cell.area, cell.box)
    badge = scene.badges.texts.get(index)
    if index in scene.badges.winners:
        width = max(2, look.metrics.font // 4)
        left, top, right, bottom = _corners(area)
        ImageDraw.Draw(canvas).rectangle((left, top, right - 1, bottom - 1), outline=WINNER, width=width)
    if badge:
        winner, tint = index in scene.badges.winners, scene.badges.tints.get(index)
        paint_badge(canvas, badge, area, look, winner=winner, tint=tint)


def index_of(cell: CellPlan) -> int:
    """The picture of a cell that is no hole."""
    if cell.index is None:
        raise ValueError("a hole has no picture")
    return cell.index


def _inside(box: Box, cell: Box) -> Box:
    """The box relative to its cell."""
    return box._replace(x=box.x - cell.x, y=box.y - cell.y)


def _grown(box: Box, by: int, limit: Box) -> Box:
    left, top = max(limit.x, box.x - by), max(limit.y, box.y - by)
    right, bottom = min(limit.right, box.right + by), min(limit.bottom, box.bottom + by)
    return Box(left, top, right - left, bottom - top)


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.x, box.y, box.right, box.bottom
