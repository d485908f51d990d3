"""The sizes that all pages of a sheet share: of cells and gaps, and the one font size of all labels and headers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache
from typing import TypeVar

from ...imaging import Size
from ..template import GridTemplate
from .placing import (
    LABEL_SHARE,
    automatic_font_size,
    cell_size,
    holds_label,
    label_over,
    outer_size,
    plate_pad,
    plate_size,
)
from .plan import Box, LayoutInput, Measure, Metrics, TextKind

_T = TypeVar("_T")

#: The largest share of a cell's width that a row header may take.
ROW_HEADER_SHARE = 0.75
#: Texts of the page are shrunk and shortened beyond this many lines.
LINES: dict[TextKind, int] = {"title": 4, "header": 4, "legend": 4, "footer": 4, "row": 8, "column": 4, "mean": 2}
#: Font sizes of the page's texts as a multiple of that of labels before these are shrunk; 1 for the others.
TEXT_SCALE: dict[TextKind, float] = {
    "title": 1.75, "header": 1.1, "legend": 0.8, "footer": 0.8, "row_axis": 0.8, "column_axis": 0.8, "mean": 0.85,
    "scale": 0.8,
}  # fmt: skip
#: Smaller texts of a page are hard to read; they are never larger than labels.
_SMALLEST_TEXT = 9
#: Headers may shrink to this share of their size before they are shortened.
_HEADER_SHRINK = 0.7
#: One label in so many may be shortened, so that a single long one does not make all of them small.
_SHORTENED = 10
#: The largest share of a picture's width that a badge takes to name its score.
BADGE_SHARE = 0.5
#: At most one part in so many of a cell's width stays free between the captions of neighbours.
_FREE_PART = 8
#: Beyond so many labels their lines are counted instead of laid out.
_MOST_MEASURED = 300
#: Wider than any text that is measured in one line.
ENDLESS = 1_000_000


def make_metrics(inputs: LayoutInput) -> Metrics:
    """The sizes, before anything is scaled down."""
    template = inputs.template
    cell = cell_size(inputs.sizes, template)
    font = template.font_size or automatic_font_size(cell)
    gap = template.margin if template.gap < 0 else template.gap
    return fitted_metrics(inputs, cell, template.margin, gap, font)


def scaled_metrics(inputs: LayoutInput, metrics: Metrics, cell: Size, scale: float) -> Metrics:
    """The metrics with another cell and everything else smaller by a factor."""
    font = max(1, round(metrics.font * scale))
    return fitted_metrics(inputs, cell, int(metrics.margin * scale), int(metrics.gap * scale), font)


def fitted_metrics(inputs: LayoutInput, cell: Size, margin: int, gap: int, font: int) -> Metrics:
    """The metrics with the font sizes at which labels and headers fit."""
    metrics = Metrics(cell, margin, gap, font, min(font, inputs.template.min_font_size), font, font, font)
    metrics = _with_headers(inputs, metrics)
    position = inputs.template.label_position
    if position in ("below", "above"):
        return _with_strips(inputs, metrics)
    return _with_labels_over(inputs, metrics) if position == "over" else metrics


def text_size(metrics: Metrics, kind: TextKind) -> int:
    """Font size in pixels of one of the page's texts."""
    if kind in ("row", "column"):
        return metrics.row_font if kind == "row" else metrics.column_font
    size = max(1, round(metrics.font * TEXT_SCALE.get(kind, 1.0)))
    return max(size, min(metrics.font, _SMALLEST_TEXT))


