"""Writing pages as PDF: each is a JPEG under invisible text that can be selected and searched.

The font of the text is made for the file: it has every character in use, as a glyph without area.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ...arrays import Pixels
from ...atomic import temporary_folder
from ...errors import LimitError, MissingPackage
from ...json_text import JsonError, parse_json
from ..layout.plan import Box
from . import jpeg

if TYPE_CHECKING:
    from fpdf import FPDF
    from fpdf.output import OutputProducer

#: Points (1/72 inch) per pixel: 144 pixels an inch.
POINTS_PER_PIXEL = 0.5
#: The longest side in points that PDF readers must accept (PDF 1.7, appendix C).
MAX_SIDE_PT = 14_400
PROGRAM = "CLIP Grid"
#: Above and below the baseline, of the font size.
_ASCENT, _DESCENT = 0.8, 0.2
#: 1970 in seconds since 1904, as in fonts; the present time would make the bytes of every run differ.
_EPOCH = 2_082_844_800
#: How far, in pixels, a JPEG is first drawn beyond its lower edge, so that no white line shows above the next one.
_UNDERLAP = 32


@dataclass(frozen=True)
class PdfText:
    """One block of text, its lines evenly spread over the height of the box; size: of the font, in pixels."""

    text: str
    box: Box
    size: int


@dataclass(frozen=True)
class PdfPage:
    """A page: its bands, uint8 [rows, width, 3] from the top, and the texts on it."""

    width: int
    height: int
    bands: Iterable[Pixels]
    texts: Sequence[PdfText]


def write_pdf(
    file: BinaryIO, pages: Iterable[PdfPage], *, title: str, quality: int, embedded: Mapping[str, str]
) -> None:
    """Write the pages as one PDF; the same input gives the same bytes.

    quality: of the JPEG, 1 to 100. embedded: texts to attach, by name without suffix.
    The JPEG data of all pages is held in memory, but only one strip of their pixels.
    Raises MissingPackage without fpdf2, and LimitError for a page that is too wide for a JPEG.
    """
    pdf = _new_document(title)
    with temporary_folder() as folder, ExitStack() as open_fonts:
        # fpdf2 closes fonts only when a document is complete
        open_fonts.callback(_close_fonts, pdf)
        for number, page in enumerate(pages, 1):
            if page.width > jpeg.MAX_SIDE:
                raise LimitError(
                    f"page {number} is {page.width} pixels wide; a PDF page holds at most {jpeg.MAX_SIDE}, "
                    "use smaller cells or fewer columns"
                )
            scale = min(POINTS_PER_PIXEL, MAX_SIDE_PT / max(page.width, page.height))
            pdf.add_page(format=(page.width * scale, page.height * scale))
            _draw_pixels(pdf, page, scale, quality)
            lines = [line for text in page.texts for line in _lines(text)]
            if lines:
                _write_lines(pdf, lines, scale, folder / f"text{number}.ttf")
        _attach(pdf, embedded)
        pdf.output(file, output_producer_class=_producer_without_date())


def _close_fonts(pdf: FPDF) -> None:
    from fpdf.fonts import TTFFont

    for font in pdf.fonts.values():
        if isinstance(font, TTFFont):
            font.close()


def _new_document(title: str) -> FPDF:
    try:
        from fpdf import FPDF
    except ImportError as error:
        raise MissingPackage("PDF needs the package fpdf2; install it with: pip install fpdf2") from error
    pdf = FPDF(unit="pt")
    pdf.set_auto_page_break(False)
    pdf.set_title(_clean(title))
    pdf.set_creator(PROGRAM)
    pdf.set_producer(PROGRAM)
    return pdf


def _producer_without_date() -> type[OutputProducer]:
    """A producer without the creation date of fpdf2, which would make the bytes of every run differ."""
    from fpdf.output import OutputProducer, PDFInfo

    class Undated(OutputProducer):
        def _add_info(self) -> PDFInfo:
            info = super()._add_info()
            info.creation_date = None  # type: ignore[assignment]
            # the file's id is a hash over this
            self.fpdf.creation_date = None  # type: ignore[assignment]
            return info

    return Undated


def _attach(pdf: FPDF, embedded: Mapping[str, str]) -> None:
    for name, text in embedded.items():
        if text:
            ending = ".json" if _is_json(text) else ".txt"
            pdf.embed_file(bytes=text.encode("utf-8", "replace"), basename=name + ending, compress=True)


def _is_json(text: str) -> bool:
    try:
        parse_json(text)
    except JsonError:
        return False
    return True


def _draw_pixels(pdf: FPDF, page: PdfPage, scale: float, quality: int) -> None:
    files = list(jpeg.encode_page(page.bands, page.width, page.height, quality))
    # PDF readers blend the edges of a picture with what is below it: let that be pixels, not the white page
    for underlap in (_UNDERLAP, 0) if len(files) > 1 else (0,):
        top = 0
        for data, rows in files:
            height = min(rows + underlap, page.height - top)
            pdf.image(io.BytesIO(data), x=0, y=top * scale, w=page.width * scale, h=height * scale)
            top += rows


@dataclass(frozen=True)
class _Line:
    """One line in reading order, and its place in pixels."""

    text: str
    x: float
    baseline: float
    width: float
    size: float


def _lines(text: PdfText) -> Iterator[_Line]:
    lines = text.text.split("\n")
    pitch = text.box.height / len(lines)
    for number, line in enumerate(lines):
        clean = _clean(line).strip()
        if sum(map(_advance, clean)) > 0 and text.box.width > 0 and text.size > 0:
            middle = text.box.y + (number + 0.5) * pitch
            baseline = middle + (_ASCENT - _DESCENT) / 2 * text.size
            yield _Line(clean, text.box.x, baseline, text.box.width, text.size)


def _clean(text: str) -> str:
    """The text without characters that a PDF cannot hold: control characters and unpaired surrogates."""
    replacements = {"Cc": " ", "Cs": "\ufffd"}
    return "".join(replacements.get(unicodedata.category(char), char) for char in text)


def _write_lines(pdf: FPDF, lines: Sequence[_Line], scale: float, font: Path) -> None:
    from fpdf.enums import TextMode

    _save_blank_font(font, "".join(line.text for line in lines))
    pdf.add_font(font.stem, fname=font)
    with pdf.local_context(text_mode=TextMode.INVISIBLE):
        for line in lines:
            pdf.set_font(font.stem, size=line.size * scale)
            pdf.set_stretching(100 * line.width / (sum(map(_advance, line.text)) * line.size))
            pdf.text(line.x * scale, line.baseline * scale, _left_to_right(line.text))


def _left_to_right(text: str) -> str:
    """The characters from left to right; PDF readers reverse Arabic and Hebrew again."""
    if all(unicodedata.bidirectional(char) not in ("R", "AL", "AN") for char in text):
        return text
    from fpdf.bidi import BidiParagraph

    return BidiParagraph(text).get_reordered_string()


def _advance(char: str) -> float:
    """A usual width of the character, relative to the font size, so that words are about where they are seen."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    if char == " ":
        return 0.25
    return 1.0 if unicodedata.east_asian_width(char) in "WF" else 0.5


