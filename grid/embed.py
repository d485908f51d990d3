"""Texts that travel inside a sheet: workflow, prompt and our own record, in each format's way, inside its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

from ..options import options_of
from .pictures import RECORD_KEY, SOFTWARE
from .plan import PagePlan
from .template import GridTemplate

#: Pillow refuses to open a PNG with a longer text, or with more of them in all.
PNG_TEXT_LIMIT = 1_048_576
PNG_TEXTS_LIMIT = 64 * PNG_TEXT_LIMIT
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
    grid = f"{page.sheet.rows}x{page.sheet.columns}"
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
    for key, text in texts.items():
        size = len(text.encode("utf-8"))
        if size >= PNG_TEXT_LIMIT or size + sum(map(len, kept.values())) >= PNG_TEXTS_LIMIT:
            warnings.append(f"{key} is not in the picture: {size} bytes are more than PNG readers accept")
        else:
            kept[key] = text
    return kept, warnings


def exif_texts(texts: Mapping[str, str]) -> dict[int, str]:
    """EXIF tags as ComfyUI writes them: prompt in Model, every other text from Make downward, as ``key:text``."""
    tags = {int(ExifTags.Base.Software): SOFTWARE}
    free = iter(range(int(ExifTags.Base.Make), 0x0100, -1))
    for key, text in texts.items():
        tags[int(ExifTags.Base.Model) if key == "prompt" else next(free)] = f"{key}:{_ascii(text)}"
    return tags


def exif_bytes(texts: Mapping[str, str], limit: int | None) -> tuple[bytes, list[str]]:
    """An EXIF block of at most ``limit`` bytes, and a warning for each text that had to stay out of it.

    The longest text goes first; the record by which we know our sheets goes last.
    """
    kept = dict(texts)
    warnings: list[str] = []
    while True:
        exif = Image.Exif()
        for tag, text in exif_texts(kept).items():
            exif[tag] = text
        block = exif.tobytes()
        if limit is None or len(block) <= limit or not kept:
            return block, warnings
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
