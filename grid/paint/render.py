"""Painting pages: a planned page and its pictures become bands of pixels from the top."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image, ImageDraw

from ...arrays import Pixels
from ...color_profiles import profile_problem
from ...decoding import DECODING, PROFILE
from ...errors import PictureError
from ...imaging import Size
from ..arrange.badges import Badges
from ..bands import map_in_order
from ..layout.placing import bordered_box, crop_of, inside_border, picture_box, plate_pad
from ..layout.plan import Band, Box, CellPlan, PagePlan, TextPlan
from ..pictures.survey import Picture
from ..text.draw import draw_text
from ..text.fit import fit_text
from ..text.fonts import Faces
from ..text.line import TextBlock, TextStyle
from .badges import WINNER_COLOR, paint_badge, paint_plate, paint_scale, readable_style
from .resize import Resizer
from .style import SheetStyle, on_white

FRAME_COLOR = (128, 128, 128)


@dataclass
class PaintJob:
    """What the pages of a sheet are painted from, and the problems met so far, which painting adds to."""

    style: SheetStyle
    pictures: Sequence[Picture]
    #: One per picture.
    labels: Sequence[str]
    resize: Resizer
    badges: Badges = field(default_factory=Badges)
    #: Called after each picture; an exception that it raises stops the painting.
    on_picture: Callable[[], None] = lambda: None
    #: Index and reason of each picture that could not be decoded.
    failures: list[tuple[int, str]] = field(default_factory=list)
    #: What is wrong with the color profile of a picture, by its name.
    profile_problems: dict[str, str] = field(default_factory=dict)
    #: Characters for which no font has a glyph.
    missing: set[str] = field(default_factory=set)
    #: How many texts were shortened to fit.
    shortened: int = 0

    def count_problems(self, block: TextBlock) -> None:
        self.missing |= block.missing
        self.shortened += block.shortened


@dataclass(frozen=True)
class _PaintedCell:
    pixels: Pixels
    #: What stands in it.
    texts: tuple[TextBlock, ...] = ()
    #: Why its picture could not be decoded.
    failure: str = ""


def paint_page(page: PagePlan, job: PaintJob) -> Iterator[Pixels]:
    """The page's bands, uint8 [height of the band, width, 3 or 4]; threads paint a few cells ahead."""
    with closing(map_in_order(lambda cell: _paint_cell(cell, job), page.cells)) as painted:
        for band in page.bands:
            yield _paint_band(band, page.width, job, painted)


def _paint_band(band: Band, width: int, job: PaintJob, painted: Iterator[_PaintedCell]) -> Pixels:
    """The band with its texts, and with the next of the painted cells."""
    style = job.style
    pixels = np.empty((band.height, width, style.channels), np.uint8)
    # by rows: numpy takes ten times as long to repeat three bytes over a page
    pixels.reshape(band.height, -1)[:] = np.tile(np.array(style.background[: style.channels], np.uint8), width)
    for text in band.texts:
        canvas, block = _paint_text(text, style)
        _paste(pixels, np.asarray(canvas), text.box, band.y)
        job.count_problems(block)
    for cell in band.cells:
        result = next(painted)
        _paste(pixels, result.pixels, cell.box, band.y)
        for block in result.texts:
            job.count_problems(block)
        if cell.index is not None:
            if result.failure:
                job.failures.append((cell.index, result.failure))
            job.on_picture()
    return pixels


def _paste(pixels: Pixels, part: Pixels, box: Box, top: int) -> None:
    pixels[box.y - top : box.bottom - top, box.x : box.right] = part


def _canvas(box: Box, style: SheetStyle) -> Image.Image:
    mode = "RGB" if style.channels == 3 else "RGBA"
    return Image.new(mode, (box.width, box.height), style.background[: style.channels])


