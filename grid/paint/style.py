"""The style of a sheet, resolved from its template: colours, fonts and text styles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..colors import RGB, RGBA, parse_color, readable_on
from ..layout.plan import Metrics, TextKind
from ..template import AUTO, GridTemplate
from ..text.fonts import Faces
from ..text.line import TextStyle

Align = Literal["left", "center", "right"]
TEXT_ALIGN: dict[TextKind, Align] = {
    "title": "center",
    "header": "center",
    "legend": "left",
    "footer": "center",
    "row": "right",
    "column": "center",
    "mean": "center",
}
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
    border_color: RGB
    pad_color: RGB

    @property
    def channels(self) -> int:
        """4 with a transparent background, else 3."""
        return 4 if self.background[3] < 255 else 3

    @property
    def label_is_over_picture(self) -> bool:
        return self.template.label_position == "over"

    def text_style(self, kind: TextKind, size: int) -> TextStyle:
        """The style of a text outside of the cells at this size."""
        smallest = max(1, min(size, max(self.metrics.min_font, round(size * PAGE_TEXT_SHRINK))))
        return TextStyle(
            size=size,
            min_size=smallest,
            fill=self.text_color,
            outline=self.text_color,
            align=TEXT_ALIGN[kind],
            shorten="middle" if kind in ("row", "column") else "end",
        )


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
        label=_label_style(template, metrics, text_color),
        border_color=parse_color(template.border_color, "border_color")[:3],
        pad_color=parse_color(template.pad_color, "pad_color")[:3],
    )


def on_white(color: RGBA) -> RGBA:
    """The opaque colour that this one has on white."""
    red, green, blue = (round((part * color[3] + 255 * (255 - color[3])) / 255) for part in color[:3])
    return red, green, blue, 255


def _label_style(template: GridTemplate, metrics: Metrics, text_color: RGB) -> TextStyle:
    """With an outline over a picture; above or below it as the other texts of the sheet."""
    over = template.label_position == "over"
    width = template.outline_width if template.outline_width >= 0 else max(1, round(metrics.font / 8))
    return TextStyle(
        size=metrics.font,
        min_size=metrics.min_font,
        fill=parse_color(template.text_color, "text_color")[:3] if over else text_color,
        outline=parse_color(template.outline_color, "outline_color")[:3],
        outline_width=width if over else 0,
        align=LABEL_ALIGN[template.label_align],
        shorten="middle",
    )
