"""The texts of a page that are not labels: where titles, headers, means and the scale of a heat map stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..arrange.tables import MeanBadge, PageTable
from .metrics import ENDLESS, LINES, mean_size, text_size
from .placing import plate_pad
from .plan import Box, LayoutInput, Metrics, TextKind, TextPlan

#: The length of the bar of a scale, as a multiple of its height.
_SCALE_LENGTH = 12


class PageTexts:
    """Measures and places the titles and headers of the page of one table."""

    def __init__(self, inputs: LayoutInput, metrics: Metrics, table: PageTable) -> None:
        self.inputs, self.metrics, self.table = inputs, metrics, table
        #: Between a header and the mean below it.
        self.pad = plate_pad(text_size(metrics, "mean"))
        #: Between two texts of the head.
        self.space = max(2, metrics.font // 2)

    def head(self, box: Box) -> list[TextPlan]:
        """Title, header, value of the page, legend and scale from the top of a box down."""
        texts = self.inputs.texts
        lines: list[tuple[TextKind, str]] = [("title", texts.title), ("header", texts.header)]
        lines += [("header", self.table.page_value or ""), ("legend", texts.legend)]
        blocks: list[TextPlan] = []
        for kind, text in lines:
            if text:
                blocks.append(self.block(kind, text, box))
                box = box._replace(y=blocks[-1].box.bottom + self.space)
        return [*blocks, *self._scale(box)]

    def block(self, kind: TextKind, text: str, box: Box) -> TextPlan:
        """The text in its box, as high as it needs at that width, up to LINES."""
        size = text_size(self.metrics, kind)
        height = self._height(kind, text, box.width, LINES.get(kind, 1) * self.inputs.line_height(size)) if text else 0
        return TextPlan(kind, text, box._replace(height=height), size)

    def row_height(self) -> int:
        """The least height of a row in which its header, in two lines, and its mean can be read; 0 without means."""
        most = 2 * self.inputs.line_height(self.metrics.row_font)
        headers = {text for text in self.table.row_headers if text}
        header = max((self._height("row", text, self.metrics.header_width, most) for text in headers), default=0)
        badges = [mean_size(self.inputs, self.metrics, mean.text)[1] for mean in self.table.row_means if mean]
        return header + self.pad + max(badges) if badges else 0

    def columns(self, boxes: Sequence[Box], corner: Box) -> list[TextPlan]:
        """The name of the X axis, the headers of the columns and below them their means; the Y axis in the corner.

        boxes: the columns, of which only the height is still open.
        """
        table, texts = self.table, list[TextPlan]()
        y = boxes[0].y
        if table.column_axis:
            row = Box(boxes[0].x, y, boxes[-1].right - boxes[0].x, 0)
            texts.append(self.block("column_axis", table.column_axis, row))
            y = texts[-1].box.bottom + self.pad
        if any(table.column_headers):
            pairs = zip(table.column_headers, boxes, strict=False)
            texts += _equally_high([self.block("column", text, box._replace(y=y)) for text, box in pairs])
            y = texts[-1].box.bottom + self.pad
        means = [(mean, box) for mean, box in zip(table.column_means, boxes, strict=False) if mean]
        texts += _equally_high([self._badge(mean, box._replace(y=y)) for mean, box in means])
        if table.row_axis and corner.width:
            name = self.block("row_axis", table.row_axis, corner)
            bottom = max([corner.y + name.box.height, *(text.box.bottom for text in texts if text.kind == "column")])
            texts.append(replace(name, box=name.box._replace(y=bottom - name.box.height)))
        return texts

    def row(self, row: int, box: Box) -> list[TextPlan]:
        """The header of a row and below it its mean, together in the middle of a box."""
        text = self.table.row_headers[row] if any(self.table.row_headers) else ""
        size = self.metrics.row_font
        mean = self.table.row_means[row] if self.table.row_means else None
        if not mean:
            return [TextPlan("row", text, box, size)] if text and box.width else []
        badge = self._badge(mean, box)
        width, height = badge.box.width, min(badge.box.height, box.height)
        space = max(0, box.height - height - self.pad)
        header_height = self._height("row", text, box.width, space) if text else 0
        pad = self.pad if header_height else 0
        top = box.y + (box.height - header_height - pad - height) // 2
        header = [TextPlan("row", text, box._replace(y=top, height=header_height), size)] if header_height else []
        return [*header, replace(badge, box=Box(box.right - width, top + header_height + pad, width, height))]

    def _scale(self, box: Box) -> list[TextPlan]:
        """The bar of a heat map's scale, the score's name before it and the values of its ends beside it."""
        scale = self.inputs.scale
        if not scale:
            return []
        size = text_size(self.metrics, "scale")
        height = self.inputs.line_height(size)
        parts: list[TextPlan] = []
        for text in (scale.name, scale.low, "", scale.high):
            width = self.inputs.measure(text, ENDLESS, size, ENDLESS)[0] + 2 if text else _SCALE_LENGTH * height
            width = max(1, min(width, box.width))
            kind: TextKind = "scale" if text else "scale_bar"
            parts.append(TextPlan(kind, text, Box(box.x, box.y, width, height), size))
            box = Box(box.x + width + self.space, box.y, box.width - width - self.space, 0)
        return parts if box.width > 0 else []

    def _badge(self, mean: MeanBadge, box: Box) -> TextPlan:
        """The mean in the middle of the box's width, in two lines where one is too wide."""
        text = mean.text
        if mean_size(self.inputs, self.metrics, text)[0] > box.width:
            text = text.replace(" ", "\n")
        width, height = mean_size(self.inputs, self.metrics, text)
        width = min(width, box.width)
        badge_box = Box(box.x + (box.width - width) // 2, box.y, width, height)
        return TextPlan("mean", text, badge_box, text_size(self.metrics, "mean"), mean.tint)

    def _height(self, kind: TextKind, text: str, width: int, most: int) -> int:
        size = text_size(self.metrics, kind)
        return min(self.inputs.measure_of(kind)(text, width, size, most)[1], most)


def _equally_high(blocks: Sequence[TextPlan]) -> list[TextPlan]:
    height = max((block.box.height for block in blocks), default=0)
    return [replace(block, box=block.box._replace(height=height)) for block in blocks]
