"""Measuring and drawing text of one direction in one face at one size.

Positions are whole pixels, x to the right and y down, from the pen, which starts at the left end of the baseline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import regex
from PIL import Image, ImageDraw, ImageFilter, ImageFont, features

from .font_files import Face

Mask = npt.NDArray[np.uint8]
#: Left, top, right, bottom.
Edges = tuple[int, int, int, int]
#: Letters up to this size are drawn this many times as large and reduced.
_ZOOMED_SIZE, _ZOOM = 64, 4
_CACHED_EXTENTS = 4096
_INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


@dataclass(frozen=True)
class Extent:
    """The box of a text's ink, and how far the pen moves on."""

    box: Edges
    advance: int


@dataclass(frozen=True)
class _Glyph:
    """The ink of a text: coverage 0 to 255 [h, w], and its top left corner."""

    mask: Mask
    x: int
    y: int


@dataclass(frozen=True)
class GlyphCache:
    """What was measured and drawn of one face at one size; may be shared by threads, which add equal values."""

    # boxes and steps are in pixels of the opened font
    boxes: dict[str, Edges] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    extents: dict[tuple[str, bool], Extent] = field(default_factory=dict)
    glyphs: dict[tuple[str, int, int], _Glyph] = field(default_factory=dict)


class SizedFace:
    """A face opened at a size in pixels; not to be used by two threads.

    Small letters are drawn four times as large and reduced, since Pillow puts letters on whole pixels, which makes the
    gaps between small letters uneven. Colour bitmaps are reduced from the next larger size that the font has.
    """

    def __init__(self, face: Face, size: int, cache: GlyphCache | None = None) -> None:
        """Opens the face; raises OSError if that fails."""
        self.face = face
        self._cache = cache or GlyphCache()
        self._zoom = 1 if face.is_color or size > _ZOOMED_SIZE else _ZOOM
        self.font, opened_size = _open(face, size * self._zoom)
        self._scale = size / (opened_size if face.is_color else size * self._zoom)
        # raqm cannot work without fribidi, which Pillow for Windows lacks unless the user adds it; and Pillow opens its
        # built-in face without raqm
        has_raqm = self.font.layout_engine == ImageFont.Layout.RAQM
        self._is_shaped = bool(has_raqm and features.check("fribidi"))

    @property
    def ascent(self) -> int:
        """The font's height above the baseline, in pixels."""
        return math.ceil(self.font.getmetrics()[0] * self._scale)

    @property
    def descent(self) -> int:
        """The font's depth below the baseline, in pixels."""
        return math.ceil(self.font.getmetrics()[1] * self._scale)

    def extent(self, text: str, is_rtl: bool) -> Extent:
        """The box of the ink, without an outline, and the advance."""
        if self._is_plain(text, is_rtl):
            return self._plain_extent(text)
        key = (text, is_rtl)
        if key in self._cache.extents:
            return self._cache.extents[key]
        if len(self._cache.extents) >= _CACHED_EXTENTS:
            self._cache.extents.clear()
        shown, direction = self._prepared(text, is_rtl)
        box = self._scaled(self.font.getbbox(shown, anchor="ls", direction=direction))
        advance = self.font.getlength(shown, direction=direction) * self._scale
        self._cache.extents[key] = extent = Extent(box, round(advance))
        return extent

    def plain_advance(self, char: str) -> float:
        """How far the pen moves on for a character of plain text that stands alone, in pixels."""
        return self._step(char) * self._scale

    def add_ink(self, canvas: Mask, at: tuple[int, int], text: str, is_rtl: bool, outline: int) -> None:
        """Add the text, grown by `outline` pixels all around, to a canvas of coverage, uint8 [h, w]; at: the pen."""
        if self.face.is_color:
            _lighten(canvas, at, self._color_ink(text, is_rtl, outline))
        elif self._is_plain(text, is_rtl):
            for char, pen in self._pens(text):
                whole, phase = divmod(pen, self._zoom)
                _lighten(canvas, (at[0] + whole, at[1]), self._glyph(char, outline, phase))
        else:
            _lighten(canvas, at, self._draw(text, is_rtl, outline, 0))

    def picture(self, text: str, is_rtl: bool, fill: tuple[int, int, int]) -> tuple[Image.Image, int, int]:
        """The text as an RGBA picture in the font's own colours, and its top left corner; fill: of other glyphs."""
        shown, direction = self._prepared(text, is_rtl)
        box = _whole(self.font.getbbox(shown, anchor="ls", direction=direction))
        picture = Image.new("RGBA", (max(1, box[2] - box[0]), max(1, box[3] - box[1])), (*fill, 0))
        pen = (-box[0], -box[1])
        ImageDraw.Draw(picture).text(
            pen, shown, (*fill, 255), self.font, "ls", direction=direction, embedded_color=True
        )
        left, top, right, bottom = self._scaled(box)
        size = (max(1, right - left), max(1, bottom - top))
        return (picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)), left, top

    def _is_plain(self, text: str, is_rtl: bool) -> bool:
        """Whether its letters depend on their neighbours by kerning alone, so that each is drawn once and cached."""
        return text.isascii() and not is_rtl and not self.face.is_color

    def _plain_extent(self, text: str) -> Extent:
        pens = self._pens(text)
        boxes = [(pen, self._cache.boxes.get(char) or self._box(char)) for char, pen in pens]
        inked = [(pen + box[0], box[1], pen + box[2], box[3]) for pen, box in boxes if box[2] > box[0]]
        last, pen = pens[-1]
        advance = round((pen + self._step(last)) * self._scale)
        if not inked:
            return Extent((0, 0, 0, 0), advance)
        lefts, tops, rights, bottoms = zip(*inked, strict=True)
        return Extent(self._scaled((min(lefts), min(tops), max(rights), max(bottoms))), advance)

    def _pens(self, text: str) -> list[tuple[str, int]]:
        """The characters of plain text and where the pen is for each, in pixels of the opened font."""
        pens = []
        pen = 0.0
        for i, char in enumerate(text):
            pens.append((char, round(pen)))
            pair = text[i : i + 2]
            step = self._cache.steps.get(pair)
            pen += self._step(pair) if step is None else step
        return pens

    def _step(self, pair: str) -> float:
        """The advance of the first of two characters, kerned, or of a single one."""
        if pair not in self._cache.steps:
            whole = self.font.getlength(pair, features=self._plain_features())
            self._cache.steps[pair] = whole - (self._step(pair[1]) if len(pair) == 2 else 0)
        return self._cache.steps[pair]

    def _plain_features(self) -> list[str] | None:
        return ["-liga", "-clig"] if self._is_shaped else None

    def _box(self, char: str) -> Edges:
        self._cache.boxes[char] = box = _whole(self.font.getbbox(char, anchor="ls"))
        return box

    def _glyph(self, char: str, outline: int, phase: int) -> _Glyph:
        key = (char, outline, phase)
        if key not in self._cache.glyphs:
            self._cache.glyphs[key] = self._draw(char, False, outline, phase)
        return self._cache.glyphs[key]

    def _draw(self, text: str, is_rtl: bool, outline: int, phase: int) -> _Glyph:
        """The ink of a text; phase: how far right the pen is, in pixels of the opened font."""
        shown, direction = self._prepared(text, is_rtl)
        zoom, stroke = self._zoom, outline * self._zoom
        left, top, right, bottom = _whole(self.font.getbbox(shown, anchor="ls", direction=direction))
        x, y = (left + phase - stroke) // zoom, (top - stroke) // zoom
        width, height = -x - (-(right + phase + stroke) // zoom), -y - (-(bottom + stroke) // zoom)
        canvas = Image.new("L", (max(1, width) * zoom, max(1, height) * zoom))
        pen = (phase - x * zoom, -y * zoom)
        draw = ImageDraw.Draw(canvas)
        draw.text(pen, shown, 255, self.font, "ls", direction=direction, stroke_width=stroke)
        if stroke:
            # Pillow 10.1 leaves gaps in the wide outline of a dot; a second, narrow outline fills them
            draw.text(pen, shown, 255, self.font, "ls", direction=direction, stroke_width=max(1, stroke // 3))
        return _Glyph(np.asarray(canvas.reduce(zoom) if zoom > 1 else canvas), x, y)

    def _color_ink(self, text: str, is_rtl: bool, outline: int) -> _Glyph:
        picture, x, y = self.picture(text, is_rtl, (0, 0, 0))
        alpha = Image.new("L", (picture.width + 2 * outline, picture.height + 2 * outline))
        alpha.paste(picture.getchannel("A"), (outline, outline))
        grown = alpha.filter(ImageFilter.MaxFilter(2 * outline + 1)) if outline else alpha
        return _Glyph(np.asarray(grown), x - outline, y - outline)

    def _prepared(self, text: str, is_rtl: bool) -> tuple[str, str | None]:
        """Text and direction for Pillow, which without raqm draws letter by letter from left to right."""
        if self._is_shaped:
            return text, "rtl" if is_rtl else "ltr"
        visible = _INVISIBLE.sub("", text)
        if not is_rtl:
            return visible, None
        return "".join(reversed(regex.findall(r"\X", visible))).translate(_MIRRORED), None

    def _scaled(self, box: tuple[float, float, float, float]) -> Edges:
        left, top, right, bottom = (edge * self._scale for edge in box)
        return _whole((left, top, right, bottom))


def _open(face: Face, size: int) -> tuple[ImageFont.FreeTypeFont, int]:
    """The font and the size at which it was opened: of colour bitmaps the next larger one that opens."""
    larger = [strike for strike in face.strikes if strike >= size]
    smaller = [strike for strike in reversed(face.strikes) if strike < size]
    for strike in (*larger, *smaller):
        try:
            return _open_at(face, strike), strike
        except OSError:
            continue
    return _open_at(face, size), size


def _open_at(face: Face, size: int) -> ImageFont.FreeTypeFont:
    if face.is_builtin:
        font = ImageFont.load_default(size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise OSError("this Pillow was built without FreeType")
        return font
    font = ImageFont.truetype(str(face.path), size, face.index)
    _set_weight(font, face.weight)
    return font


def _set_weight(font: ImageFont.FreeTypeFont, weight: int) -> None:
    """Set the weight of a variable font, and its other axes to their defaults."""
    try:
        axes = font.get_variation_axes()
    except (OSError, NotImplementedError):
        return
    values = [weight if axis["name"] == b"Weight" else axis["default"] or 0 for axis in axes]
    font.set_variation_by_axes([float(value) for value in values])


def _whole(box: tuple[float, float, float, float]) -> Edges:
    return math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])


def _lighten(canvas: Mask, at: tuple[int, int], glyph: _Glyph) -> None:
    """Lay ink over a canvas, the pen at `at`; what is outside the canvas is cut off."""
    left, top = at[0] + glyph.x, at[1] + glyph.y
    height, width = glyph.mask.shape
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, canvas.shape[1]), min(top + height, canvas.shape[0])
    if x0 < x1 and y0 < y1:
        view = canvas[y0:y1, x0:x1]
        np.maximum(view, glyph.mask[y0 - top : y1 - top, x0 - left : x1 - left], out=view)
