"""Painted pages become files: one writer per format, metadata inside, each file whole or not there."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, features

from ...atomic import atomic_file, output_error
from ...errors import InputError, LimitError, OutputError, PictureError
from ...imaging import Pixels
from ..arrange.tables import PageTable
from ..colors import css_color
from ..layout.placing import crop_of
from ..layout.plan import Box, CellPlan, GridPlan, PagePlan, SheetTexts
from ..paint.plates import fit_badge
from ..paint.render import Scene, index_of, paint_page
from ..pictures.clip_grid_sheets import RECORD_KEY, SOFTWARE, is_clip_grid_sheet
from .embed import JPEG_EXIF_LIMIT, exif_bytes, fitting_exif_texts, fitting_png_texts, sheet_record
from .html import HtmlCell, HtmlPage, HtmlSheet, write_html
from .pdf import PdfPage, PdfText, write_pdf
from .png import write_png
from .tiff import write_tiff

SUFFIX = {
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
    "avif": ".avif",
    "tiff": ".tiff",
    "pdf": ".pdf",
    "html": ".html",
}
#: Formats by the ending of a file's name.
FORMAT_OF = {suffix: name for name, suffix in SUFFIX.items()} | {".jpeg": "jpeg", ".tif": "tiff", ".htm": "html"}
#: These formats hold all pages in one file.
ONE_FILE = frozenset({"pdf", "html"})


@dataclass(frozen=True)
class Output:
    """Where a sheet goes: (page, pages) -> path, and the texts that are embedded (workflow, prompt, ...)."""

    path_of: Callable[[int, int], Path]
    texts: Mapping[str, str] = field(default_factory=dict)
    #: Whether a file that is not one of our sheets may be replaced.
    replace: bool = False
    #: Sees every painted band, as (page number, band); for HTML, which is not painted, the pages are painted for it.
    tap: Callable[[int, Pixels], None] | None = None


@dataclass(frozen=True)
class SheetJob:
    """A plan, what it is painted from, and the values that HTML shows with each cell."""

    plan: GridPlan
    scene: Scene
    texts: SheetTexts
    values: Sequence[Mapping[str, str]]
    scores: Sequence[Mapping[str, float]]
    sources: Sequence[str]


def write_sheet(job: SheetJob, output: Output) -> tuple[list[Path], list[str]]:
    """Write all pages; answers the file of each page, and warnings about what could not be embedded.

    Raises OutputError when a file cannot be written, or when one that is not a sheet of ours is in the way, and
    LimitError when the memory does not hold what is painted at a time.
    """
    format = job.scene.look.template.format
    check_format(format)
    count = len(job.plan.pages)
    paths = [output.path_of(page, count) for page in range(1 if format in ONE_FILE else count)]
    if not output.replace:
        for path in paths:
            _refuse_foreign(path)
    try:
        if format in ONE_FILE:
            _write_document(job, output, paths[0])
            return paths * count, []
        return paths, _write_pages(job, output, paths)
    except MemoryError as error:
        raise LimitError("the sheet needs more memory than there is; choose smaller cells or fewer columns") from error


def _write_pages(job: SheetJob, output: Output, paths: Sequence[Path]) -> list[str]:
    """One file per page; answers warnings. Whatever stops it takes the pages that were written with it."""
    warnings: list[str] = []
    done: list[Path] = []
    try:
        for number, (page, path) in enumerate(zip(job.plan.pages, paths, strict=True)):
            texts = {**output.texts, RECORD_KEY: _record(job, page, number)}
            with atomic_file(path) as file:
                warnings += _write_page(file, page, job.scene, texts, _painted(job, number, output.tap))
            done.append(path)
    except BaseException:
        for path in done:
            path.unlink(missing_ok=True)
        raise
    return list(dict.fromkeys(warnings))


def _painted(job: SheetJob, number: int, tap: Callable[[int, Pixels], None] | None) -> Iterator[Pixels]:
    for band in paint_page(job.plan.pages[number], job.scene):
        if tap:
            tap(number, band)
        yield band


def check_format(format: str) -> None:
    """Raises InputError when this Pillow was built without the format."""
    if format in ("webp", "avif") and not features.check(format):
        raise InputError(f"this Pillow cannot write {format}; install a newer Pillow or choose png, jpeg or tiff")


def _refuse_foreign(path: Path) -> None:
    """A file that is not a sheet of ours is never replaced unasked: it may be somebody's picture."""
    if not os.path.exists(path):
        return
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file in it")
    if not is_clip_grid_sheet(path):
        raise OutputError(
            f"{path} exists and is not a sheet of this program; choose another name, or allow overwriting"
        )


def _record(job: SheetJob, page: PagePlan, number: int) -> str:
    labels = dict(enumerate(job.scene.labels))
    return sheet_record(job.scene.look.template, page, number, len(job.plan.pages), labels)


def _write_page(
    file: BinaryIO, page: PagePlan, scene: Scene, texts: Mapping[str, str], bands: Iterator[Pixels]
) -> list[str]:
    """One page in one of the picture formats; answers warnings."""
    template, channels = scene.look.template, scene.look.channels
    if template.format == "png":
        kept, warnings = fitting_png_texts({**texts, "Software": SOFTWARE})
        write_png(file, page.width, page.height, bands, channels=channels, texts=kept)
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
    """The page in memory, for formats whose encoders want all of it; limits.Limits keeps it small enough."""
    pixels = np.empty((page.height, page.width, channels), np.uint8)
    top = 0
    for band in bands:
        pixels[top : top + len(band)] = band
        top += len(band)
    return Image.fromarray(pixels)


