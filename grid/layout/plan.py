"""The plan of a sheet in whole pixels: pages, bands, cells and texts, and what it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ...imaging import Size
from ..arrange.tables import PageTable
from ..colors import RGB
from ..template import GridTemplate


class Box(NamedTuple):
    """Left, top, width and height in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def contains(self, other: Box) -> bool:
        """Whether the other box lies inside this one; an empty box always does."""
        if other.width <= 0 or other.height <= 0:
            return True
        inside_x = self.x <= other.x and other.right <= self.right
        return inside_x and self.y <= other.y and other.bottom <= self.bottom

    def shrunk(self, by: int) -> Box:
        """The box with an edge taken off on each side; never of negative size."""
        by_x, by_y = min(by, self.width // 2), min(by, self.height // 2)
        if not (by_x or by_y):
            return self
        return Box(self.x + by_x, self.y + by_y, self.width - 2 * by_x, self.height - 2 * by_y)


#: (text, width, font size, height) -> width and height of the text, wrapped into that width at that size; for a text
#: that is higher than `height`, any height above it.
Measure = Callable[[str, int, int, int], Size]
TextKind = Literal[
    "title", "header", "legend", "footer", "row", "column", "row_axis", "column_axis", "mean", "scale", "scale_bar"
]
#: Kinds of text that are bold.
BOLD: frozenset[TextKind] = frozenset({"title", "row", "column"})


@dataclass(frozen=True, slots=True)
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

    @property
    def label_is_over_picture(self) -> bool:
        return self.image.contains(self.label)


@dataclass(frozen=True)
class TextPlan:
    """A title, header, legend or footer, the header of a row or column, its axis or its mean, or a part of the scale.

    Of the scale, the bar itself has no text.
    """

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

    @property
    def bottom(self) -> int:
        return self.y + self.height


@dataclass(frozen=True)
class PagePlan:
    """One page, cut into bands without a gap."""

    width: int
    height: int
    table: PageTable
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
    #: The one font size of all labels, and of all headers of rows and of columns.
    label_font: int
    row_font: int
    column_font: int
    #: The width of the row headers; 0 when there are none.
    header_width: int = 0
    #: The height of each label in a strip below or above its picture; empty without strips.
    label_heights: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class GridPlan:
    """All pages of a sheet. ``notes`` tell what was split or scaled, and why."""

    pages: tuple[PagePlan, ...]
    metrics: Metrics
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SheetTexts:
    """The texts of a sheet. ``labels`` are per picture; the rest stands on every page."""

    labels: Sequence[str] = ()
    title: str = ""
    header: str = ""
    legend: str = ""
    footer: str = ""


@dataclass(frozen=True)
class ScaleTexts:
    """What stands at the scale of a heat map: the score, and the values of both ends."""

    name: str
    low: str
    high: str


@dataclass(frozen=True)
class LayoutInput:
    """What a plan is made from."""

    template: GridTemplate
    #: Width and height of each picture.
    sizes: Sequence[Size]
    #: One for each page, unless a page turns out too large.
    tables: Sequence[PageTable]
    texts: SheetTexts
    measure: Measure
    #: ``measure`` for bold text; None where bold is equally wide.
    measure_bold: Measure | None = None
    #: None without a heat map.
    scale: ScaleTexts | None = None
    #: Counts the lines of a text at a width and size, never too few; None where it cannot.
    count_lines: Callable[[str, int, int], int | None] = lambda text, width, size: None

    def line_height(self, size: int) -> int:
        """The height of one line of text of this font size."""
        return self.measure("Ag", 10 * size, size, 10 * size)[1]

    def measure_of(self, kind: TextKind) -> Measure:
        """The measure of the texts of a kind."""
        return (kind in BOLD and self.measure_bold) or self.measure
