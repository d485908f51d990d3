"""One face at one size: the extent and the pixels of a piece of text in one direction.

Positions are whole pixels, x to the right and y down, from the pen on the baseline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import regex
from PIL import Image, ImageDraw, ImageFilter, ImageFont, features

from .sfnt import Face

Mask = npt.NDArray[np.uint8]
Edges = tuple[int, int, int, int]
_REGULAR = 400
_ZOOM = 4
#: Letters larger than this look right on whole pixels.
_BIG = 64
_KEPT_EXTENTS = 4096
_INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


@dataclass(frozen=True)
class Extent:
    """Where the ink of a text lies, and how far the pen moves on."""

    box: Edges  # left, top, right, bottom
    advance: int


@dataclass(frozen=True)
class _Glyph:
    """The ink of one character: coverage 0 to 255 [h, w] and the place of its top left corner."""

    mask: Mask
    x: int
    y: int


@dataclass(frozen=True)
class Kept:
    """What was measured and drawn of one face at one size. Threads share it: what two of them add is the same."""

    # per text, in pixels of the opened font
    boxes: dict[str, Edges] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    extents: dict[tuple[str, bool], Extent] = field(default_factory=dict)
    glyphs: dict[tuple[str, int, int], _Glyph] = field(default_factory=dict)


class SizedFace:
    """A face opened at a size in pixels; not to be used by two threads.

    Small letters are drawn four times as large and reduced: Pillow puts letters on whole pixels, which at the sizes of
    labels makes uneven gaps, even inside a word. Bitmap fonts are reduced from the size that they have.
    """

    def __init__(self, face: Face, size: int, kept: Kept | None = None) -> None:
        """Raises OSError if the face cannot be opened."""
        self.face = face
        self._kept = kept or Kept()
        self._zoom = 1 if face.is_colour or size > _BIG else _ZOOM
        self.font, opened_size = _open(face, size * self._zoom)
        self._scale = size / (opened_size if face.is_colour else size * self._zoom)
        # raqm cannot work without fribidi, which Pillow for Windows lacks unless the user adds it; and Pillow opens its
        # built-in face without raqm
        has_raqm = self.font.layout_engine == ImageFont.Layout.RAQM
        self._is_shaped = bool(has_raqm and features.check("fribidi"))

    @property
    def ascent(self) -> int:
        """From the baseline to the top that the font's maker meant, in pixels."""
        return math.ceil(self.font.getmetrics()[0] * self._scale)

    @property
    def descent(self) -> int:
        """From the baseline to the bottom that the font's maker meant, in pixels."""
        return math.ceil(self.font.getmetrics()[1] * self._scale)

    def extent(self, text: str, is_rtl: bool) -> Extent:
        """The ink's box without an outline, and the advance."""
        if self._is_plain(text, is_rtl):
            return self._plain_extent(text)
        key = (text, is_rtl)
        known = self._kept.extents.get(key)
        if known is not None:
            return known
        if len(self._kept.extents) >= _KEPT_EXTENTS:
            self._kept.extents.clear()
        shown, direction = self._prepared(text, is_rtl)
        box = self._scaled(self.font.getbbox(shown, anchor="ls", direction=direction))
        advance = self.font.getlength(shown, direction=direction) * self._scale
        self._kept.extents[key] = extent = Extent(box, round(advance))
        return extent

    def add_ink(self, canvas: Mask, at: tuple[int, int], text: str, is_rtl: bool, outline: int) -> None:
        """Draws the text, grown by `outline` pixels all around, into a canvas of coverage 0 to 255 [h, w]."""
        if self.face.is_colour:
            _lighten(canvas, at, self._colour_ink(text, is_rtl, outline))
        elif self._is_plain(text, is_rtl):
            for char, pen in self._pens(text):
                whole, phase = divmod(pen, self._zoom)
                _lighten(canvas, (at[0] + whole, at[1]), self._glyph(char, outline, phase))
        else:
            _lighten(canvas, at, self._draw(text, is_rtl, outline, 0))

    def picture(self, text: str, is_rtl: bool, fill: tuple[int, int, int]) -> tuple[Image.Image, int, int]:
        """The text in a colour face's own colours (RGBA), and the place of its top left corner."""
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
        """Whether no letter depends on its neighbours but for kerning, so that letters can be drawn once and kept."""
        return text.isascii() and not is_rtl and not self.face.is_colour

    def _plain_extent(self, text: str) -> Extent:
        pens = self._pens(text)
        boxes = [(pen, self._kept.boxes.get(char) or self._box(char)) for char, pen in pens]
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
            step = self._kept.steps.get(pair)
            pen += self._step(pair) if step is None else step
        return pens

    def _step(self, pair: str) -> float:
        """How far the pen moves from a character to the one after it, kerned; a lone one is the last."""
        if pair not in self._kept.steps:
            whole = self.font.getlength(pair, features=self._plain_features())
            self._kept.steps[pair] = whole - (self._step(pair[1]) if len(pair) == 2 else 0)
        return self._kept.steps[pair]

    def _plain_features(self) -> list[str] | None:
        return ["-liga", "-clig"] if self._is_shaped else None

    def _box(self, char: str) -> Edges:
        self._kept.boxes[char] = box = _whole(self.font.getbbox(char, anchor="ls"))
        return box

    def _glyph(self, char: str, outline: int, phase: int) -> _Glyph:
        key = (char, outline, phase)
        if key not in self._kept.glyphs:
            self._kept.glyphs[key] = self._draw(char, False, outline, phase)
        return self._kept.glyphs[key]

    def _draw(self, text: str, is_rtl: bool, outline: int, phase: int) -> _Glyph:
        """The ink of a text whose pen stands `phase` parts of a pixel to the right."""
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
            # older Pillows leave crescents uncovered in a wide outline of a dot (10.1); a narrow one has none there
            draw.text(pen, shown, 255, self.font, "ls", direction=direction, stroke_width=max(1, stroke // 3))
        return _Glyph(np.asarray(canvas.reduce(zoom) if zoom > 1 else canvas), x, y)

    def _colour_ink(self, text: str, is_rtl: bool, outline: int) -> _Glyph:
        picture, x, y = self.picture(text, is_rtl, (0, 0, 0))
        alpha = Image.new("L", (picture.width + 2 * outline, picture.height + 2 * outline))
        alpha.paste(picture.getchannel("A"), (outline, outline))
        grown = alpha.filter(ImageFilter.MaxFilter(2 * outline + 1)) if outline else alpha
        return _Glyph(np.asarray(grown), x - outline, y - outline)

    def _prepared(self, text: str, is_rtl: bool) -> tuple[str, str | None]:
        """The text and the direction to tell Pillow: without raqm it draws from left to right, letter by letter."""
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
    """The font and the size it was opened at: a font of colour bitmaps has only a few, the best is the next larger."""
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
    _make_regular(font)
    return font


def _make_regular(font: ImageFont.FreeTypeFont) -> None:
    """Sets the weight of a variable font, whose own first one may be the thinnest."""
    try:
        axes = font.get_variation_axes()
    except (OSError, NotImplementedError):
        return
    values = [_REGULAR if axis["name"] == b"Weight" else axis["default"] or 0 for axis in axes]
    font.set_variation_by_axes([float(value) for value in values])


def _whole(box: tuple[float, float, float, float]) -> Edges:
    return math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])


def _lighten(canvas: Mask, at: tuple[int, int], glyph: _Glyph) -> None:
    """Lays ink over a canvas, the pen at `at`; what lies outside the canvas is not drawn."""
    left, top = at[0] + glyph.x, at[1] + glyph.y
    height, width = glyph.mask.shape
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, canvas.shape[1]), min(top + height, canvas.shape[0])
    if x0 < x1 and y0 < y1:
        view = canvas[y0:y1, x0:x1]
        np.maximum(view, glyph.mask[y0 - top : y1 - top, x0 - left : x1 - left], out=view)
