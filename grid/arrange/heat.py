"""The colours of a heat map: from dark violet over blue and green to light yellow, even steps of lightness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import cos, radians, sin

from ..colors import RGB

#: Lightness, chroma and hue of the lowest and the highest value in OKLCH; chroma is small enough for sRGB throughout.
LOWEST = (0.30, 0.12, 305.0)
HIGHEST = (0.93, 0.15, 105.0)
MIDDLE_CHROMA = 0.10
#: As many colours as a scale has; more cannot be told apart.
STEPS = 100


@dataclass(frozen=True)
class Plate:
    """A short text on a plate of a colour."""

    text: str
    tint: RGB


@dataclass(frozen=True)
class HeatScale:
    """Colours between the lowest and the highest value that is shown."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float]) -> HeatScale:
        """The scale that holds all of these, which are at least one."""
        return cls(min(values), max(values))

    def color(self, value: float) -> RGB:
        """The colour of a value; the middle one when all values are the same."""
        # halves, since the whole range may be more than a float holds
        spread = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / spread if spread > 0 else 0.5
        return heat_color(round(share * (STEPS - 1)))


@lru_cache(maxsize=STEPS)
def heat_color(step: int) -> RGB:
    """The colour of a step, 0 to STEPS - 1; relative luminance grows with every step.

    A line in OKLCH; source: B. Ottosson, "A perceptual color space for image processing", 2020.
    """
    share = step / (STEPS - 1)
    lightness, _, hue = (low + share * (high - low) for low, high in zip(LOWEST, HIGHEST, strict=True))
    end = (LOWEST if share < 0.5 else HIGHEST)[1]
    chroma = MIDDLE_CHROMA + (end - MIDDLE_CHROMA) * (2 * share - 1) ** 2
    return _to_rgb(lightness, chroma * cos(radians(hue)), chroma * sin(radians(hue)))


def _to_rgb(lightness: float, a: float, b: float) -> RGB:
    """An OKLab colour as 8-bit sRGB."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _to_byte(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _to_byte(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _to_byte(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _to_byte(linear: float) -> int:
    """Linear light as an sRGB byte (IEC 61966-2-1); what sRGB does not reach is cut off."""
    light = min(1.0, max(0.0, linear))
    return round(255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055))
