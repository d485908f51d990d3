"""What a planned sheet is: pages, bands, cells and boxes in whole pixels. Pure numbers, nothing is drawn.

A *page* is cut from top to bottom into *bands*, so that it can be painted and written one band at a time; no box
crosses from one band into another. A *cell* holds the *area* of its picture and the box of its label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .axes import Sheet
from .box import Box
from .colors import RGB
from .limits import Limits
from .template import GridTemplate

Size = tuple[int, int]
#: (text, width, font size) -> width and height of the text, wrapped into that width at that size.
Measure = Callable[[str, int, int], Size]
TextKind = Literal["title", "header", "legend", "footer", "row", "column", "mean"]


@dataclass(frozen=True)
class CellPlan:
    """Where one picture goes; ``index`` is None for a hole of the table."""

    index: int | None
    row: int
    column: int
    #: Everything of the cell: picture area and label strip.
    box: Box
    #: Where the picture may be.
    area: Box
    #: Where the picture is, inside the area.
    image: Box
    #: Where the label may be, inside the box; empty when there are no labels.
    label: Box


@dataclass(frozen=True)
class TextPlan:
    """A title, header, legend, footer, a row's or column's header, or the mean that stands with it."""

    kind: TextKind
    text: str
    box: Box
    size: int
    #: The colour of the plate that fills the box; None = the text stands on the page.
    tint: RGB | None = None


@dataclass(frozen=True)
class Band:
    """A horizontal slice of a page; its boxes are in pixels of the page."""

    y: int
    height: int
    cells: tuple[CellPlan, ...] = ()
    texts: tuple[TextPlan, ...] = ()


@dataclass(frozen=True)
class PagePlan:
    """One page, cut into bands without a gap."""

    width: int
    height: int
    sheet: Sheet
    bands: tuple[Band, ...]

    @property
    def cells(self) -> tuple[CellPlan, ...]:
        return tuple(cell for band in self.bands for cell in band.cells)


@dataclass(frozen=True)
class Metrics:
    """The sizes that all pages share."""

    cell: Size
    margin: int
    gap: int
    font: int
    min_font: int
    #: Height of the label strip below or above the area; 0 when there is none.
    strip: int = 0


@dataclass(frozen=True)
class GridPlan:
    """All pages of a sheet. ``notes`` says what was split or scaled, and why."""

    pages: tuple[PagePlan, ...]
    metrics: Metrics
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanTexts:
    """The texts that take room. ``labels`` are per picture; the rest stands on every page."""

    labels: Sequence[str] = ()
    title: str = ""
    header: str = ""
    legend: str = ""
    footer: str = ""


@dataclass(frozen=True)
class PlanInput:
    """What a plan is made from: sizes per picture, the tables that the slots make, texts, and a ruler for text."""

    template: GridTemplate
    sizes: Sequence[Size]
    sheets: Sequence[Sheet]
    texts: PlanTexts
    measure: Measure
    limits: Limits = field(default_factory=Limits)
