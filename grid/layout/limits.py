"""What a file format and the memory can hold, known before anything is painted."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import LimitError
from ...imaging import MAX_PIXELS

#: Longest side in pixels that each writer accepts (measured with Pillow 13; JPEG is not 65,535).
LONGEST_SIDE = {"jpeg": 65_500, "webp": 16_383, "avif": 65_536, "png": 2**31 - 1, "tiff": 2**31 - 1, "pdf": 65_500}
#: Formats that are written band by band, so that the page is never whole in memory.
STREAMED = frozenset({"png", "tiff", "pdf", "html"})


@dataclass(frozen=True)
class Limits:
    """The longest side and the most pixels of a page; None = as large as you like."""

    format: str = "png"
    side: int | None = None
    pixels: int | None = None

    @classmethod
    def of(cls, format: str) -> Limits:
        """The limits of a format. One that must be whole in memory may have as many pixels as readers accept."""
        return cls(format, LONGEST_SIDE.get(format), None if format in STREAMED else MAX_PIXELS)

    def hold(self, width: int, height: int) -> bool:
        """Whether a page of this size is inside the limits."""
        return self.scale(width, height) >= 1

    def scale(self, width: int, height: int) -> float:
        """The factor at which a page of this size would just fit; 1 or more when it fits."""
        by_side = self.side / max(width, height) if self.side else 1.0
        by_pixels = (self.pixels / (width * height)) ** 0.5 if self.pixels else 1.0
        return min(by_side, by_pixels)

    def reason(self, width: int, height: int) -> str:
        """Why a page of this size does not fit."""
        if self.side and max(width, height) > self.side:
            held = f"sides of at most {self.side} pixels"
        else:
            held = f"at most {(self.pixels or 0) // 1_000_000} megapixels"
        return f"the page is {width} x {height} pixels and {self.format} holds {held}"

    def refusal(self, reason: str) -> LimitError:
        """The error for a page that does not fit."""
        return LimitError(
            f"{reason}; choose smaller cells, fewer pictures, on_overflow = split or scale, or the format png or tiff"
        )
