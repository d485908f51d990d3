"""The texts of a page that are not labels: where titles, headers and the means of a heat map stand, and how large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..arrange.axes import Sheet
from ..arrange.heat import Plate
from .placing import plate_pad, plate_size
from .plan import Box, Metrics, PlanInput, Size, TextKind, TextPlan

#: Of a cell's width, the most that a row header may take.
ROW_HEADER_SHARE = 0.75
#: Text blocks of the page are shrunk and shortened beyond this many lines.
LINES: dict[TextKind, int] = {"title": 4, "header": 4, "legend": 4, "footer": 4, "row": 8, "column": 4, "mean": 2}
#: Font sizes of the page's texts as a multiple of the label's.
TEXT_SCALE: dict[TextKind, float] = {
    "title": 1.75,
    "header": 1.25,
    "legend": 1.0,
    "footer": 1.0,
    "row": 1.0,
    "column": 1.0,
    "mean": 1.0,
}
#: Wider than any text that is measured in one line.
_ENDLESS = 1_000_000


def text_size(metrics: Metrics, kind: TextKind) -> int:
    """Font size in pixels of one of the page's texts."""
    return max(1, round(metrics.font * TEXT_SCALE[kind]))


class Headings:
    """Measures and places the texts of one table's page."""

    def __init__(self, given: PlanInput, metrics: Metrics, sheet: Sheet) -> None:
        self.given, self.metrics, self.sheet = given, metrics, sheet
        self.pad = plate_pad(text_size(metrics, "mean"))

    def block(self, kind: TextKind, text: str, box: Box) -> TextPlan:
        """The text in its box, as high as it needs at that width, up to LINES."""
        size = text_size(self.metrics, kind)
        height = self._height(text, box.width, size) if text else 0
        return TextPlan(kind, text, box._replace(height=min(height, LINES[kind] * self._line(size))), size)

    def row_width(self) -> int:
        """The width that the row headers need; 0 when there are none."""
        size = text_size(self.metrics, "row")
        limit = max(size * 2, int(self.metrics.cell[0] * ROW_HEADER_SHARE))
        headers = {text for text in self.sheet.row_headers if text}
        widths = [min(limit, self.given.measure(text, limit, size)[0]) for text in headers]
        # without the limit: of a number nothing may be cut
        widths += [self._plate_size(mean.text)[0] for mean in self.sheet.row_means if mean]
        return max(widths, default=0)

    def row_height(self, width: int) -> int:
        """The least height of a row in which its header, in two lines, and its mean can be read; 0 without means."""
        size = text_size(self.metrics, "row")
        most = 2 * self._line(size)
        headers = {text for text in self.sheet.row_headers if text}
        name = max((min(most, self._height(text, width, size)) for text in headers), default=0)
        plates = [self._plate_size(mean.text)[1] for mean in self.sheet.row_means if mean]
        return name + self.pad + max(plates) if plates else 0

    def columns(self, boxes: Sequence[Box]) -> list[TextPlan]:
        """The headers of the columns and below them their means, in boxes of which the height is left to be found."""
        texts = self.sheet.column_headers if any(self.sheet.column_headers) else ()
        headers = _equally_high([self.block("column", text, box) for text, box in zip(texts, boxes, strict=False)])
        below = headers[0].box.bottom + self.pad if headers else boxes[0].y
        means = zip(self.sheet.column_means, boxes, strict=False)
        plates = [self._mean(mean, box._replace(y=below)) for mean, box in means if mean]
        return headers + _equally_high(plates)

    def row(self, row: int, box: Box) -> list[TextPlan]:
        """The header of a row and below it its mean, together in the middle of a box."""
        text = self.sheet.row_headers[row] if any(self.sheet.row_headers) else ""
        size = text_size(self.metrics, "row")
        mean = self.sheet.row_means[row] if self.sheet.row_means else None
        if not mean:
            return [TextPlan("row", text, box, size)] if text and box.width else []
        plate = self._mean(mean, box)
        width, height = plate.box.width, min(plate.box.height, box.height)
        room = max(0, box.height - height - self.pad)
        above = min(self._height(text, box.width, size), room) if text else 0
        top = box.y + (box.height - above - self.pad * bool(above) - height) // 2
        below = Box(box.right - width, top + above + self.pad * bool(above), width, height)
        header = [TextPlan("row", text, box._replace(y=top, height=above), size)] if above else []
        return [*header, replace(plate, box=below)]

    def _mean(self, mean: Plate, box: Box) -> TextPlan:
        """The plate in the middle of the box's width, in two lines where one is too wide."""
        narrow = mean.text.replace(" ", "\n")
        text = mean.text if self._plate_size(mean.text)[0] <= box.width else narrow
        width, height = self._plate_size(text)
        width = min(width, box.width)
        place = Box(box.x + (box.width - width) // 2, box.y, width, height)
        return TextPlan("mean", text, place, text_size(self.metrics, "mean"), mean.tint)

    def _plate_size(self, text: str) -> Size:
        size = text_size(self.metrics, "mean")
        return plate_size(self.given.measure(text, _ENDLESS, size), size)

    def _height(self, text: str, width: int, size: int) -> int:
        return self.given.measure(text, width, size)[1]

    def _line(self, size: int) -> int:
        return self.given.measure("Ag", 10 * size, size)[1]


def _equally_high(blocks: Sequence[TextPlan]) -> list[TextPlan]:
    height = max((block.box.height for block in blocks), default=0)
    return [replace(block, box=block.box._replace(height=height)) for block in blocks]
