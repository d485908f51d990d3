"""The style of a sheet, resolved from its template: colours, fonts and text styles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..colors import RGB, RGBA, parse_color, readable_on
from ..layout.metrics import outline_width
from ..layout.plan import BOLD, Metrics, TextKind
from ..template import AUTO, GridTemplate
from ..text.fonts import Faces
from ..text.line import TextStyle

Align = Literal["left", "center", "right"]
#: Alignment by kind of text; all others are "left".
TEXT_ALIGN: dict[TextKind, Align] = {
    "row": "right", "row_axis": "right", "column": "center", "column_axis": "center", "mean": "center",
}  # fmt: skip
#: Texts of these kinds step back behind the others.
_MUTED: frozenset[TextKind] = frozenset({"legend", "footer", "row_axis", "column_axis", "scale"})
#: The share of the page's colour in theirs; the contrast to the page stays above 4.5, that of WCAG 2.1 for text.
_MUTING = 0.35
LABEL_ALIGN: dict[str, Align] = {"left": "left", "center": "center", "right": "right"}
#: In other formats a transparent background becomes white.
TRANSPARENT_FORMATS = frozenset({"png", "webp", "tiff", "avif"})
#: Titles, headers and the like may shrink to this share of their size before they are shortened.
PAGE_TEXT_SHRINK = 0.7


@dataclass(frozen=True)
class SheetStyle:
    """Colours and fonts of a sheet. The background is opaque in formats without transparency."""

    template: GridTemplate
    metrics: Metrics
    faces: Faces
    background: RGBA
    text_color: RGB
    label: TextStyle
    #: Style of a label that stands over its picture.
    label_over: TextStyle
    border_color: RGB
    pad_color: RGB

    @property
    def channels(self) -> int:
        """4 with a transparent background, else 3."""
        return 4 if self.background[3] < 255 else 3

    def text_style(self, kind: TextKind, size: int) -> TextStyle:
        """The style of a text outside of the cells at this size."""
        is_header = kind in ("row", "column")
        # headers were given the one size at which they fit
        smallest = size if is_header else max(self.metrics.min_font, round(size * PAGE_TEXT_SHRINK))
        color = self.muted_color if kind in _MUTED else self.text_color
        return TextStyle(
            size=size,
            min_size=max(1, min(size, smallest)),
            fill=color,
            outline=color,
            align=TEXT_ALIGN.get(kind, "left"),
            shorten="middle" if is_header else "end",
        )

    def faces_of(self, kind: TextKind) -> Faces:
        """The faces that draw texts of a kind."""
        return self.faces.bold if kind in BOLD else self.faces

    @property
    def muted_color(self) -> RGB:
        """Between the colour of text and that of the page."""
        red, green, blue = (
            round(ink * (1 - _MUTING) + page * _MUTING)
            for ink, page in zip(self.text_color, on_white(self.background), strict=False)
        )
        return red, green, blue


def make_style(template: GridTemplate, metrics: Metrics, faces: Faces) -> SheetStyle:
    """The style of the template; raises InputError for a colour that cannot be read."""
    background = parse_color(template.background, "background")
    opaque = on_white(background)
    if template.format not in TRANSPARENT_FORMATS:
        background = opaque
    automatic = template.page_text_color.strip().lower() == AUTO
    text_color = readable_on(opaque) if automatic else parse_color(template.page_text_color, "page_text_color")[:3]
    return SheetStyle(
        template=template,
        metrics=metrics,
        faces=faces,
        background=background,
        text_color=text_color,
        label=_label_style(template, metrics, text_color, is_over=False),
        label_over=_label_style(template, metrics, text_color, is_over=True),
        border_color=parse_color(template.border_color, "border_color")[:3],
        pad_color=parse_color(template.pad_color, "pad_color")[:3],
    )


def on_white(color: RGBA) -> RGBA:
    """The opaque colour that this one has on white."""
    red, green, blue = (round((part * color[3] + 255 * (255 - color[3])) / 255) for part in color[:3])
    return red, green, blue, 255


def _label_style(template: GridTemplate, metrics: Metrics, text_color: RGB, *, is_over: bool) -> TextStyle:
    """With an outline over a picture; beside it as the other texts of the sheet."""
    return TextStyle(
        size=metrics.label_font,
        # all labels have one size
        min_size=metrics.label_font,
        fill=parse_color(template.text_color, "text_color")[:3] if is_over else text_color,
        outline=parse_color(template.outline_color, "outline_color")[:3],
        outline_width=outline_width(template, metrics.label_font) if is_over else 0,
        align=LABEL_ALIGN[template.label_align],
        shorten="middle",
    )
