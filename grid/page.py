"""One table becomes one page: bands from the top down, each with its cells and texts in whole pixels."""

from __future__ import annotations

from .axes import Sheet, Slot
from .box import Box
from .placing import automatic_font_size, cell_size, inside_border, place_picture
from .plan import Band, CellPlan, Metrics, PagePlan, PlanInput, TextKind, TextPlan

#: Of a cell's height, the most that a label may cover or a label strip may add.
LABEL_SHARE = 0.5
#: Of a cell's width, the most that a row header may take.
ROW_HEADER_SHARE = 0.75
#: Text blocks of the page are shrunk and shortened beyond this many lines.
LINES: dict[TextKind, int] = {"title": 4, "header": 4, "legend": 4, "footer": 4, "row": 8, "column": 4}
#: Font sizes of the page's texts as a multiple of the label's.
TEXT_SCALE: dict[TextKind, float] = {
    "title": 1.75,
    "header": 1.25,
    "legend": 1.0,
    "footer": 1.0,
    "row": 1.0,
    "column": 1.0,
}


def make_metrics(given: PlanInput) -> Metrics:
    """The sizes that all pages share, before anything is scaled down."""
    template = given.template
    cell = cell_size(given.sizes, template)
    font = template.font_size or automatic_font_size(cell)
    gap = template.margin if template.gap < 0 else template.gap
    metrics = Metrics(cell, template.margin, gap, font, min(font, template.min_font_size))
    return with_strip(given, metrics)


def with_strip(given: PlanInput, metrics: Metrics) -> Metrics:
    """The metrics with room for the tallest label, where labels stand in a strip below or above the picture."""
    if given.template.label_position not in ("below", "above"):
        return metrics
    width, height = metrics.cell
    tallest = max((given.measure(text, width, metrics.font)[1] for text in set(given.texts.labels) if text), default=0)
    line = given.measure("Ag", 10 * metrics.font, metrics.font)[1]
    if any(given.texts.labels):  # a word too wide for the cell measures nothing until it is shrunk
        tallest = max(tallest, line)
    strip = min(tallest, max(line, int(height * LABEL_SHARE)))
    return Metrics(metrics.cell, metrics.margin, metrics.gap, metrics.font, metrics.min_font, strip)


def plan_page(given: PlanInput, metrics: Metrics, sheet: Sheet) -> PagePlan:
    """The page of one table, whatever its size."""
    return _PageBuilder(given, metrics, sheet).build()


