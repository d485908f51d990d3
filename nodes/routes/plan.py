"""The layout of a sheet as JSON, for the preview in the browser: example images stand for the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from ...errors import InputError, PictureError
from ...grid.colors import RGBA, css_color
from ...grid.labels.sources import ColumnsSource
from ...grid.layout.plan import BOLD, CellPlan, PagePlan, TextPlan
from ...grid.paint.style import SheetStyle, make_style
from ...grid.pictures.survey import Picture, Survey
from ...grid.planner import PlanInputs, PlannedSheet, plan_sheet
from ...grid.template import AUTO, GridTemplate, split_columns, split_headers
from ...json_text import FINITE, JsonError, parse_json
from ...options import check
from ..host.host import Host
from ..sheets.inputs import NO_TEMPLATE
from ..sheets.request import choose_template
from ..sockets.inputs import label_texts

#: Limits that keep a request fast: bytes of its body, images, pixels of a side, and characters of each text that is on
#: every page.
MAX_BODY, MAX_COUNT, MAX_SIDE, MAX_TEXT = 64 * 1024, 2000, 16_384, 2000
_PAGE_TEXTS = ("title", "header", "footer", "label_format", "label_columns")
#: Pages, and characters of each text, in an answer.
MAX_PAGES, MAX_SHOWN = 8, 200
#: Options that need what example images do not have; none of them moves a box.
_WITHOUT_PICTURES = {
    "sort_by": "given", "badge": "", "winner": "none", "heatmap": "off", "resample": "fast", "frame": 0,
}  # fmt: skip
_AXES = ("x_axis", "y_axis", "page_axis")


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """A template, options over it, and the number and size of the images; raises InputError for wrong types."""

    #: The name of a template, the options of a linked template, or None.
    template: str | Mapping[str, object] | None = None
    #: The values of widgets; an option at its default does not count.
    options: Mapping[str, object] = field(default_factory=dict)
    count: int = 12
    width: int = 512
    height: int = 512
    #: The text of the labels input.
    labels: str = ""

    @classmethod
    def from_json(cls, body: bytes) -> PlanRequest:
        """Raises InputError for a body that is too long, or is not a JSON object of the fields above."""
        if len(body) > MAX_BODY:
            raise InputError(f"the request has {len(body)} bytes; at most {MAX_BODY} are read")
        try:
            data = parse_json(body, FINITE)
        except JsonError as error:
            raise InputError(f"the request is not JSON ({error})") from error
        if not isinstance(data, dict):
            raise InputError("the request is no JSON object")
        for name in data:
            if name not in cls.__dataclass_fields__:
                raise InputError(f"the request has the field {name!r}; known are {', '.join(cls.__dataclass_fields__)}")
        return cls(**data)

    def __post_init__(self) -> None:
        if not (self.template is None or isinstance(self.template, (str, Mapping))):
            raise InputError("template must be a name, an object of options, or null")
        if not isinstance(self.options, Mapping) or not isinstance(self.labels, str):
            raise InputError("options must be an object, and labels a text")
        linked = self.template if isinstance(self.template, Mapping) else {}
        for name, value in (*self.options.items(), *linked.items()):
            if not isinstance(value, (str, int, float)):
                raise InputError(f"{name} is a {type(value).__name__}; it must be a text, a number, or true or false")
        for name, most in (("count", MAX_COUNT), ("width", MAX_SIDE), ("height", MAX_SIDE)):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= most:
                shown = repr(value)
                shown = shown if len(shown) <= 40 else f"{shown[:40]}…"
                raise InputError(f"{name} is {shown}; it must be a whole number from 1 to {most}")


def preview(request: PlanRequest, host: Host) -> dict[str, Any]:
    """Pages, boxes, texts and colours of the sheet as JSON values.

    Raises InputError and LimitError as the node would, and InputError for texts that are too long for a preview.
    """
    template = _template(request, host)
    survey = _examples(request, template)
    planned = plan_sheet(survey, template, PlanInputs(labels=_labels(request, survey)))
    style = make_style(template, planned.plan.metrics, planned.faces)
    label = style.label_over if template.label_position == "over" else style.label
    return {
        "pages": [_page(page, planned, style) for page in planned.plan.pages[:MAX_PAGES]],
        "page_count": len(planned.plan.pages),
        "notes": list(planned.warnings),
        "format": template.format,
        "font_size": planned.plan.metrics.label_font,
        "label_position": template.label_position,
        "label_align": template.label_align,
        "colors": {
            "page": _css(style.background),
            "text": css_color(style.text_color),
            "label": css_color(label.fill),
            "outline": css_color(label.outline),
            "border": css_color(style.border_color),
            "pad": css_color(style.pad_color) if template.fit == "pad" else "",
        },
        "outline_width": label.outline_width,
        "border_width": template.border_width,
    }


def _template(request: PlanRequest, host: Host) -> GridTemplate:
    """The template that the node would use, without what needs real images."""
    options = {name: [value] for name, value in check(GridTemplate, request.options).items()}
    template = choose_template({**options, "template": [request.template or NO_TEMPLATE]}, host)
    for name in _PAGE_TEXTS:
        if len(getattr(template, name)) > MAX_TEXT:
            raise InputError(f"{name} is longer than {MAX_TEXT} characters, too long for a preview")
    for name in ("row_headers", "column_headers"):
        if len(split_headers(getattr(template, name))) > MAX_COUNT:
            raise InputError(f"{name} has more than {MAX_COUNT} headers, too many for a preview")
    automatic = {name: "none" for name in _AXES if getattr(template, name) in (AUTO, "")}
    return template.with_options({**_WITHOUT_PICTURES, **automatic})


def _examples(request: PlanRequest, template: GridTemplate) -> Survey:
    """Images of the requested size, with example values for the axes and label columns that the template names."""
    columns = ColumnsSource(split_columns(template.label_columns), template.label_format).named_columns()
    x, y, page = (getattr(template, name) for name in _AXES)
    wide = template.columns or max(1, round(request.count**0.5))

    def picture(place: int) -> Picture:
        values = {name: f"{name} {place + 1}" for name in columns}
        values |= {name: f"{place + 1}" for name in (page, y, x) if name != "none"}
        if x != "none" and y != "none":
            values |= {x: f"{place % wide + 1}", y: f"{place // wide + 1}"}
        if page != "none" and (x, y) != ("none", "none"):
            values |= {page: "1"}
        return Picture(f"picture {place + 1}", (request.width, request.height), _no_pixels, values=values)

    return Survey(tuple(picture(place) for place in range(request.count)))


def _no_pixels(size: object) -> Image.Image:
    raise PictureError("example", "an example has no pixels")


def _labels(request: PlanRequest, survey: Survey) -> list[str]:
    """The labels, filled up or cut to the number of examples, which is not the user's number of images."""
    lines = label_texts({"labels": [request.labels]})
    names = [picture.name for picture in survey.pictures]
    return lines if len(lines) < 2 else [*lines, *names[len(lines) :]][: request.count]


def _page(page: PagePlan, planned: PlannedSheet, style: SheetStyle) -> dict[str, Any]:
    return {
        "width": page.width,
        "height": page.height,
        "rows": page.table.rows,
        "columns": page.table.columns,
        "cells": [_cell(cell, planned) for cell in page.cells if cell.index is not None],
        "texts": [_text(text, style) for band in page.bands for text in band.texts],
    }


def _text(text: TextPlan, style: SheetStyle) -> dict[str, Any]:
    shown = style.text_style(text.kind, text.size)
    return {
        "kind": text.kind,
        "box": list(text.box),
        "text": text.text[:MAX_SHOWN],
        "size": text.size,
        "side": shown.align,
        "color": css_color(shown.fill),
        "bold": text.kind in BOLD,
    }


def _cell(cell: CellPlan, planned: PlannedSheet) -> dict[str, Any]:
    boxes = {"box": cell.box, "area": cell.area, "image_box": cell.image, "label_box": cell.label}
    return {
        **{name: list(box) for name, box in boxes.items()},
        "label": planned.texts.labels[cell.index or 0][:MAX_SHOWN],
    }


def _css(color: RGBA) -> str:
    return "transparent" if color[3] == 0 else f"{css_color(color)}{color[3]:02x}"
