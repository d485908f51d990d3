"""Writing a planned sheet: one file per page, or one document of all."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from ...arrays import Pixels
from ...atomic import FileSet
from ...errors import LimitError
from ..layout.plan import PagePlan
from ..paint.render import PaintJob, paint_page
from ..paint.style import SheetStyle
from ..pictures.own import RECORD_KEY, SOFTWARE
from ..planner import PlannedSheet
from .documents import write_document
from .embed import JPEG_EXIF_LIMIT, exif_bytes, fitting_exif_texts, fitting_png_texts, sheet_record, usable_texts
from .output import ONE_FILE, Output
from .png import write_png
from .tiff import write_tiff


def write_sheet(
    planned: PlannedSheet, job: PaintJob, output: Output, paths: Sequence[Path], files: FileSet
) -> list[str]:
    """Paint all pages and write them into ``files``. Returns warnings about texts that could not be embedded.

    paths: one for each page, or one for all in the formats that hold all. Raises OutputError when a file cannot be
    written, and LimitError when there is too little memory.
    """
    texts, warnings = usable_texts(output.texts)
    try:
        if planned.template.format in ONE_FILE:
            # one record for the whole document: its cells are those of the first page
            embedded = {**texts, RECORD_KEY: sheet_record(planned, 0)}
            with files.open(paths[0]) as file:
                write_document(file, planned, job, output, paths[0].stem, embedded)
            return warnings
        for number, (page, path) in enumerate(zip(planned.plan.pages, paths, strict=True)):
            embedded = {**texts, RECORD_KEY: sheet_record(planned, number)}
            bands = output.observed(number, paint_page(page, job))
            with files.open(path) as file:
                warnings += _write_page(file, page, job.style, embedded, bands)
        return list(dict.fromkeys(warnings))
    except MemoryError as error:
        raise LimitError("the sheet needs more memory than there is; choose smaller cells or fewer columns") from error


def _write_page(
    file: BinaryIO, page: PagePlan, style: SheetStyle, texts: Mapping[str, str], bands: Iterator[Pixels]
) -> list[str]:
    """Write one page in one of the picture formats and return warnings."""
    template, channels = style.template, style.channels
    if template.format == "png":
        fitting, warnings = fitting_png_texts({**texts, "Software": SOFTWARE})
        write_png(file, page.width, page.height, bands, channels=channels, texts=fitting)
        return warnings
    if template.format == "tiff":
        tags, warnings = fitting_exif_texts(texts)
        write_tiff(file, page.width, page.height, bands, channels=channels, tags=tags)
        return warnings
    exif, warnings = exif_bytes(texts, JPEG_EXIF_LIMIT if template.format == "jpeg" else None)
    image = _whole_page(page, channels, bands)
    options = {"jpeg": {"subsampling": 0}, "webp": {"method": 4}, "avif": {"speed": 8}}[template.format]
    # not into the file itself: Pillow's JPEG encoder does not notice that a full disk took but a part of the last bytes
    encoded = io.BytesIO()
    try:
        image.save(encoded, template.format.upper(), quality=template.quality, exif=exif, **options)
    except ValueError as error:
        raise LimitError(
            f"the page of {page.width} x {page.height} pixels is refused by {template.format}: {error}"
        ) from error
    file.write(encoded.getbuffer())
    return warnings


def _whole_page(page: PagePlan, channels: int, bands: Iterable[Pixels]) -> Image.Image:
    """The page in memory, for formats whose encoders need all of it; the layout's Limits keep it small enough."""
    pixels = np.empty((page.height, page.width, channels), np.uint8)
    top = 0
    for band in bands:
        pixels[top : top + len(band)] = band
        top += len(band)
    return Image.fromarray(pixels)
