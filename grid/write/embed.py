"""Texts embedded in a sheet: workflow, prompt and the sheet's own record, within the limits of each format."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import MAX_TEXT_MEMORY

from ...errors import InputError, LimitError
from ...json_text import JsonError, parse_json
from ...options import options_of
from ..pictures.find import readable
from ..pictures.own import RECORD_KEY, SOFTWARE
from ..planner import PlannedSheet
from ..template import GridTemplate
from .png import LONGEST_TEXT_BYTES, text_bytes

#: The tags of a TIFF below this one hold numbers.
LOWEST_TEXT_TAG = 267
#: One JPEG segment holds 65,533 bytes, of which EXIF's own header takes six.
JPEG_EXIF_LIMIT = 65_527
#: The record lists the cells if it has at most so many characters with them.
RECORD_LIMIT = 400_000
#: It must fit into a JPEG, where a sheet without it would not be known as one.
JPEG_RECORD_LIMIT = 40_000


def sheet_record(planned: PlannedSheet, number: int) -> str:
    """The record of a page as JSON in ASCII, by which it is recognised as a sheet and can be cut into its pictures.

    number: of the page, from 0. The cells, and then the options, are left out when they would make it longer than
    RECORD_LIMIT, or JPEG_RECORD_LIMIT; the sidecar file always has the cells.
    """
    template, page = planned.template, planned.plan.pages[number]
    defaults = {name: o.default for name, o in options_of(GridTemplate).items()}
    chosen = {name: getattr(template, name) for name in defaults if getattr(template, name) != defaults[name]}
    if "font" in chosen:
        # where fonts are is of no use elsewhere, and may name the user
        chosen["font"] = re.split(r"[\\/]", str(chosen["font"]))[-1]
    grid = f"{page.table.rows}x{page.table.columns}"
    pages = len(planned.plan.pages)
    record: dict[str, Any] = {"format": 1, "page": number, "pages": pages, "grid": grid, "options": chosen}
    cells = [
        {"row": c.row, "column": c.column, "box": c.box, "image_box": c.image, "label": planned.labels[c.index].text}
        for c in page.cells
        if c.index is not None
    ]
    limit = JPEG_RECORD_LIMIT if template.format == "jpeg" else RECORD_LIMIT
    forms = (record | {"cells": cells}, record, record | {"options": {}})
    return next((text for text in map(json.dumps, forms) if len(text) <= limit), json.dumps(forms[-1]))


def usable_texts(texts: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The texts whose names and letters every format can hold, and a warning for each that is left out."""
    usable: dict[str, str] = {}
    warnings: list[str] = []
    for key, text in texts.items():
        try:
            text_bytes(key, text)
        except InputError as error:
            warnings.append(f"{readable(key)[:80]!r} is not in the sheet: {error}")
        except LimitError:
            # each format says for itself what is too long
            usable[key] = text
        else:
            usable[key] = text
    return usable, warnings


def fitting_png_texts(texts: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The texts that PNG readers accept, and a warning for each that is too long."""
    fitting: dict[str, str] = {}
    warnings: list[str] = []
    total = 0
    for key, text in texts.items():
        size = len(text.encode("utf-8"))
        if size > LONGEST_TEXT_BYTES or total + size >= MAX_TEXT_MEMORY:
            warnings.append(f"{key} is not in the picture: {size} bytes are more than PNG readers accept")
        else:
            fitting[key] = text
            total += size
    return fitting, warnings


def fitting_exif_texts(texts: Mapping[str, str]) -> tuple[dict[int, str], list[str]]:
    """EXIF tags as ComfyUI writes them, and a warning for each text for which no tag is left.

    Each text is written as ``key:text``: ``prompt`` into Model, the record and then the others into Make and below.
    """
    tags = {int(ExifTags.Base.Software): SOFTWARE}
    free = list(range(int(ExifTags.Base.Make), LOWEST_TEXT_TAG - 1, -1))
    warnings: list[str] = []
    for key in sorted(texts, key=lambda key: key != RECORD_KEY):
        if key == "prompt":
            tags[int(ExifTags.Base.Model)] = f"{key}:{_ascii(texts[key])}"
        elif free:
            tags[free.pop(0)] = f"{key}:{_ascii(texts[key])}"
        else:
            warnings.append(f"{key} is not in the picture: EXIF has no place for more than five texts")
    return tags, warnings


def exif_bytes(texts: Mapping[str, str], limit: int | None) -> tuple[bytes, list[str]]:
    """An EXIF block of at most ``limit`` bytes, and a warning for each text that is left out for it.

    The longest texts are left out first, the record last.
    """
    remaining = dict(texts)
    warnings: list[str] = []
    while True:
        exif = Image.Exif()
        tags, left_out = fitting_exif_texts(remaining)
        for tag, text in tags.items():
            exif[tag] = text
        block = exif.tobytes()
        if limit is None or len(block) <= limit or not remaining:
            return block, warnings + left_out
        longest = max(remaining, key=lambda key: (key != RECORD_KEY, len(remaining[key])))
        warnings.append(
            f"{longest} is not in the picture: {len(remaining.pop(longest))} characters are more than JPEG holds"
        )


def _ascii(text: str) -> str:
    """The text in ASCII, as EXIF needs it: other characters are escaped in JSON and become ? in other texts."""
    if text.isascii():
        return text
    try:
        return json.dumps(parse_json(text))
    except JsonError:
        return text.encode("ascii", "replace").decode("ascii")
