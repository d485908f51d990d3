"""Writing a planned sheet as one document: what PDF and HTML show of it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO

from ...errors import PictureError
from ..colors import css_color
from ..layout.placing import crop_of
from ..layout.plan import Box, PagePlan, ScaleTexts
from ..paint.badges import fit_badge
from ..paint.render import PaintJob, PlacedText, paint_page, place_label, place_text
from ..planner import PlannedSheet
from ..template import AUTO
from .html import HtmlCell, HtmlSheet, write_html
from .output import Output
from .pdf import PdfPage, PdfText, write_pdf


def write_document(
    file: BinaryIO, planned: PlannedSheet, job: PaintJob, output: Output, name: str, embedded: Mapping[str, str]
) -> None:
    """Write all pages as PDF or HTML, by the template's format.

    name: the title of a sheet without one. embedded: texts to embed, by name.
    """
    title = _for_all_pages(planned.texts.title) or name
    if planned.template.format == "pdf":
        pages = (_pdf_page(page, number, job, output) for number, page in enumerate(planned.plan.pages))
        write_pdf(file, pages, title=title, quality=planned.template.quality, embedded=embedded)
        return
    text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
    write_html(text, _html_sheet(planned, job, title, embedded), _html_cells(planned, job))
    text.flush()
    text.detach()
    if output.on_band:
        # problems of the pictures are known already
        repeated = replace(job, on_picture=lambda: None, failures=[], missing=set())
        for number, page in enumerate(planned.plan.pages):
            for _ in output.observed(number, paint_page(page, repeated)):
                pass


def _for_all_pages(text: str) -> str:
    """The text with its page numbers filled in for a document whose pages are read as one."""
    return text.replace("{page}", "1").replace("{pages}", "1")


def _pdf_page(page: PagePlan, number: int, job: PaintJob, output: Output) -> PdfPage:
    style, cells = job.style, [(cell, cell.index) for cell in page.cells if cell.index is not None]
    texts = [
        _pdf_text(text.text, place_text(text, style), text.box)
        for band in page.bands
        for text in band.texts
        if text.text
    ]
    for cell, index in cells:
        if job.labels[index] and cell.label.width and cell.label.height:
            texts.append(_pdf_text(job.labels[index], place_label(cell, job.labels[index], style), cell.label))
    for cell, index in cells:
        if text := job.badges.text(index):
            block, plate = fit_badge(text, cell, style)
            texts.append(PdfText(text, plate, block.size))
    return PdfPage(page.width, page.height, output.observed(number, paint_page(page, job)), texts)


def _pdf_text(text: str, placed: PlacedText, space: Box) -> PdfText:
    """The whole text where it is seen, also of one that was shortened; in its space where nothing of it fits."""
    return PdfText(text, placed.box if placed.block.width else space, placed.block.size or placed.style.size)


def _html_sheet(planned: PlannedSheet, job: PaintJob, title: str, embedded: Mapping[str, str]) -> HtmlSheet:
    style, texts = job.style, planned.texts
    tables = [page.table for page in planned.plan.pages]
    means = {mean.tint for table in tables for mean in (*table.row_means, *table.column_means) if mean}
    return HtmlSheet(
        title=title,
        header=_for_all_pages(texts.header),
        legend=texts.legend,
        footer=_for_all_pages(texts.footer),
        tables=tables,
        background=css_color(style.background),
        text_color=css_color(style.text_color),
        cell_width=style.metrics.cell[0],
        cell_height=style.metrics.cell[1],
        label_position=planned.template.label_position,
        badge=job.badges.name,
        embedded=embedded,
        tints=means.union(job.badges.tints.values()),
        scale=ScaleTexts(*planned.heat_map.scale_texts()) if planned.heat_map else None,
        follows_scheme=style.background[:3] == (255, 255, 255)
        and planned.template.page_text_color.strip().lower() == AUTO,
    )


def _html_cells(planned: PlannedSheet, job: PaintJob) -> Iterator[HtmlCell]:
    """Each cell with its picture at the size that it has on a painted page."""
    for number, page in enumerate(planned.plan.pages):
        for cell in page.cells:
            index = cell.index
            if index is None:
                yield HtmlCell(number, cell.row, cell.column, problem="no picture")
                continue
            picture, media_type, problem = _encode_picture(job, index, cell.image.width, cell.image.height)
            if problem:
                job.failures.append((index, problem))
            job.on_picture()
            yield HtmlCell(
                page=number,
                row=cell.row,
                column=cell.column,
                picture=picture,
                media_type=media_type,
                width=cell.image.width,
                height=cell.image.height,
                problem=problem,
                label=job.labels[index],
                source=planned.labels[index].source,
                name=job.pictures[index].name,
                values=planned.values[index],
                scores=planned.scores[index],
                badge=job.badges.text(index),
                tint=job.badges.tints.get(index),
                winner=index in job.badges.winners,
            )


def _encode_picture(job: PaintJob, index: int, width: int, height: int) -> tuple[bytes, str, str]:
    """The picture's file and its media type, or else why the picture cannot be decoded."""
    template = job.style.template
    try:
        image = job.pictures[index].load(None)
    except PictureError as error:
        return b"", "", error.reason
    shown = job.resize(image, (width, height), crop_of(image.size, Box(0, 0, width, height), template.fit))
    # Pillow would save the comment of a JPEG again, which may be a prompt
    shown.info = {}
    data = io.BytesIO()
    if shown.mode == "RGBA":
        shown.save(data, "PNG")
        return data.getvalue(), "image/png", ""
    shown.save(data, "JPEG", quality=template.quality)
    return data.getvalue(), "image/jpeg", ""
