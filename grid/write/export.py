"""Writing a planned sheet: one file per page or one document, each file complete or not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from ...atomic import atomic_file, output_error
from ...errors import LimitError
from ...imaging import Pixels
from ..layout.plan import PagePlan
from ..paint.render import PaintJob, paint_page
from ..paint.style import SheetStyle
from ..pictures.find import RECORD_KEY, SOFTWARE
from ..planner import PlannedSheet
from .documents import write_document
from .embed import JPEG_EXIF_LIMIT, exif_bytes, fitting_exif_texts, fitting_png_texts, sheet_record
from .output import ONE_FILE, Output, check_format, check_replaceable
from .png import write_png
from .tiff import write_tiff


def write_sheet(planned: PlannedSheet, job: PaintJob, output: Output) -> tuple[list[Path], list[str]]:
    """Paint and write all pages. Returns the file of each page, and warnings about texts that could not be embedded.

    Raises OutputError when a file cannot be written, or when one that is not a sheet of this program is in the way, and
    LimitError when there is too little memory. No file of the sheet is left then.
    """
    format, count = planned.template.format, len(planned.plan.pages)
    check_format(format)
    paths = [output.path_of(page, count) for page in range(1 if format in ONE_FILE else count)]
    if not output.replace:
        for path in paths:
            check_replaceable(path)
    try:
        if format in ONE_FILE:
            _write_one_file(planned, job, output, paths[0])
            return paths * count, []
        return paths, _write_pages(planned, job, output, paths)
    except MemoryError as error:
        raise LimitError("the sheet needs more memory than there is; choose smaller cells or fewer columns") from error


def _write_one_file(planned: PlannedSheet, job: PaintJob, output: Output, path: Path) -> None:
    # one record for the whole document: its cells are those of the first page
    embedded = {**output.texts, RECORD_KEY: sheet_record(planned, 0)}
    try:
        with atomic_file(path) as file:
            write_document(file, planned, job, output, path.stem, embedded)
    except OSError as error:
        raise output_error(path, error) from error


def _write_pages(planned: PlannedSheet, job: PaintJob, output: Output, paths: Sequence[Path]) -> list[str]:
    """Write one file per page and return warnings; if anything fails, the files that were written are removed."""
    warnings: list[str] = []
    written: list[Path] = []
    try:
        for number, (page, path) in enumerate(zip(planned.plan.pages, paths, strict=True)):
            texts = {**output.texts, RECORD_KEY: sheet_record(planned, number)}
            bands = output.observed(number, paint_page(page, job))
            with atomic_file(path) as file:
                warnings += _write_page(file, page, job.style, texts, bands)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return list(dict.fromkeys(warnings))


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
    try:
        image.save(file, template.format.upper(), quality=template.quality, exif=exif, **options)
    except ValueError as error:
        raise LimitError(
            f"the page of {page.width} x {page.height} pixels is refused by {template.format}: {error}"
        ) from error
    return warnings


def _whole_page(page: PagePlan, channels: int, bands: Iterable[Pixels]) -> Image.Image:
    """The page in memory, for formats whose encoders need all of it; the layout's Limits keep it small enough."""
    pixels = np.empty((page.height, page.width, channels), np.uint8)
    top = 0
    for band in bands:
        pixels[top : top + len(band)] = band
        top += len(band)
    return Image.fromarray(pixels)