def _write_document(job: SheetJob, output: Output, path: Path) -> None:
    title = _as_one_page(job.texts.title) or path.stem
    # one record for the whole document: its cells are those of the first page
    embedded = {**output.texts, RECORD_KEY: _record(job, job.plan.pages[0], 0)}
    try:
        with atomic_file(path) as file:
            if job.scene.look.template.format == "pdf":
                pages = (_pdf_page(job, number, output) for number in range(len(job.plan.pages)))
                write_pdf(file, pages, title=title, quality=job.scene.look.template.quality, embedded=embedded)
            else:
                text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
                write_html(text, _html_sheet(job, title, embedded), _html_cells(job))
                text.flush()
                text.detach()
                _paint_for_tap(job, output)
    except OSError as error:
        raise output_error(path, error) from error


def _as_one_page(text: str) -> str:
    """The text with its page numbers filled in for a document whose pages are read as one."""
    return text.replace("{page}", "1").replace("{pages}", "1")


def _paint_for_tap(job: SheetJob, output: Output) -> None:
    """Paint the pages of an HTML sheet for the tap alone; what goes wrong with a picture is known already."""
    if output.tap is None:
        return
    scene = replace(job.scene, done=lambda: None, failures=[], missing=set())
    for number in range(len(job.plan.pages)):
        for _ in _painted(replace(job, scene=scene), number, output.tap):
            pass


def _pdf_page(job: SheetJob, number: int, output: Output) -> PdfPage:
    page = job.plan.pages[number]

    def texts() -> list[PdfText]:
        blocks = [PdfText(text.text, text.box, text.size) for band in page.bands for text in band.texts]
        size = job.scene.look.metrics.font
        labels = [(job.scene.labels[cell.index], cell.label) for cell in page.cells if cell.index is not None]
        blocks += [PdfText(label, box, size) for label, box in labels if label and box.width and box.height]
        return blocks + [_pdf_badge(job.scene, cell) for cell in page.cells if cell.index in job.scene.badges.texts]

    return PdfPage(page.width, page.height, _painted(job, number, output.tap), texts)


def _pdf_badge(scene: Scene, cell: CellPlan) -> PdfText:
    text = scene.badges.texts[index_of(cell)]
    block, plate = fit_badge(text, cell.area, scene.look)
    return PdfText(text, plate, block.size)


def _html_sheet(job: SheetJob, title: str, embedded: Mapping[str, str]) -> HtmlSheet:
    look = job.scene.look
    pages = tuple(_html_page(page.table) for page in job.plan.pages)
    means = {mean.tint for page in pages for mean in (*page.row_means, *page.column_means) if mean}
    return HtmlSheet(
        title=title,
        header=_as_one_page(job.texts.header),
        legend=job.texts.legend,
        footer=_as_one_page(job.texts.footer),
        pages=pages,
        background=css_color(look.background),
        text_color=css_color(look.page_text),
        cell_width=look.metrics.cell[0],
        cell_height=look.metrics.cell[1],
        label_position=look.template.label_position,
        badge=job.scene.badges.name,
        embedded=embedded,
        tints=means.union(job.scene.badges.tints.values()),
    )


def _html_page(sheet: PageTable) -> HtmlPage:
    return HtmlPage(
        rows=sheet.rows,
        columns=sheet.columns,
        row_headers=sheet.row_headers,
        column_headers=sheet.column_headers,
        title=sheet.page_value or "",
        row_means=sheet.row_means,
        column_means=sheet.column_means,
    )


def _html_cells(job: SheetJob) -> Iterator[tuple[HtmlCell, bytes, str]]:
    """Each cell with its picture, encoded at the size at which the sheet would show it."""
    for number, page in enumerate(job.plan.pages):
        for cell in page.cells:
            if cell.index is None:
                yield (
                    HtmlCell(number, cell.row, cell.column, "", "", "none", {}, {}, 0, 0, problem="no picture"),
                    b"",
                    "",
                )
                continue
            index, scene = cell.index, job.scene
            data, mime, problem = _encoded(scene, index, cell.image.width, cell.image.height)
            if problem:
                scene.failures.append((index, problem))
            scene.done()
            yield (
                HtmlCell(
                    page=number,
                    row=cell.row,
                    column=cell.column,
                    label=scene.labels[index],
                    name=scene.pictures[index].name,
                    source=job.sources[index],
                    values=job.values[index],
                    scores=job.scores[index],
                    width=cell.image.width,
                    height=cell.image.height,
                    badge=scene.badges.texts.get(index, ""),
                    tint=scene.badges.tints.get(index),
                    winner=index in scene.badges.winners,
                    problem=problem,
                ),
                data,
                mime,
            )


def _encoded(scene: Scene, index: int, width: int, height: int) -> tuple[bytes, str, str]:
    """Picture data, its type, and why there is none."""
    template = scene.look.template
    try:
        image = scene.pictures[index].load(None)
    except PictureError as error:
        return b"", "", error.reason
    size = (width, height)
    shown = scene.resize(image, size, crop_of(image.size, Box(0, 0, *size), template.fit))
    transparent = shown.mode == "RGBA"
    data = io.BytesIO()
    shown.save(data, "PNG" if transparent else "JPEG", **({} if transparent else {"quality": template.quality}))
    return data.getvalue(), "image/png" if transparent else "image/jpeg", ""
