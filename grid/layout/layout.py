"""All pages of a sheet, and what happens when one is larger than its format holds: split, scaled down or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...errors import LimitError
from ...imaging import MAX_PIXELS
from ..arrange.tables import PageTable, flow_table, split_in_two
from .metrics import make_metrics, scaled_metrics
from .page import plan_page
from .plan import GridPlan, LayoutInput, Metrics, PagePlan, TextPlan

#: Longest side in pixels that each writer accepts (measured with Pillow 13; JPEG is not 65,535).
LONGEST_SIDE = {"jpeg": 65_500, "webp": 16_383, "avif": 65_536, "png": 2**31 - 1, "tiff": 2**31 - 1, "pdf": 65_500}
#: Formats that are written band by band, so that the page is never whole in memory.
STREAMED = frozenset({"png", "tiff", "pdf", "html"})
#: Below this side in pixels a cell shows nothing any more.
SMALLEST_CELL = 16


@dataclass(frozen=True)
class Limits:
    """The longest side and the most pixels of a page that a format and the memory hold; None = no limit."""

    format: str = "png"
    side: int | None = None
    pixels: int | None = None

    @classmethod
    def of(cls, format: str) -> Limits:
        """The limits of a format. One that must be whole in memory may have as many pixels as readers accept."""
        return cls(format, LONGEST_SIDE.get(format), None if format in STREAMED else MAX_PIXELS)

    def hold(self, page: PagePlan) -> bool:
        return self.scale(page) >= 1

    def scale(self, page: PagePlan) -> float:
        """The factor at which the page would just fit; 1 or more when it fits."""
        by_side = self.side / max(page.width, page.height) if self.side else 1.0
        by_pixels = (self.pixels / (page.width * page.height)) ** 0.5 if self.pixels else 1.0
        return min(by_side, by_pixels)

    def reason(self, page: PagePlan) -> str:
        """Why the page does not fit."""
        if self.side and max(page.width, page.height) > self.side:
            limit = f"sides of at most {self.side} pixels"
        else:
            limit = f"at most {(self.pixels or 0) // 1_000_000} megapixels"
        return f"the page is {page.width} x {page.height} pixels and {self.format} holds {limit}"


def plan_grid(inputs: LayoutInput, limits: Limits | None = None) -> GridPlan:
    """The plan of all pages, which are equally wide.

    Pages that pass the limits are split, scaled down or refused, as the template's ``on_overflow`` says.
    Raises LimitError when they are refused or when one single cell is too large for the format.
    """
    limits, metrics = limits or Limits(), make_metrics(inputs)
    pages = _pages(inputs, metrics, inputs.tables)
    too_large = next((page for page in pages if not limits.hold(page)), None)
    plan = _smaller_plan(inputs, metrics, limits, too_large) if too_large else GridPlan(pages, metrics)
    return replace(plan, pages=tuple(_numbered(page, i, len(plan.pages)) for i, page in enumerate(plan.pages)))


def _pages(inputs: LayoutInput, metrics: Metrics, tables: Sequence[PageTable]) -> tuple[PagePlan, ...]:
    """The pages of some tables, all as wide as the widest."""
    columns = max(table.columns for table in tables)
    return tuple(plan_page(inputs, metrics, table, columns) for table in tables)


def _smaller_plan(inputs: LayoutInput, metrics: Metrics, limits: Limits, too_large: PagePlan) -> GridPlan:
    reason = limits.reason(too_large)
    if inputs.template.on_overflow == "stop":
        raise _refusal(reason)
    if inputs.template.on_overflow == "scale":
        return _scaled(inputs, metrics, limits, reason)
    tables = [part for table in inputs.tables for part in _split(inputs, metrics, limits, table, reason)]
    # a page with fewer columns and more rows may be too large once it is as wide as the others
    pages = tuple(
        wide if limits.hold(wide) else plan_page(inputs, metrics, table)
        for wide, table in zip(_pages(inputs, metrics, tables), tables, strict=True)
    )
    return GridPlan(pages, metrics, (f"{reason}; split into {len(pages)} pages",))


def _refusal(reason: str) -> LimitError:
    return LimitError(
        f"{reason}; choose smaller cells, fewer pictures, on_overflow = split or scale, or the format png or tiff"
    )


def _split(inputs: LayoutInput, metrics: Metrics, limits: Limits, table: PageTable, reason: str) -> list[PageTable]:
    """Tables of pages that together show the table; raises LimitError when a single cell is too large."""
    page = plan_page(inputs, metrics, table)
    if limits.hold(page):
        return [table]
    if table.rows == 1 and table.columns == 1:
        raise _refusal(f"{reason}, and a single cell is too large")
    if not any(table.row_headers) and not any(table.column_headers):
        return _reflowed(inputs, metrics, limits, table)
    wide = page.width >= page.height if table.rows > 1 and table.columns > 1 else table.columns > 1
    parts = split_in_two(table, wide=wide)
    return [one for part in parts for one in _split(inputs, metrics, limits, part, reason)]


def _reflowed(inputs: LayoutInput, metrics: Metrics, limits: Limits, table: PageTable) -> list[PageTable]:
    """Pictures without headers keep their reading order: the pages get fewer rows, and fewer columns if they must."""
    rows, columns = table.rows, table.columns
    while (rows, columns) != (1, 1):
        page = plan_page(inputs, metrics, flow_table([None] * (rows * columns), columns, table.page_value))
        scale = limits.scale(page)
        if scale >= 1:
            break
        is_too_wide = columns > 1 and (rows == 1 or (limits.side is not None and page.width > limits.side))
        if is_too_wide:
            columns = min(columns - 1, max(1, int(columns * scale)))
        else:
            rows = min(rows - 1, max(1, int(rows * scale)))
    order = [cell.index for cell in table.cells]
    parts = [order[start : start + rows * columns] for start in range(0, len(order), rows * columns)]
    tables = [flow_table(part, columns, table.page_value) for part in parts]
    for page in (plan_page(inputs, metrics, one) for one in tables):
        if not limits.hold(page):
            raise _refusal(f"{limits.reason(page)}, and a single cell is too large")
    return tables


def _scaled(inputs: LayoutInput, metrics: Metrics, limits: Limits, reason: str) -> GridPlan:
    """The pages with all sizes made smaller until the largest page fits."""
    scale = 1.0
    while True:
        smaller = _scaled_metrics(inputs, metrics, scale)
        pages = _pages(inputs, smaller, inputs.tables)
        page_scale = min(limits.scale(page) for page in pages)
        if page_scale >= 1:
            break
        if min(smaller.cell) <= SMALLEST_CELL:
            raise _refusal(f"{reason}, and cells of {SMALLEST_CELL} pixels are still too large")
        scale *= min(page_scale, 0.99)
    width, height = smaller.cell
    return GridPlan(pages, smaller, (f"{reason}; scaled down to cells of {width} x {height} pixels",))


def _scaled_metrics(inputs: LayoutInput, metrics: Metrics, scale: float) -> Metrics:
    if scale >= 1:
        return metrics
    width, height = metrics.cell
    cell = max(SMALLEST_CELL, int(width * scale)), max(SMALLEST_CELL, int(height * scale))
    return scaled_metrics(inputs, metrics, cell, scale)


def _numbered(page: PagePlan, number: int, pages: int) -> PagePlan:
    """The page with {page} and {pages} filled in where users write; values keep their braces."""

    def fill(text: TextPlan) -> TextPlan:
        if text.kind not in ("title", "header", "footer"):
            return text
        return replace(text, text=text.text.replace("{page}", str(number + 1)).replace("{pages}", str(pages)))

    bands = (replace(band, texts=tuple(fill(text) for text in band.texts)) for band in page.bands)
    return replace(page, bands=tuple(bands))
