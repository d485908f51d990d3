"""One table becomes one page: bands from the top down, each with its cells and texts in whole pixels."""

from __future__ import annotations

from collections.abc import Sequence

from ..arrange.tables import PageTable, TableCell
from .headers import PageTexts
from .metrics import outline_width, text_box
from .placing import CAPTION_GAP, LABEL_SHARE, holds_label, inside_border, label_over, outer_size, place_picture
from .plan import Band, Box, CellPlan, LayoutInput, Metrics, PagePlan

#: Where in its cell a picture stands, across by the alignment of labels in strips, and down by their position.
_ACROSS = {"left": 0.0, "center": 0.5, "right": 1.0}
_DOWN = {"below": 1.0, "above": 0.0}


def plan_page(inputs: LayoutInput, metrics: Metrics, table: PageTable, columns: int = 0) -> PagePlan:
    """The page of one table, whatever its size; as wide as one of so many columns, if that is wider."""
    page = _Page(inputs, metrics, table, max(columns, table.columns))
    head = page.head()
    bands = [head, *page.rows(head.bottom)]
    bands.append(page.foot(bands[-1].bottom))
    return PagePlan(page.width, bands[-1].bottom, table, tuple(band for band in bands if band.height))


class _Page:
    """The bands of one page, which share its columns."""

    def __init__(self, inputs: LayoutInput, metrics: Metrics, table: PageTable, columns: int) -> None:
        self.inputs, self.metrics, self.table = inputs, metrics, table
        self.texts = PageTexts(inputs, metrics, table)
        template = inputs.template
        self.has_strips = bool(metrics.label_heights)
        #: Below a caption, and above one over its picture, so that it is nearer to its own picture than to the next.
        self.label_pad = metrics.label_font // 2
        self.is_shrunk = template.fit in ("contain", "original") and (self.has_strips or not template.cell_height)
        self.least_height = self.texts.row_height()
        self.tallest_label = max(metrics.label_heights.values(), default=0)
        #: Height of one line of a label over its picture.
        self.line = inputs.line_height(metrics.label_font) + 2 * outline_width(template, metrics.label_font)
        self.badge_height = 2 * inputs.line_height(metrics.font)
        self.header_gap = max(metrics.gap, self.texts.space) if metrics.header_width else 0
        self.left = metrics.margin + metrics.header_width + self.header_gap
        self.width = self._x(columns - 1) + metrics.cell[0] + metrics.margin

    def head(self) -> Band:
        """Margin, title, header, legend and scale, then the column headers."""
        margin = self.metrics.margin
        blocks = self.texts.head(self._from_margin_to_margin(margin))
        y = max((block.box.bottom for block in blocks), default=margin)
        if blocks:
            y += max(self.metrics.gap, self.metrics.font)
        cells = (Box(self._x(column), y, self.metrics.cell[0], 0) for column in range(self.table.columns))
        boxes = [text_box(self.metrics, cell, 0.5) for cell in cells]
        headers = self.texts.columns(boxes, Box(margin, y, self.metrics.header_width, 0))
        if headers:
            y = max(header.box.bottom for header in headers) + max(CAPTION_GAP, self.metrics.gap)
        return Band(0, y, texts=(*blocks, *headers))

    def rows(self, top: int) -> list[Band]:
        """A band for each row of the table, the gap below it included."""
        by_row: list[list[TableCell]] = [[] for _ in range(self.table.rows)]
        for cell in self.table.cells:
            by_row[cell.row].append(cell)
        bands = []
        for row, cells in enumerate(by_row):
            gap = self.metrics.gap if row < self.table.rows - 1 else 0
            strip, height = self._strip(cells), max(self._area_height(cells), self.least_height)
            start = top + (strip if self.inputs.template.label_position == "above" else 0)
            texts = self.texts.row(row, Box(self.metrics.margin, start, self.metrics.header_width, height))
            planned = tuple(self._cell(cell, top, height, strip) for cell in cells)
            bands.append(Band(top, height + strip + gap, planned, tuple(texts)))
            top = bands[-1].bottom
        return bands

    def foot(self, top: int) -> Band:
        """The footer, if there is one, and the margin."""
        text = self.inputs.texts.footer
        if not text:
            return Band(top, self.metrics.margin)
        block = self.texts.block("footer", text, self._from_margin_to_margin(top + self.metrics.gap))
        return Band(top, block.box.bottom + self.metrics.margin - top, texts=(block,))

    def _area_height(self, cells: Sequence[TableCell]) -> int:
        """The height of the tallest picture of a row; that of the cell where pictures fill it or there are none.

        A row of tiny pictures has space for a badge.
        """
        height = self.metrics.cell[1]
        if not self.is_shrunk:
            return height
        sizes = {self.inputs.sizes[cell.index] for cell in cells if cell.index is not None}
        tallest = max((outer_size(size, self.metrics.cell, self.inputs.template)[1] for size in sizes), default=height)
        return max(tallest, min(height, self.badge_height))

    def _strip(self, cells: Sequence[TableCell]) -> int:
        """The height of the strip for the labels of a row, with the space beside them."""
        heights, labels = self.metrics.label_heights, self.inputs.texts.labels
        if not heights:
            return 0
        own = (heights.get(labels[cell.index], 0) for cell in cells if cell.index is not None)
        # a row of holes alone is as high as any may be
        tallest = max(own, default=self.tallest_label)
        return CAPTION_GAP + tallest + self.label_pad if tallest else 0

    def _cell(self, cell: TableCell, top: int, height: int, strip: int) -> CellPlan:
        template = self.inputs.template
        box = Box(self._x(cell.column), top, self.metrics.cell[0], height + strip)
        # one object for equal boxes: those of 100,000 pictures take much of the memory
        area = box
        if strip:
            area = Box(box.x, box.y + (strip if template.label_position == "above" else 0), box.width, height)
        image = area
        if cell.index is not None:
            across = down = 0.5
            # padding is even on both sides
            if self.has_strips and template.fit != "pad":
                across, down = _ACROSS[template.label_align], _DOWN[template.label_position]
            inner = inside_border(area, template.border_width)
            size = self.inputs.sizes[cell.index]
            image = place_picture(size, inner, template.fit, template.enlarge, across=across, down=down)
        return CellPlan(cell.index, cell.row, cell.column, box, area, image, self._label_box(box, area, image, strip))

    def _label_box(self, box: Box, area: Box, image: Box, strip: int) -> Box:
        position, height = self.inputs.template.label_position, max(0, strip - CAPTION_GAP - self.label_pad)
        if position == "none" or (position == "below" and not height):
            return Box(box.x, box.bottom, 0, 0)
        if position in ("below", "above"):
            y = area.bottom + CAPTION_GAP if position == "below" else box.y + self.label_pad
            strip_box = Box(box.x, y, box.width, height)
            return text_box(self.metrics, strip_box, _ACROSS[self.inputs.template.label_align])
        if holds_label((image.width, image.height), (area.width, area.height), self.line):
            return label_over(image, self.line)
        below = image.bottom + CAPTION_GAP
        return Box(area.x, below, area.width, min(area.bottom - below, int(area.height * LABEL_SHARE)))

    def _from_margin_to_margin(self, y: int) -> Box:
        """A box of no height yet."""
        return Box(self.metrics.margin, y, self.width - 2 * self.metrics.margin, 0)

    def _x(self, column: int) -> int:
        return self.left + column * (self.metrics.cell[0] + self.metrics.gap)
