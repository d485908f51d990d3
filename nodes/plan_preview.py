"""The layout of a sheet without its pictures: example pictures go through the real planner, and its boxes come out."""

from __future__ import annotations

from typing import Any

from PIL import Image

from ..errors import PictureError
from ..grid.colors import RGBA, css_color
from ..grid.decide import PlannedSheet, Wishes, plan_sheet
from ..grid.labels import ColumnsSource, split_columns
from ..grid.pictures import Picture, Survey
from ..grid.plan import CellPlan, PagePlan, TextPlan
from ..grid.style import make_look
from ..grid.template import AUTO, GridTemplate
from .host import Host
from .plan_requests import PlanRequest

#: Options that ask for something of the pictures which examples have not; none of them moves a box.
_WITHOUT_PICTURES = {
    "sort_by": "given", "badge": "", "winner": "none", "heatmap": "off", "resample": "fast", "frame": 0,
}  # fmt: skip
#: Pages and characters of a text that are sent; the rest is counted, or not seen in a small picture.
MAX_PAGES, MAX_SHOWN = 8, 200
_AXES = ("x_axis", "y_axis", "page_axis")


def preview(request: PlanRequest, host: Host) -> dict[str, Any]:
    """Pages, boxes, texts and colours of the sheet that the request asks for, as JSON values.

    Raises InputError and LimitError as the node itself would.
    """
    wanted = request.chosen(host)
    automatic = {name: "none" for name in _AXES if getattr(wanted, name) in (AUTO, "")}
    template = wanted.with_options({**_WITHOUT_PICTURES, **automatic})
    survey = _examples(request, template)
    planned = plan_sheet(survey, template, Wishes(labels=_labels(request, survey)))
    look = make_look(template, planned.plan.metrics, planned.faces)
    return {
        "pages": [_page(page, planned) for page in planned.plan.pages[:MAX_PAGES]],
        "page_count": len(planned.plan.pages),
        "notes": list(planned.warnings),
        "format": template.format,
        "font_size": planned.plan.metrics.font,
        "label_position": template.label_position,
        "label_align": template.label_align,
        "colors": {
            "page": _css(look.background),
            "text": css_color(look.page_text),
            "label": css_color(look.label.fill),
            "outline": css_color(look.label.outline),
            "border": css_color(look.border),
            "pad": css_color(look.pad) if template.fit == "pad" else "",
        },
        "outline_width": look.label.outline_width,
        "border_width": template.border_width,
    }


def _examples(request: PlanRequest, template: GridTemplate) -> Survey:
    """Pictures of the wanted size, with example values for the axes and label columns that are named."""
    columns = ColumnsSource(split_columns(template.label_columns), template.label_format).wanted()
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


def _labels(request: PlanRequest, survey: Survey) -> list[str]:
    """The given labels, as many as there are examples: their number is none that the user gave."""
    lines = request.label_lines
    names = [picture.name for picture in survey.pictures]
    return lines if len(lines) < 2 else [*lines, *names[len(lines) :]][: request.count]


def _no_pixels(wanted: object) -> Image.Image:
    raise PictureError("example", "an example has no pixels")


def _page(page: PagePlan, planned: PlannedSheet) -> dict[str, Any]:
    return {
        "width": page.width,
        "height": page.height,
        "rows": page.sheet.rows,
        "columns": page.sheet.columns,
        "cells": [_cell(cell, planned) for cell in page.cells if cell.index is not None],
        "texts": [_text(text) for band in page.bands for text in band.texts],
    }


def _cell(cell: CellPlan, planned: PlannedSheet) -> dict[str, Any]:
    boxes = {"box": list(cell.box), "image_box": list(cell.image), "label_box": list(cell.label)}
    return {**boxes, "label": planned.labels[cell.index or 0].text[:MAX_SHOWN]}


def _text(text: TextPlan) -> dict[str, Any]:
    return {"kind": text.kind, "box": list(text.box), "text": text.text[:MAX_SHOWN], "size": text.size}


def _css(color: RGBA) -> str:
    return "transparent" if color[3] == 0 else f"{css_color(color)}{color[3]:02x}"
