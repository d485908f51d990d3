"""Texts that travel inside a sheet: workflow, prompt and our own record, in each format's way, inside its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import MAX_TEXT_MEMORY

from ...options import options_of
from ..layout.plan import PagePlan
from ..pictures.clip_grid_sheets import RECORD_KEY, SOFTWARE
from ..template import GridTemplate
from .png import LONGEST_TEXT_BYTES

#: In place of these tags of a TIFF stand numbers; the texts take the tags above them.
LAST_TEXT_TAG = 267
#: One JPEG segment holds 65,533 bytes, of which EXIF's own header takes six.
JPEG_EXIF_LIMIT = 65_527
#: The record lists the cells as long as it stays below this many characters.
RECORD_LIMIT = 400_000


def sheet_record(template: GridTemplate, page: PagePlan, number: int, pages: int, labels: Mapping[int, str]) -> str:
    """Our own record as JSON of ASCII: by it a sheet is known again and can be cut into its tiles.

    The cells are left out when they would make it longer than RECORD_LIMIT; the sidecar file has them all.
    """
    defaults = {name: o.default for name, o in options_of(GridTemplate).items()}
    chosen = {name: getattr(template, name) for name in defaults if getattr(template, name) != defaults[name]}
    grid = f"{page.table.rows}x{page.table.columns}"
    record: dict[str, Any] = {"format": 1, "page": number, "pages": pages, "grid": grid, "options": chosen}
    cells = [
        {"row": c.row, "column": c.column, "box": c.box, "image_box": c.image, "label": labels[c.index]}
        for c in page.cells
        if c.index is not None
    ]
    full = json.dumps(record | {"cells": cells})
    return full if len(full) <= RECORD_LIMIT else json.dumps(record)


def fitting_png_texts(texts: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The texts that a PNG reader accepts, and a warning for each that is too long."""
    kept: dict[str, str] = {}
    warnings: list[str] = []
    total = 0
    for key, text in texts.items():
        size = len(text.encode("utf-8"))
        if size > LONGEST_TEXT_BYTES or total + size >= MAX_TEXT_MEMORY:
            warnings.append(f"{key} is not in the picture: {size} bytes are more than PNG readers accept")
        else:
            kept[key] = text
            total += size
    return kept, warnings


def fitting_exif_texts(texts: Mapping[str, str]) -> tuple[dict[int, str], list[str]]:
    """EXIF tags as ComfyUI writes them, and a warning for each text for which no tag is left.

    ``prompt`` goes into Model and every other text into Make and the tags below it, as ``key:text``, our record first.
    """
    tags = {int(ExifTags.Base.Software): SOFTWARE}
    free = list(range(int(ExifTags.Base.Make), LAST_TEXT_TAG - 1, -1))
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
    """An EXIF block of at most ``limit`` bytes, and a warning for each text that had to stay out of it.

    The longest text goes first; the record by which we know our sheets goes last.
    """
    kept = dict(texts)
    warnings: list[str] = []
    while True:
        exif = Image.Exif()
        tags, left_out = fitting_exif_texts(kept)
        for tag, text in tags.items():
            exif[tag] = text
        block = exif.tobytes()
        if limit is None or len(block) <= limit or not kept:
            return block, warnings + left_out
        longest = max(kept, key=lambda key: (key != RECORD_KEY, len(kept[key])))
        warnings.append(
            f"{longest} is not in the picture: {len(kept.pop(longest))} characters are more than JPEG holds"
        )


def _ascii(text: str) -> str:
    """JSON with everything beyond ASCII escaped, since EXIF texts are ASCII; in other text such characters become ?."""
    if text.isascii():
        return text
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return text.encode("ascii", "replace").decode("ascii")