class _PageBuilder:
    """Builds one page from the top down."""

    def __init__(self, given: PlanInput, metrics: Metrics, sheet: Sheet) -> None:
        self.given, self.metrics, self.sheet = given, metrics, sheet
        self.cell_height = metrics.cell[1] + metrics.strip
        self.row_header = self._row_header_width()
        left = metrics.margin + (self.row_header + metrics.gap if self.row_header else 0)
        self.left = left
        columns = sheet.columns
        self.width = left + columns * metrics.cell[0] + (columns - 1) * metrics.gap + metrics.margin
        self.y = 0
        self.bands: list[Band] = []

    def build(self) -> PagePlan:
        self._head()
        self._rows()
        self._foot()
        return PagePlan(self.width, self.y, self.sheet, tuple(self.bands))

    def _row_header_width(self) -> int:
        limit = max(text_size(self.metrics, "row") * 2, int(self.metrics.cell[0] * ROW_HEADER_SHARE))
        size = text_size(self.metrics, "row")
        headers = {text for text in self.sheet.row_headers if text}
        return max((min(limit, self.given.measure(text, limit, size)[0]) for text in headers), default=0)

    def _head(self) -> None:
        """Margin, title, header and legend, then the column headers, as one band."""
        y = self.metrics.margin
        texts: list[TextPlan] = []
        given = self.given.texts
        blocks: list[tuple[TextKind, str]] = [("title", given.title), ("header", given.header)]
        blocks += [("header", self.sheet.page_value or ""), ("legend", given.legend)]
        for kind, text in blocks:
            if text:
                plan = self._block(kind, text, Box(self.metrics.margin, y, self.width - 2 * self.metrics.margin, 0))
                texts.append(plan)
                y = plan.box.bottom + self.metrics.gap
        if any(self.sheet.column_headers):
            headers = self._column_headers(y)
            texts += headers
            y = headers[0].box.bottom + self.metrics.gap
        self._add(Band(0, y, texts=tuple(texts)))

    def _column_headers(self, y: int) -> list[TextPlan]:
        width = self.metrics.cell[0]
        boxes = [Box(self._x(column), y, width, 0) for column in range(self.sheet.columns)]
        headers = self.sheet.column_headers
        blocks = [self._block("column", text, box) for text, box in zip(headers, boxes, strict=True)]
        height = max(block.box.height for block in blocks)
        return [TextPlan("column", b.text, b.box._replace(height=height), b.size) for b in blocks]

    def _block(self, kind: TextKind, text: str, box: Box) -> TextPlan:
        size = text_size(self.metrics, kind)
        line = self.given.measure("Ag", 10 * size, size)[1]
        height = self.given.measure(text, box.width, size)[1] if text else 0
        return TextPlan(kind, text, box._replace(height=min(height, LINES[kind] * line)), size)

    def _rows(self) -> None:
        by_row: dict[int, list[Slot]] = {row: [] for row in range(self.sheet.rows)}
        for slot in self.sheet.slots:
            by_row[slot.row].append(slot)
        for row, slots in by_row.items():
            gap = self.metrics.gap if row < self.sheet.rows - 1 else 0
            cells = tuple(self._cell(slot) for slot in slots)
            header = self.sheet.row_headers[row] if self.row_header else ""
            box = Box(self.metrics.margin, self.y, self.row_header, self.cell_height)
            texts = (TextPlan("row", header, box, text_size(self.metrics, "row")),) if header else ()
            self._add(Band(self.y, self.cell_height + gap, cells, texts))

    def _cell(self, slot: Slot) -> CellPlan:
        (width, height), strip = self.metrics.cell, self.metrics.strip
        box = Box(self._x(slot.column), self.y, width, height + strip)
        position = self.given.template.label_position
        area = Box(box.x, box.y + (strip if position == "above" else 0), width, height)
        image = area
        if slot.index is not None:
            template = self.given.template
            inner = inside_border(area, template.border_width)
            image = place_picture(self.given.sizes[slot.index], inner, template.fit, template.enlarge)
        return CellPlan(slot.index, slot.row, slot.column, box, area, image, self._label(box, area))

    def _label(self, box: Box, area: Box) -> Box:
        position, strip = self.given.template.label_position, self.metrics.strip
        if position == "below":
            return Box(box.x, area.bottom, box.width, strip)
        if position == "above":
            return Box(box.x, box.y, box.width, strip)
        if position == "none":
            return Box(box.x, box.bottom, 0, 0)
        # over the picture: at the foot, with the 8 pixels of space of the original tool where the cell is large enough
        foot = min(8, area.height // 32)
        line = min(area.height, self.given.measure("Ag", 10 * self.metrics.font, self.metrics.font)[1])
        height = min(area.height - foot, max(line, int(area.height * LABEL_SHARE)))
        side = min(4, area.width // 32)
        return Box(area.x + side, area.bottom - foot - height, area.width - 2 * side, height)

    def _foot(self) -> None:
        text = self.given.texts.footer
        if not text:
            self._add(Band(self.y, self.metrics.margin))
            return
        top = self.y + self.metrics.gap
        plan = self._block("footer", text, Box(self.metrics.margin, top, self.width - 2 * self.metrics.margin, 0))
        self._add(Band(self.y, plan.box.bottom + self.metrics.margin - self.y, texts=(plan,)))

    def _add(self, band: Band) -> None:
        if band.height:
            self.bands.append(band)
        self.y = band.y + band.height

    def _x(self, column: int) -> int:
        return self.left + column * (self.metrics.cell[0] + self.metrics.gap)


def text_size(metrics: Metrics, kind: TextKind) -> int:
    """Font size in pixels of one of the page's texts."""
    return max(1, round(metrics.font * TEXT_SCALE[kind]))