@dataclass(frozen=True)
class PlacedText:
    """A text as it fits into its box, and where in the page its pixels begin."""

    block: TextBlock
    x: int
    y: int
    style: TextStyle
    faces: Faces

    @property
    def box(self) -> Box:
        """Where it is seen."""
        return Box(self.x, self.y, self.block.width, self.block.height)

    def draw(self, canvas: Image.Image, origin: Box) -> TextBlock:
        """Draw it on the canvas of a box of the page."""
        draw_text(canvas, self.block, self.x - origin.x, self.y - origin.y, self.style, self.faces)
        return self.block


def place_text(text: TextPlan, style: SheetStyle) -> PlacedText:
    """A text outside of the cells."""
    text_style, faces = style.text_style(text.kind, text.size), style.faces_of(text.kind)
    if not text.tint:
        return _place(text.text, text.box, text_style, faces, down=1.0 if text.kind == "column" else 0.5)
    pad = plate_pad(text.size)
    inner = text.box._replace(x=text.box.x + pad, width=max(1, text.box.width - 2 * pad))
    return _place(text.text, inner, readable_style(text_style, text.tint), faces)


def place_label(cell: CellPlan, text: str, style: SheetStyle) -> PlacedText:
    """The label at the foot of its picture, or in the strip beside it as near to the picture as can be."""
    is_over = cell.label_is_over_picture
    is_low = is_over or style.template.label_position == "above"
    text_style = style.label_over if is_over else style.label
    return _place(text, cell.label, text_style, style.faces, down=1.0 if is_low else 0.0)


