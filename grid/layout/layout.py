"""All pages of a sheet, and what happens when one is larger than its format holds: split, scaled down or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..arrange.axes import Sheet
from ..arrange.pages import flow_sheet, halves
from .page import make_metrics, plan_page, with_strip
from .plan import GridPlan, Metrics, PagePlan, PlanInput, TextPlan

#: Below this side in pixels a cell shows nothing any more.
SMALLEST_CELL = 16


def plan_grid(given: PlanInput) -> GridPlan:
    """The plan of all pages.

    Pages that pass the limits are split, scaled down or refused, as the template's ``on_overflow`` says.
    Raises LimitError when they are refused or when one single cell is too large for the format.
    """
    plan = _plan_within_limits(given)
    return replace(plan, pages=tuple(_numbered(page, i, len(plan.pages)) for i, page in enumerate(plan.pages)))


def _plan_within_limits(given: PlanInput) -> GridPlan:
    metrics = make_metrics(given)
    pages = [plan_page(given, metrics, sheet) for sheet in given.sheets]
    too_large = [page for page in pages if not given.limits.hold(page.width, page.height)]
    if not too_large:
        return GridPlan(tuple(pages), metrics)
    reason = given.limits.reason(too_large[0].width, too_large[0].height)
    if given.template.on_overflow == "stop":
        raise given.limits.refusal(reason)
    if given.template.on_overflow == "scale":
        return _scaled(given, metrics, reason)
    return _split(given, metrics, reason)


def _split(given: PlanInput, metrics: Metrics, reason: str) -> GridPlan:
    pages: list[PagePlan] = []
    for sheet in given.sheets:
        pages += _split_sheet(given, metrics, sheet, reason)
    note = f"{reason}; split into {len(pages)} pages"
    return GridPlan(tuple(pages), metrics, (note,))


def _split_sheet(given: PlanInput, metrics: Metrics, sheet: Sheet, reason: str) -> list[PagePlan]:
    page = plan_page(given, metrics, sheet)
    if given.limits.hold(page.width, page.height):
        return [page]
    if sheet.rows == 1 and sheet.columns == 1:
        raise given.limits.refusal(f"{reason}, and a single cell is too large")
    if not any(sheet.row_headers) and not any(sheet.column_headers):
        return _reflow(given, metrics, sheet)
    parts = halves(sheet, wide=page.width >= page.height if sheet.rows > 1 and sheet.columns > 1 else sheet.columns > 1)
    return [done for part in parts for done in _split_sheet(given, metrics, part, reason)]


def _reflow(given: PlanInput, metrics: Metrics, sheet: Sheet) -> list[PagePlan]:
    """Pictures without headers keep their reading order: the pages get fewer rows, and fewer columns if they must."""

    def flow(indices: Sequence[int | None], rows: int, columns: int) -> Sheet:
        return replace(flow_sheet(indices, rows, columns), page_value=sheet.page_value)

    rows, columns = sheet.rows, sheet.columns
    while (rows, columns) != (1, 1):
        page = plan_page(given, metrics, flow([None] * (rows * columns), rows, columns))
        scale = given.limits.scale(page.width, page.height)
        if scale >= 1:
            break
        too_wide = columns > 1 and (rows == 1 or (given.limits.side is not None and page.width > given.limits.side))
        if too_wide:
            columns = min(columns - 1, max(1, int(columns * scale)))
        else:
            rows = min(rows - 1, max(1, int(rows * scale)))
    order = [slot.index for slot in sheet.slots]
    parts = [order[start : start + rows * columns] for start in range(0, len(order), rows * columns)]
    return [_fitting(given, metrics, flow(part, rows, columns)) for part in parts]


def _fitting(given: PlanInput, metrics: Metrics, sheet: Sheet) -> PagePlan:
    page = plan_page(given, metrics, sheet)
    if not given.limits.hold(page.width, page.height):
        reason = given.limits.reason(page.width, page.height)
        raise given.limits.refusal(f"{reason}, and a single cell is too large")
    return page


def _scaled(given: PlanInput, metrics: Metrics, reason: str) -> GridPlan:
    scale = 1.0
    while True:
        smaller = _scale_metrics(given, metrics, scale)
        pages = [plan_page(given, smaller, sheet) for sheet in given.sheets]
        worst = min(given.limits.scale(page.width, page.height) for page in pages)
        if worst >= 1:
            break
        if min(smaller.cell) <= SMALLEST_CELL:
            raise given.limits.refusal(f"{reason}, and cells of {SMALLEST_CELL} pixels are still too large")
        scale *= min(worst, 0.99)
    width, height = smaller.cell
    return GridPlan(tuple(pages), smaller, (f"{reason}; scaled down to cells of {width} x {height} pixels",))


def _scale_metrics(given: PlanInput, metrics: Metrics, scale: float) -> Metrics:
    if scale >= 1:
        return metrics
    width, height = metrics.cell
    cell = max(SMALLEST_CELL, int(width * scale)), max(SMALLEST_CELL, int(height * scale))
    font = max(1, round(metrics.font * scale))
    smaller = Metrics(cell, int(metrics.margin * scale), int(metrics.gap * scale), font, min(font, metrics.min_font))
    return with_strip(given, smaller)


def _numbered(page: PagePlan, number: int, pages: int) -> PagePlan:
    """The page with {page} and {pages} filled in where users write; values keep their braces."""

    def fill(text: TextPlan) -> TextPlan:
        if text.kind not in ("title", "header", "footer"):
            return text
        return replace(text, text=text.text.replace("{page}", str(number + 1)).replace("{pages}", str(pages)))

    bands = (replace(band, texts=tuple(fill(text) for text in band.texts)) for band in page.bands)
    return replace(page, bands=tuple(bands))
