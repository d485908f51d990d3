"""Fonts made on the spot, so that tests do not depend on what a machine has installed."""

from __future__ import annotations

from pathlib import Path

import pytest

#: The least and greatest value of each axis of a variable font, by its tag; its default is the least one.
Axes = dict[str, tuple[int, int]]
_AXIS_NAMES = {"wght": "Weight", "opsz": "Optical size"}


def make_font(path: Path, family: str, chars: str, *, weight: int = 400, axes: Axes | None = None) -> Path:
    """A font in which each of the characters is a black square of 600 x 600 units on an em of 1000."""
    pytest.importorskip("fontTools", reason="fonttools makes the fonts of these tests")
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    names = {ord(char): f"u{ord(char):X}" for char in chars}
    order = [".notdef", *names.values()]
    pen = TTGlyphPen(None)
    for i, point in enumerate([(50, 0), (50, 600), (650, 600), (650, 0)]):
        pen.lineTo(point) if i else pen.moveTo(point)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(names)
    builder.setupGlyf(dict.fromkeys(order, square))
    builder.setupHorizontalMetrics(dict.fromkeys(order, (700, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(usWeightClass=weight, usWidthClass=5)
    builder.setupPost()
    if axes:
        tags = [(tag, least, least, greatest, _AXIS_NAMES[tag]) for tag, (least, greatest) in axes.items()]
        builder.setupFvar(tags, [])
    builder.save(path)
    return path
