"""The curves of a training as a picture: panels below each other, with axes and a legend."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

#: Colours that the colour-blind tell apart too (Okabe & Ito 2008).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_INK, _GRID, _PAPER = "#222222", "#dddddd", "#ffffff"
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 900, 360, 90, 200, 40, 56
_TICKS = 5
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_MOST_LEGEND = len(_COLOURS)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Lines over one axis."""

    title: str
    #: The names of the axes.
    x: str
    y: str
    #: The points (x, y) of each line by its name; y that is not finite is left out.
    lines: Mapping[str, Sequence[tuple[float, float]]]
    #: Whether x is shown by its logarithm; all of it must be above 0 then.
    is_log: bool = False


def curves_png(panels: Sequence[Panel]) -> bytes:
    """A PNG file of the panels, in their order; those without a point say so."""
    picture = Image.new("RGB", (_WIDTH, _HEIGHT * max(len(panels), 1)), _PAPER)
    pen = ImageDraw.Draw(picture)
    for place, panel in enumerate(panels):
        _draw(pen, panel, place * _HEIGHT)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


@dataclass(frozen=True)
class _Axis:
    """From values to pixels."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """The pixel of a value."""
        value = math.log10(value) if self.is_log else value
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values within the axis."""
        if self.is_log:
            low, high = math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9)
            return [10.0**power for power in range(low, high + 1, max(1, math.ceil((self.high - self.low) / 8)))]
        rough = (self.high - self.low) / _TICKS
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
        first = math.ceil(self.low / step - 1e-9)
        return [step * place for place in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _axis(values: Sequence[float], start: float, end: float, *, is_log: bool = False) -> _Axis:
    known = [math.log10(value) if is_log else value for value in values]
    low, high = min(known), max(known)
    margin = (high - low) * 0.04 or max(abs(low) * 0.1, 0.1)
    return _Axis(low - margin, high + margin, start, end, is_log)


def _draw(pen: ImageDraw.ImageDraw, panel: Panel, top: int) -> None:
    font, small = ImageFont.load_default(18), ImageFont.load_default(13)
    pen.text((_LEFT, top + 10), panel.title, fill=_INK, font=font)
    lines = {
        name: [point for point in points if all(map(math.isfinite, point))] for name, points in panel.lines.items()
    }
    lines = {name: points for name, points in list(lines.items())[:_MOST_LEGEND] if points}
    box = (_LEFT, top + _TOP, _WIDTH - _RIGHT, top + _HEIGHT - _BOTTOM)
    if not lines:
        pen.text((_LEFT, top + _HEIGHT / 2), "nothing was measured", fill=_INK, font=small)
        return
    every = [point for points in lines.values() for point in points]
    x = _axis([point[0] for point in every], box[0], box[2], is_log=panel.is_log)
    y = _axis([point[1] for point in every], box[3], box[1])
    for tick in x.ticks():
        pen.line([(x.place(tick), box[1]), (x.place(tick), box[3])], fill=_GRID)
        pen.text((x.place(tick), box[3] + 6), f"{tick:g}", fill=_INK, font=small, anchor="ma")
    for tick in y.ticks():
        pen.line([(box[0], y.place(tick)), (box[2], y.place(tick))], fill=_GRID)
        pen.text((box[0] - 8, y.place(tick)), f"{tick:g}", fill=_INK, font=small, anchor="rm")
    pen.rectangle(box, outline=_INK)
    pen.text(((box[0] + box[2]) / 2, box[3] + 26), panel.x, fill=_INK, font=small, anchor="ma")
    _write_upwards(pen, panel.y, (14, (box[1] + box[3]) // 2), small)
    for place, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[place]
        spots = [(x.place(across), y.place(up)) for across, up in sorted(points)]
        if len(spots) > 1:
            pen.line(spots, fill=colour, width=3, joint="curve")
        if len(spots) <= 60:
            for across, up in spots:
                pen.ellipse((across - 4, up - 4, across + 4, up + 4), fill=colour)
        line = box[1] + 6 + place * 24
        pen.line([(box[2] + 14, line + 8), (box[2] + 40, line + 8)], fill=colour, width=4)
        pen.text((box[2] + 48, line), name, fill=_INK, font=small)


def _write_upwards(pen: ImageDraw.ImageDraw, text: str, middle: tuple[int, int], font: Font) -> None:
    """A text that is read from below, around the middle of its left edge."""
    left, top, right, bottom = (round(edge) for edge in pen.textbbox((0, 0), text, font=font))
    written = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(written).text((-left, -top), text, fill=255, font=font)
    turned = written.transpose(Image.Transpose.ROTATE_90)
    pen.bitmap((middle[0], middle[1] - turned.height // 2), turned, fill=_INK)