def _place(text: str, box: Box, style: TextStyle, faces: Faces, *, down: float = 0.5) -> PlacedText:
    """The text as it fits into a box; down: the share of the free height that is above it."""
    block = fit_text(text, box.width, box.height, style, faces)
    spare_width, spare_height = box.width - block.width, box.height - block.height
    x = box.x + {"left": 0, "center": spare_width // 2, "right": spare_width}[style.align]
    return PlacedText(block, x, box.y + int(spare_height * down), style, faces)


def _paint_text(text: TextPlan, style: SheetStyle) -> tuple[Image.Image, TextBlock]:
    """A text outside of the cells; with a tint it stands on a plate."""
    canvas = _canvas(text.box, style)
    if text.kind == "scale_bar":
        return paint_scale(canvas), TextBlock()
    if text.tint:
        paint_plate(canvas, Box(0, 0, text.box.width, text.box.height), text.tint, plate_pad(text.size))
    return canvas, place_text(text, style).draw(canvas, text.box)


def _paint_cell(cell: CellPlan, job: PaintJob) -> _PaintedCell:
    """The pixels of the cell's box; runs in a thread."""
    index = cell.index
    if index is None:
        canvas, text = _placeholder(cell, job.style, "–")
        return _PaintedCell(np.asarray(canvas), (text,))
    failure, texts = "", list[TextBlock]()
    try:
        canvas = _paint_picture(cell, job.pictures[index], job)
    except PictureError as error:
        failure = error.reason
        canvas, text = _placeholder(cell, job.style, f"× {job.pictures[index].name}\n{failure}")
        texts.append(text)
    texts.append(_paint_badge(canvas, cell, index, job))
    if job.labels[index] and cell.label.width and cell.label.height:
        texts.append(place_label(cell, job.labels[index], job.style).draw(canvas, cell.box))
    return _PaintedCell(np.asarray(canvas), tuple(texts), failure)


def _paint_picture(cell: CellPlan, picture: Picture, job: PaintJob) -> Image.Image:
    """The cell with its picture, border and padding; raises PictureError if the picture cannot be decoded."""
    style = job.style
    with DECODING.until_end():
        shown = _resized(cell, picture, job)
    box = _inside(cell.image, cell.box)
    if cell.image == cell.box and shown.mode == "RGB" and style.channels == 3:
        return shown
    canvas = _canvas(cell.box, style)
    _paint_border(canvas, box, _inside(cell.area, cell.box), style)
    if shown.mode != "RGBA":
        canvas.paste(shown, (box.x, box.y))
    elif canvas.mode == "RGBA":
        canvas.alpha_composite(shown, (box.x, box.y))
    else:
        canvas.paste(shown, (box.x, box.y), shown)
    return canvas


def _resized(cell: CellPlan, picture: Picture, job: PaintJob) -> Image.Image:
    """The picture at the size of its place, not shared with anyone."""
    template = job.style.template
    image = picture.load(_size_to_decode(cell, picture, template.fit) if template.resample != "lanczos" else None)
    if PROFILE in image.info and (problem := profile_problem(image)):
        job.profile_problems[picture.name] = problem
    box = _inside(cell.image, cell.box)
    # a JPEG may have been decoded at a fraction of its size
    crop = crop_of(image.size, Box(0, 0, box.width, box.height), template.fit)
    shown = job.resize(image, (box.width, box.height), crop)
    # a picture that was not resized may be the caller's own
    return shown.copy() if shown is image else shown


def _paint_border(canvas: Image.Image, box: Box, area: Box, style: SheetStyle) -> None:
    """The border, and the padding of a picture that does not fill its area."""
    width = style.template.border_width
    if width:
        canvas.paste(style.border_color, _corners(bordered_box(box, area, style.template)))
    if style.template.fit == "pad":
        canvas.paste(style.pad_color, _corners(inside_border(area, width)))


def _size_to_decode(cell: CellPlan, picture: Picture, fit: str) -> Size | None:
    """The size of the whole picture at the scale of its crop; None when it keeps its pixels."""
    if fit == "original":
        return None
    left, top, right, bottom = crop_of(picture.size, cell.image, fit)
    across, down = cell.image.width / (right - left), cell.image.height / (bottom - top)
    return max(1, round(picture.size[0] * across)), max(1, round(picture.size[1] * down))


def _placeholder(cell: CellPlan, style: SheetStyle, text: str) -> tuple[Image.Image, TextBlock]:
    """The cell with a frame and a text; a cell whose picture failed is also crossed out."""
    canvas = _canvas(cell.box, style)
    area = _inside(cell.area, cell.box)
    draw = ImageDraw.Draw(canvas)
    left, top, right, bottom = _corners(area)
    draw.rectangle((left, top, right - 1, bottom - 1), outline=FRAME_COLOR)
    space = area.shrunk(4)
    if cell.index is not None:
        # faint, since the reason is read on top of it
        cross = tuple(
            (3 * page + line) // 4 for page, line in zip(on_white(style.background), FRAME_COLOR, strict=False)
        )
        draw.line((left + 1, top + 1, right - 2, bottom - 2), fill=cross)
        draw.line((left + 1, bottom - 2, right - 2, top + 1), fill=cross)
        # the label of the picture stands below
        space = space._replace(height=area.height // 2)
    text_style = replace(style.text_style("legend", style.metrics.font), align="center")
    return canvas, _place(text, space, text_style, style.faces).draw(canvas, Box(0, 0, *canvas.size))


def _paint_badge(canvas: Image.Image, cell: CellPlan, index: int, job: PaintJob) -> TextBlock:
    """The badge of a picture, and the frame of a winner, in the box of the picture with its border."""
    winner = index in job.badges.winners
    if winner:
        width = max(2, job.style.metrics.font // 4)
        area = _inside(picture_box(cell, job.style.template), cell.box)
        left, top, right, bottom = _corners(area)
        ImageDraw.Draw(canvas).rectangle((left, top, right - 1, bottom - 1), outline=WINNER_COLOR, width=width)
    text = job.badges.text(index)
    if not text:
        return TextBlock()
    return paint_badge(canvas, text, cell, job.style, winner=winner, tint=job.badges.tints.get(index))


def _inside(box: Box, cell: Box) -> Box:
    """The box relative to its cell."""
    return box._replace(x=box.x - cell.x, y=box.y - cell.y)


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.x, box.y, box.right, box.bottom
