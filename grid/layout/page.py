"""One table becomes one page: bands from the top down, each with its cells and texts in whole pixels."""

from __future__ import annotations

from dataclasses import replace

from ..arrange.tables import PageTable, TableCell
from .headers import PageTexts
from .placing import automatic_font_size, cell_size, inside_border, place_picture
from .plan import Band, Box, CellPlan, LayoutInput, Metrics, PagePlan, TextKind, TextPlan

#: Of a cell's height, the most that a label may cover or a label strip may add.
LABEL_SHARE = 0.5


def make_metrics(inputs: LayoutInput) -> Metrics:
    """The sizes that all pages share, before anything is scaled down."""
    template = inputs.template
    cell = cell_size(inputs.sizes, template)
    font = template.font_size or automatic_font_size(cell)
    gap = template.margin if template.gap < 0 else template.gap
    return with_strip(inputs, Metrics(cell, template.margin, gap, font, min(font, template.min_font_size)))


def with_strip(inputs: LayoutInput, metrics: Metrics) -> Metrics:
    """The metrics with the strip for the tallest label, where labels stand below or above the picture."""
    if inputs.template.label_position not in ("below", "above"):
        return metrics
    width, height = metrics.cell
    labels = {label for label in inputs.texts.labels if label}
    line = inputs.line_height(metrics.font)
    most = max(line, int(height * LABEL_SHARE))
    tallest = max((inputs.measure(label, width, metrics.font, most)[1] for label in labels), default=0)
    if labels:  # a word too wide for the cell measures nothing until it is shrunk
        tallest = max(tallest, line)
    return replace(metrics, strip=min(tallest, most))


def plan_page(inputs: LayoutInput, metrics: Metrics, table: PageTable) -> PagePlan:
    """The page of one table, whatever its size."""
    page = _Page(inputs, metrics, table)
    head = page.head()
    bands = [head, *page.rows(head.bottom)]
    bands.append(page.foot(bands[-1].bottom))
    return PagePlan(page.width, bands[-1].bottom, table, tuple(band for band in bands if band.height))


class _Page:
    """The bands of one page, which share its columns and its height of rows."""

    def __init__(self, inputs: LayoutInput, metrics: Metrics, table: PageTable) -> None:
        self.inputs, self.metrics, self.table = inputs, metrics, table
        self.texts = PageTexts(inputs, metrics, table)
        self.header_width = self.texts.row_width()
        self.row_height = max(metrics.cell[1] + metrics.strip, self.texts.row_height(self.header_width))
        #: Of a label that stands over its picture.
        self.line = min(metrics.cell[1], inputs.line_height(metrics.font))
        self.left = metrics.margin + (self.header_width + metrics.gap if self.header_width else 0)
        self.width = self._x(table.columns - 1) + metrics.cell[0] + metrics.margin

    def head(self) -> Band:
        """Margin, title, header and legend, then the column headers."""
        y = self.metrics.margin
        blocks: list[TextPlan] = []
        texts = self.inputs.texts
        lines: list[tuple[TextKind, str]] = [("title", texts.title), ("header", texts.header)]
        lines += [("header", self.table.page_value or ""), ("legend", texts.legend)]
        for kind, text in lines:
            if text:
                blocks.append(self.texts.block(kind, text, self._from_margin_to_margin(y)))
                y = blocks[-1].box.bottom + self.metrics.gap
        boxes = [Box(self._x(column), y, self.metrics.cell[0], 0) for column in range(self.table.columns)]
        headers = self.texts.columns(boxes)
        if headers:
            y = max(header.box.bottom for header in headers) + self.metrics.gap
        return Band(0, y, texts=(*blocks, *headers))

    def rows(self, top: int) -> list[Band]:
        """A band for each row of the table, the gap below it included."""
        by_row: list[list[TableCell]] = [[] for _ in range(self.table.rows)]
        for cell in self.table.cells:
            by_row[cell.row].append(cell)
        bands = []
        for row, cells in enumerate(by_row):
            gap = self.metrics.gap if row < self.table.rows - 1 else 0
            texts = self.texts.row(row, Box(self.metrics.margin, top, self.header_width, self.row_height))
            planned = tuple(self._cell(cell, top) for cell in cells)
            bands.append(Band(top, self.row_height + gap, planned, tuple(texts)))
            top = bands[-1].bottom
        return bands

    def foot(self, top: int) -> Band:
        """The footer, if there is one, and the margin."""
        text = self.inputs.texts.footer
        if not text:
            return Band(top, self.metrics.margin)
        block = self.texts.block("footer", text, self._from_margin_to_margin(top + self.metrics.gap))
        return Band(top, block.box.bottom + self.metrics.margin - top, texts=(block,))

    def _cell(self, cell: TableCell, top: int) -> CellPlan:
        (width, height), strip = self.metrics.cell, self.metrics.strip
        template = self.inputs.template
        box = Box(self._x(cell.column), top, width, height + strip)
        # one object for equal boxes: those of 100,000 pictures take much of the memory
        area = box
        if strip:
            area = Box(box.x, box.y + (strip if template.label_position == "above" else 0), width, height)
        image = area
        if cell.index is not None:
            inner = inside_border(area, template.border_width)
            image = place_picture(self.inputs.sizes[cell.index], inner, template.fit, template.enlarge)
        return CellPlan(cell.index, cell.row, cell.column, box, area, image, self._label_box(box, area))

    def _label_box(self, box: Box, area: Box) -> Box:
        position, strip = self.inputs.template.label_position, self.metrics.strip
        if position == "below":
            return Box(box.x, area.bottom, box.width, strip)
        if position == "above":
            return Box(box.x, box.y, box.width, strip)
        if position == "none":
            return Box(box.x, box.bottom, 0, 0)
        # over the picture: at the foot, with the 8 pixels of space of the original tool where the cell is large enough
        foot = min(8, area.height // 32)
        height = min(area.height - foot, max(self.line, int(area.height * LABEL_SHARE)))
        side = min(4, area.width // 32)
        return Box(area.x + side, area.bottom - foot - height, area.width - 2 * side, height)

    def _from_margin_to_margin(self, y: int) -> Box:
        """A box of no height yet."""
        return Box(self.metrics.margin, y, self.width - 2 * self.metrics.margin, 0)

    def _x(self, column: int) -> int:
        return self.left + column * (self.metrics.cell[0] + self.metrics.gap)
