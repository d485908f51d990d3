"""A rectangle of whole pixels."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """Left, top, width and height in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def contains(self, other: Box) -> bool:
        """Whether the other box lies inside this one; an empty box always does."""
        if other.width <= 0 or other.height <= 0:
            return True
        inside_x = self.x <= other.x and other.right <= self.right
        return inside_x and self.y <= other.y and other.bottom <= self.bottom

    def shrunk(self, by: int) -> Box:
        """The box with an edge taken off on each side; never of negative size."""
        by_x, by_y = min(by, self.width // 2), min(by, self.height // 2)
        return Box(self.x + by_x, self.y + by_y, self.width - 2 * by_x, self.height - 2 * by_y)
