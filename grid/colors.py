"""Colours from text, and which of black and white reads better on one."""

from __future__ import annotations

from PIL import ImageColor

from ..errors import InputError

RGB = tuple[int, int, int]
RGBA = tuple[int, int, int, int]


def parse_color(text: str, option: str) -> RGBA:
    """Red, green, blue and opacity, 0..255 each, from a name, #rgb, #rrggbb, #rrggbbaa, ``r,g,b`` or ``transparent``.

    Also ``r,g,b,a``, and CSS functions such as ``hsl(120, 50%, 50%)``.

    Raises InputError naming the option.
    """
    plain = text.strip().lower()
    if plain == "transparent":
        return 0, 0, 0, 0
    parts = plain.replace(",", " ").split()
    if len(parts) in (3, 4) and all(part.isdecimal() and len(part) <= 3 for part in parts):
        color = tuple(map(int, parts))
    else:
        try:
            color = ImageColor.getrgb(plain)
        except ValueError:
            color = ()
    # Pillow lets rgb(300,0,0) through
    if not color or any(not 0 <= value <= 255 for value in color):
        raise InputError(f"{option} is {text!r}; it must be a colour's name, #rrggbb, or r,g,b of 0 to 255")
    red, green, blue, alpha = (*color, 255)[:4]
    return red, green, blue, alpha


def css_color(color: RGB | RGBA) -> str:
    """``#rrggbb``, as CSS writes colours; opacity is left out."""
    red, green, blue = color[:3]
    return f"#{red:02x}{green:02x}{blue:02x}"


def readable_on(background: RGBA) -> RGB:
    """Black or white, whichever has the larger contrast to the background (WCAG 2.1 relative luminance)."""
    luminance = relative_luminance(background[:3])
    return (0, 0, 0) if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else (255, 255, 255)


def relative_luminance(color: RGB) -> float:
    """0 for black to 1 for white; source: WCAG 2.1, definition of relative luminance."""
    red, green, blue = ((c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in (v / 255 for v in color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