def _blank_glyph(width: int) -> Any:
    """A single line, there and back: it has no area, but a box, without which Chrome does not find a lone letter."""
    from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]

    pen = TTGlyphPen(None)
    if width:
        pen.moveTo((0, 0))
        pen.lineTo((width, round(1000 * _ASCENT)))
        pen.closePath()
    return pen.glyph()


def _save_blank_font(path: Path, text: str) -> None:
    """Save a TrueType font that has every character of the text, and a glyph without area for each width."""
    from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]

    advances = {ord(char): round(1000 * _advance(char)) for char in sorted({" ", *text})}
    widths = {".notdef": 500} | {f"blank{width}": width for width in sorted(set(advances.values()))}
    builder = FontBuilder(1000, isTTF=True)
    builder.updateHead(created=_EPOCH, modified=_EPOCH)
    builder.setupGlyphOrder(list(widths))
    builder.setupCharacterMap({code: f"blank{width}" for code, width in advances.items()})
    builder.setupGlyf({name: _blank_glyph(width) for name, width in widths.items()})
    builder.setupHorizontalMetrics({name: (width, 0) for name, width in widths.items()})
    builder.setupHorizontalHeader(ascent=round(1000 * _ASCENT), descent=-round(1000 * _DESCENT))
    builder.setupNameTable({"familyName": "Blank", "styleName": "Regular", "fullName": "Blank", "psName": "Blank"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