def text_box(metrics: Metrics, box: Box, across: float) -> Box:
    """The part of a cell's width that its caption or header takes, at least the height of a letter from the next one.

    across: the share of what stays free that is left of it.
    """
    free = min(max(0, metrics.font - metrics.gap), metrics.cell[0] // _FREE_PART)
    return box._replace(x=box.x + int(free * across), width=box.width - free)


def header_limit(metrics: Metrics) -> int:
    """The most that row headers may be wide."""
    return max(metrics.font * 2, int(metrics.cell[0] * ROW_HEADER_SHARE))


def mean_size(inputs: LayoutInput, metrics: Metrics, text: str) -> Size:
    """Width and height of the plate of a mean."""
    size = text_size(metrics, "mean")
    return plate_size(inputs.measure(text, ENDLESS, size, ENDLESS), size)


def badge_space(inputs: LayoutInput) -> tuple[int, int]:
    """The font size of badges, and the width that a text on them may have in the narrowest picture."""
    cell = cell_size(inputs.sizes, inputs.template)
    font = inputs.template.font_size or automatic_font_size(cell)
    narrowest = min(outer_size(size, cell, inputs.template)[0] for size in set(inputs.sizes))
    return font, int(narrowest * BADGE_SHARE) - 2 * plate_pad(font)


def _text_width(metrics: Metrics) -> int:
    return text_box(metrics, Box(0, 0, *metrics.cell), 0).width


def _with_headers(inputs: LayoutInput, metrics: Metrics) -> Metrics:
    """The metrics with the sizes of headers, and the width that those of rows need."""
    rows = {text for table in inputs.tables for text in table.row_headers if text}
    columns = {text for table in inputs.tables for text in table.column_headers if text}
    smallest = max(1, min(metrics.font, max(metrics.min_font, round(metrics.font * _HEADER_SHRINK))))

    def size_of(kind: TextKind, texts: Collection[str], width: int, most: int) -> int:
        measure = inputs.measure_of(kind)
        lines = min(most, LINES[kind] * inputs.line_height(metrics.font))
        return largest_size(texts, smallest, metrics.font, lambda text, size: _fits(measure, text, width, size, lines))

    limit = header_limit(metrics)
    row_font = size_of("row", rows, limit, metrics.cell[1])
    measure = inputs.measure_of("row")
    most = LINES["row"] * inputs.line_height(row_font)
    widths = [min(limit, measure(text, limit, row_font, most)[0]) for text in rows]
    names = {table.row_axis for table in inputs.tables if table.row_axis}
    widths += [min(limit, inputs.measure(name, ENDLESS, text_size(metrics, "row_axis"), ENDLESS)[0]) for name in names]
    # without the limit: of a number nothing may be cut
    means = {mean.text for table in inputs.tables for mean in table.row_means if mean}
    widths += [mean_size(inputs, metrics, text)[0] for text in means]
    column_font = size_of("column", columns, _text_width(metrics), ENDLESS)
    return replace(metrics, row_font=row_font, column_font=column_font, header_width=max(widths, default=0))


class _Labels:
    """Measures labels: exactly if they are few, else by counting their lines where that is possible."""

    def __init__(self, inputs: LayoutInput, count: int) -> None:
        self.inputs, self.is_counted = inputs, count > _MOST_MEASURED
        self.line = cache(inputs.line_height)
        self._height_of_lines = cache(self._measured_lines)

    def height(self, text: str, width: int, size: int, most: int) -> int:
        """The height of a label, any height above ``most`` for a higher one, and 0 if a word is too wide."""
        # three points are no narrower
        plain = text.replace("…", "...")
        if is_one_line(plain, width, size):
            return self.line(size)
        count = self.inputs.count_lines(plain, width, size) if self.is_counted else None
        if count:
            return self._height_of_lines(count, size)
        across, down = self.inputs.measure(text, width, size, most)
        return down if 0 < across <= width else 0

    def fits(self, text: str, width: int, size: int, most: int) -> bool:
        return 0 < self.height(text, width, size, most) <= most

    def _measured_lines(self, count: int, size: int) -> int:
        # with the highest and the deepest letters
        return self.inputs.measure("\n".join(["|Qj"] * count), ENDLESS, size, ENDLESS)[1]


def _with_strips(inputs: LayoutInput, metrics: Metrics) -> Metrics:
    """The metrics with the size of labels in strips, and with the height of each."""
    texts = {label for label in inputs.texts.labels if label}
    labels, width = _Labels(inputs, len(texts)), _text_width(metrics)
    most = max(labels.line(metrics.font), int(metrics.cell[1] * LABEL_SHARE))
    size = largest_size(texts, metrics.min_font, metrics.font, lambda text, size: labels.fits(text, width, size, most))
    # a word too wide for the cell measures nothing until it is cut
    heights = {text: min(most, max(labels.line(size), labels.height(text, width, size, most))) for text in texts}
    return replace(metrics, label_font=size, label_heights=heights)


def _with_labels_over(inputs: LayoutInput, metrics: Metrics) -> Metrics:
    """The metrics with the size of the labels that stand over their pictures."""
    template, font = inputs.template, metrics.font
    outers = {size: outer_size(size, metrics.cell, template) for size in set(inputs.sizes)}
    texts = {(text, outers[size]) for text, size in zip(inputs.texts.labels, inputs.sizes, strict=False) if text}
    labels = _Labels(inputs, len(texts))

    @cache
    def space(outer: Size, size: int) -> Size:
        inset = 2 * outline_width(template, size)
        box = label_over(Box(0, 0, *outer), labels.line(size) + inset)
        return box.width - inset, box.height - inset

    def fits(label: tuple[str, Size], size: int) -> bool:
        text, outer = label
        width, height = space(outer, size)
        return labels.fits(text, width, size, height)

    held = [(text, outer) for text, outer in texts if holds_label(outer, metrics.cell, labels.line(font))]
    return replace(metrics, label_font=largest_size(held, metrics.min_font, font, fits))


def outline_width(template: GridTemplate, font: int) -> int:
    """The width of the outline around text over pictures."""
    return template.outline_width if template.outline_width >= 0 else max(1, round(font / 8))


def largest_size(items: Collection[_T], smallest: int, largest: int, fits: Callable[[_T, int], bool]) -> int:
    """The largest font size at which all items fit, but for one in ten; the smallest where there is none."""
    allowed = len(items) // _SHORTENED
    # what fits at a size fits at every smaller one
    failing = [item for item in items if not fits(item, largest)]
    if len(failing) <= allowed:
        return largest
    low, high = smallest, largest
    while high - low > 1:
        middle = (low + high) // 2
        still = [item for item in failing if not fits(item, middle)]
        low, high = (middle, high) if len(still) <= allowed else (low, middle)
    return low


def is_one_line(text: str, width: int, size: int) -> bool:
    """Whether a text surely fits on one line, without measuring it: few letters are wider than they are high."""
    return len(text) * size <= width and text.isascii() and text.isprintable()


def _fits(measure: Measure, text: str, width: int, size: int, height: int) -> bool:
    across, down = measure(text, width, size, height)
    # what is broken within its letters measures nothing
    return 0 < across <= width and down <= height
