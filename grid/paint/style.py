"""How a sheet looks, resolved from its template: colours as numbers, sizes of text, fonts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..colors import RGB, RGBA, parse_color, readable_on
from ..layout.plan import Metrics, TextKind
from ..template import AUTO, GridTemplate
from ..text.fonts import Faces
from ..text.line import TextStyle

Align = Literal["left", "center", "right"]
ALIGN: dict[TextKind, Align] = {
    "title": "center",
    "header": "center",
    "legend": "left",
    "footer": "center",
    "row": "right",
    "column": "center",
    "mean": "center",
}
LABEL_ALIGN: dict[str, Align] = {"left": "left", "center": "center", "right": "right"}
#: Formats that can say where a page is transparent; in the others such a page is white.
TRANSPARENT_FORMATS = frozenset({"png", "webp", "tiff", "avif"})
#: Page texts may shrink to this share of their size before they are shortened.
PAGE_TEXT_SHRINK = 0.7


@dataclass(frozen=True)
class Look:
    """Colours and fonts of a sheet. The background is opaque where the format knows no transparency."""

    template: GridTemplate
    metrics: Metrics
    faces: Faces
    background: RGBA
    page_text: RGB
    label: TextStyle
    border: RGB
    pad: RGB

    @property
    def channels(self) -> int:
        """4 where the page is transparent and the format can say so, else 3."""
        return 4 if self.background[3] < 255 else 3

    @property
    def over_picture(self) -> bool:
        return self.template.label_position == "over"

    def page_style(self, kind: TextKind, size: int) -> TextStyle:
        """The style of a title, header, legend or footer at this size."""
        smallest = max(1, min(size, max(self.metrics.min_font, round(size * PAGE_TEXT_SHRINK))))
        return TextStyle(
            size=size,
            min_size=smallest,
            fill=self.page_text,
            outline=self.page_text,
            outline_width=0,
            align=ALIGN[kind],
            shorten="middle" if kind in ("row", "column") else "end",
        )


def make_look(template: GridTemplate, metrics: Metrics, faces: Faces) -> Look:
    """The look that the template asks for; raises InputError for a colour that cannot be read."""
    background = parse_color(template.background, "background")
    opaque = on_white(background)
    if template.format not in TRANSPARENT_FORMATS:
        background = opaque
    automatic = template.page_text_color.strip().lower() == AUTO
    page_text = readable_on(opaque) if automatic else parse_color(template.page_text_color, "page_text_color")[:3]
    return Look(
        template=template,
        metrics=metrics,
        faces=faces,
        background=background,
        page_text=page_text,
        label=label_style(template, metrics, page_text),
        border=parse_color(template.border_color, "border_color")[:3],
        pad=parse_color(template.pad_color, "pad_color")[:3],
    )


def on_white(color: RGBA) -> RGBA:
    """The opaque colour that is seen where this one lies on white."""
    red, green, blue = (round((part * color[3] + 255 * (255 - color[3])) / 255) for part in color[:3])
    return red, green, blue, 255


def label_style(template: GridTemplate, metrics: Metrics, page_text: RGB) -> TextStyle:
    """White with an outline over a picture; plain page text in a strip."""
    over = template.label_position == "over"
    width = template.outline_width if template.outline_width >= 0 else max(1, round(metrics.font / 8))
    return TextStyle(
        size=metrics.font,
        min_size=metrics.min_font,
        fill=parse_color(template.text_color, "text_color")[:3] if over else page_text,
        outline=parse_color(template.outline_color, "outline_color")[:3],
        outline_width=width if over else 0,
        align=LABEL_ALIGN[template.label_align],
        shorten="middle",
    )
