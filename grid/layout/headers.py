"""The texts of a page that are not labels: where titles, headers and the means of a heat map stand, and how large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...imaging import Size
from ..arrange.tables import MeanBadge, PageTable
from .placing import plate_pad, plate_size
from .plan import Box, LayoutInput, Metrics, TextKind, TextPlan

#: Of a cell's width, the most that a row header may take.
ROW_HEADER_SHARE = 0.75
#: Texts of the page are shrunk and shortened beyond this many lines.
LINES: dict[TextKind, int] = {"title": 4, "header": 4, "legend": 4, "footer": 4, "row": 8, "column": 4, "mean": 2}
#: Font sizes of the page's texts as a multiple of the label's; 1 for the others.
TEXT_SCALE: dict[TextKind, float] = {"title": 1.75, "header": 1.25}
#: Wider than any text that is measured in one line.
_ENDLESS = 1_000_000


class PageTexts:
    """Measures and places the titles and headers of the page of one table."""

    def __init__(self, inputs: LayoutInput, metrics: Metrics, table: PageTable) -> None:
        self.inputs, self.metrics, self.table = inputs, metrics, table
        #: Between a header and the mean below it.
        self.pad = plate_pad(self._size("mean"))

    def block(self, kind: TextKind, text: str, box: Box) -> TextPlan:
        """The text in its box, as high as it needs at that width, up to LINES."""
        size = self._size(kind)
        height = self._height(text, box.width, size, LINES[kind] * self.inputs.line_height(size)) if text else 0
        return TextPlan(kind, text, box._replace(height=height), size)

    def row_width(self) -> int:
        """The width that the row headers need; 0 when there are none."""
        size = self._size("row")
        limit = max(size * 2, int(self.metrics.cell[0] * ROW_HEADER_SHARE))
        headers = {text for text in self.table.row_headers if text}
        most = LINES["row"] * self.inputs.line_height(size)
        widths = [min(limit, self.inputs.measure(text, limit, size, most)[0]) for text in headers]
        # without the limit: of a number nothing may be cut
        widths += [self._badge_size(mean.text)[0] for mean in self.table.row_means if mean]
        return max(widths, default=0)

    def row_height(self, width: int) -> int:
        """The least height of a row in which its header, in two lines, and its mean can be read; 0 without means."""
        size = self._size("row")
        most = 2 * self.inputs.line_height(size)
        headers = {text for text in self.table.row_headers if text}
        header = max((self._height(text, width, size, most) for text in headers), default=0)
        badges = [self._badge_size(mean.text)[1] for mean in self.table.row_means if mean]
        return header + self.pad + max(badges) if badges else 0

    def columns(self, boxes: Sequence[Box]) -> list[TextPlan]:
        """The headers of the columns and below them their means, in boxes of which only the height is still open."""
        texts = self.table.column_headers if any(self.table.column_headers) else ()
        headers = _equally_high([self.block("column", text, box) for text, box in zip(texts, boxes, strict=False)])
        below = headers[0].box.bottom + self.pad if headers else boxes[0].y
        means = zip(self.table.column_means, boxes, strict=False)
        badges = [self._badge(mean, box._replace(y=below)) for mean, box in means if mean]
        return headers + _equally_high(badges)

    def row(self, row: int, box: Box) -> list[TextPlan]:
        """The header of a row and below it its mean, together in the middle of a box."""
        text = self.table.row_headers[row] if any(self.table.row_headers) else ""
        size = self._size("row")
        mean = self.table.row_means[row] if self.table.row_means else None
        if not mean:
            return [TextPlan("row", text, box, size)] if text and box.width else []
        badge = self._badge(mean, box)
        width, height = badge.box.width, min(badge.box.height, box.height)
        space = max(0, box.height - height - self.pad)
        header_height = self._height(text, box.width, size, space) if text else 0
        pad = self.pad if header_height else 0
        top = box.y + (box.height - header_height - pad - height) // 2
        header = [TextPlan("row", text, box._replace(y=top, height=header_height), size)] if header_height else []
        return [*header, replace(badge, box=Box(box.right - width, top + header_height + pad, width, height))]

    def _badge(self, mean: MeanBadge, box: Box) -> TextPlan:
        """The mean in the middle of the box's width, in two lines where one is too wide."""
        text = mean.text if self._badge_size(mean.text)[0] <= box.width else mean.text.replace(" ", "\n")
        width, height = self._badge_size(text)
        width = min(width, box.width)
        badge_box = Box(box.x + (box.width - width) // 2, box.y, width, height)
        return TextPlan("mean", text, badge_box, self._size("mean"), mean.tint)

    def _badge_size(self, text: str) -> Size:
        size = self._size("mean")
        return plate_size(self.inputs.measure(text, _ENDLESS, size, _ENDLESS), size)

    def _size(self, kind: TextKind) -> int:
        """Font size in pixels of one of the page's texts."""
        return max(1, round(self.metrics.font * TEXT_SCALE.get(kind, 1.0)))

    def _height(self, text: str, width: int, size: int, most: int) -> int:
        return min(self.inputs.measure(text, width, size, most)[1], most)


def _equally_high(blocks: Sequence[TextPlan]) -> list[TextPlan]:
    height = max((block.box.height for block in blocks), default=0)
    return [replace(block, box=block.box._replace(height=height)) for block in blocks]
