"""One table becomes one page: bands from the top down, each with its cells and texts in whole pixels."""

from __future__ import annotations

from ..arrange.axes import Sheet, Slot
from .headers import Headings
from .placing import automatic_font_size, cell_size, inside_border, place_picture
from .plan import Band, Box, CellPlan, Metrics, PagePlan, PlanInput, TextKind, TextPlan

#: Of a cell's height, the most that a label may cover or a label strip may add.
LABEL_SHARE = 0.5


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
        self.headings = Headings(given, metrics, sheet)
        self.row_header = self.headings.row_width()
        self.row_height = max(metrics.cell[1] + metrics.strip, self.headings.row_height(self.row_header))
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

    def _head(self) -> None:
        """Margin, title, header and legend, then the column headers, as one band."""
        y = self.metrics.margin
        texts: list[TextPlan] = []
        given = self.given.texts
        blocks: list[tuple[TextKind, str]] = [("title", given.title), ("header", given.header)]
        blocks += [("header", self.sheet.page_value or ""), ("legend", given.legend)]
        for kind, text in blocks:
            if text:
                plan = self.headings.block(kind, text, self._across(y))
                texts.append(plan)
                y = plan.box.bottom + self.metrics.gap
        columns = range(self.sheet.columns)
        headers = self.headings.columns([Box(self._x(column), y, self.metrics.cell[0], 0) for column in columns])
        if headers:
            y = max(header.box.bottom for header in headers) + self.metrics.gap
        self._add(Band(0, y, texts=(*texts, *headers)))

    def _rows(self) -> None:
        by_row: dict[int, list[Slot]] = {row: [] for row in range(self.sheet.rows)}
        for slot in self.sheet.slots:
            by_row[slot.row].append(slot)
        for row, slots in by_row.items():
            gap = self.metrics.gap if row < self.sheet.rows - 1 else 0
            cells = tuple(self._cell(slot) for slot in slots)
            texts = self.headings.row(row, Box(self.metrics.margin, self.y, self.row_header, self.row_height))
            self._add(Band(self.y, self.row_height + gap, cells, tuple(texts)))

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
        plan = self.headings.block("footer", text, self._across(top))
        self._add(Band(self.y, plan.box.bottom + self.metrics.margin - self.y, texts=(plan,)))

    def _across(self, y: int) -> Box:
        """From margin to margin, of no height yet."""
        return Box(self.metrics.margin, y, self.width - 2 * self.metrics.margin, 0)

    def _add(self, band: Band) -> None:
        if band.height:
            self.bands.append(band)
        self.y = band.y + band.height

    def _x(self, column: int) -> int:
        return self.left + column * (self.metrics.cell[0] + self.metrics.gap)
