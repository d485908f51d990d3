"""Pages of pixels become a PDF that shows exactly them, under invisible text that can be selected and searched.

A page is one JPEG. The text's font has no shapes and knows every character in use, so no script is substituted.
"""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image

from ...errors import LimitError, MissingPackage
from ...imaging import Pixels
from ..layout.plan import Box

if TYPE_CHECKING:
    from fpdf import FPDF
    from fpdf.output import OutputProducer


#: Points (1/72 inch) per pixel: 144 pixels an inch.
POINTS_PER_PIXEL = 0.5
#: The longest side in points that PDF readers must accept (PDF 1.7, appendix C).
MAX_SIDE_PT = 14_400
#: The longest side of a JPEG that libjpeg writes.
MAX_JPEG_SIDE = 65_500
#: Pillow, which fpdf2 opens pictures with, warns of larger ones.
MAX_JPEG_PIXELS = 64_000_000
PROGRAM = "CLIP Grid"
_STRIP_ROWS = 1024
_MAX_RESTART_INTERVAL = 65_535
#: Of the font size.
_ASCENT, _DESCENT = 0.8, 0.2
#: 1970 in seconds since 1904, as fonts count; the present would make every run's bytes differ.
_EPOCH = 2_082_844_800
#: How far, in pixels, a JPEG is first drawn below its end, so that the page does not shine through at the next one.
_UNDERLAP = 32


@dataclass(frozen=True)
class PdfText:
    """One drawn block of text: its lines share the height of the box evenly. size: of the font, in pixels."""

    text: str
    box: Box
    size: int


@dataclass(frozen=True)
class PdfPage:
    """A page as its pixels, uint8 [h, width, 3] per band, top to bottom; texts are asked for after the last band."""

    width: int
    height: int
    bands: Iterable[Pixels]
    texts: Callable[[], Sequence[PdfText]]


def write_pdf(
    file: BinaryIO, pages: Iterable[PdfPage], *, title: str, quality: int, embedded: Mapping[str, str]
) -> None:
    """Write the pages as one PDF; the same input gives the same bytes.

    quality: of the JPEG, 1 to 100. embedded: texts that become attachments, by name without ending.
    Holds the JPEG data of all pages, but of their pixels only one strip at a time.
    Raises MissingPackage without fpdf2, and LimitError for a page wider than ``MAX_JPEG_SIDE``.
    """
    pdf = _new_document(title)
    with TemporaryDirectory(prefix="clip_grid_", ignore_cleanup_errors=True) as folder, ExitStack() as open_fonts:
        # fpdf2 closes the fonts at the end of a whole document only
        open_fonts.callback(_close_fonts, pdf)
        for number, page in enumerate(pages, 1):
            if page.width > MAX_JPEG_SIDE:
                raise LimitError(
                    f"page {number} is {page.width} pixels wide; a PDF page holds at most {MAX_JPEG_SIDE}, "
                    "use smaller cells or fewer columns"
                )
            scale = min(POINTS_PER_PIXEL, MAX_SIDE_PT / max(page.width, page.height))
            pdf.add_page(format=(page.width * scale, page.height * scale))
            _draw_pixels(pdf, page, scale, quality)
            lines = [line for text in page.texts() for line in _lines(text)]
            if lines:
                _write_lines(pdf, lines, scale, Path(folder) / f"text{number}.ttf")
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
    """fpdf2 always writes when a file was made; that date would make every run's bytes differ."""
    from fpdf.output import OutputProducer, PDFInfo

    class Undated(OutputProducer):
        def _add_info(self) -> PDFInfo:
            info = super()._add_info()
            info.creation_date = None  # type: ignore[assignment]
            # the file's id is hashed from this
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
        json.loads(text)
    except ValueError:
        return False
    return True


# The picture


def _draw_pixels(pdf: FPDF, page: PdfPage, scale: float, quality: int) -> None:
    jpegs = list(_jpegs(page, quality))
    # readers blend the edge of a picture with what is below it: let that be pixels, not the white page
    for underlap in (_UNDERLAP, 0) if len(jpegs) > 1 else (0,):
        top = 0
        for data, rows in jpegs:
            height = min(rows + underlap, page.height - top)
            pdf.image(io.BytesIO(data), x=0, y=top * scale, w=page.width * scale, h=height * scale)
            top += rows


def _jpegs(page: PdfPage, quality: int) -> Iterator[tuple[bytes, int]]:
    """The page as JPEG files, nearly always one, and their rows."""
    block = 8 if quality >= 90 else 16
    blocks = -(-page.width // block)
    rows = max(1, min(_STRIP_ROWS // block, _MAX_RESTART_INTERVAL // blocks)) * block
    most = min(MAX_JPEG_SIDE, max(rows, MAX_JPEG_PIXELS // page.width))
    strips: list[_Strip] = []
    for pixels in _recut(page.bands, rows, page.width):
        strip = _encode(pixels, quality)
        full = sum(s.rows for s in strips) + strip.rows > most
        if strips and (full or strip.tables != strips[0].tables):
            yield _join(strips, blocks * (rows // block))
            strips = []
        strips.append(strip)
    if strips:
        yield _join(strips, blocks * (rows // block))


def _recut(bands: Iterable[Pixels], rows: int, width: int) -> Iterator[Pixels]:
    """The same pixels in bands of this many rows, the last one shorter; each is overwritten by the next."""
    strip = np.empty((rows, width, 3), np.uint8)
    held = 0
    for band in bands:
        rest = band
        while len(rest):
            taken = min(rows - held, len(rest))
            strip[held : held + taken] = rest[:taken]
            held, rest = held + taken, rest[taken:]
            if held == rows:
                yield strip
                held = 0
    if held:
        yield strip[:held]


@dataclass(frozen=True)
class _Strip:
    """A JPEG, taken apart so that several of the same tables can be joined into one."""

    rows: int
    #: All before the pixel data, with a height of 0.
    tables: bytes
    height_at: int
    scan_at: int
    #: The pixel data, without the marker of the end.
    data: bytes


def _encode(pixels: Pixels, quality: int) -> _Strip:
    buffer = io.BytesIO()
    # colour in full resolution keeps small coloured text sharp; it pays at high quality only
    subsampling = 0 if quality >= 90 else 2
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    jpeg = buffer.getvalue()
    height_at, at = 0, 2
    while jpeg[at + 1] != 0xDA:
        if 0xC0 <= jpeg[at + 1] <= 0xC2:
            height_at = at + 5
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    tables = jpeg[:height_at] + b"\0\0" + jpeg[height_at + 2 : end]
    return _Strip(len(pixels), tables, height_at, at, jpeg[end:-2])


def _join(strips: Sequence[_Strip], interval: int) -> tuple[bytes, int]:
    """One JPEG file of the strips, each a restart interval (ITU T.81, B.2.1), and its rows.

    interval: blocks in every strip but the last.
    """
    first, rows = strips[0], sum(strip.rows for strip in strips)
    head = first.tables[: first.height_at] + rows.to_bytes(2, "big") + first.tables[first.height_at + 2 :]
    restart = b"\xff\xdd\0\4" + interval.to_bytes(2, "big") if len(strips) > 1 else b""
    parts = [head[: first.scan_at], restart, head[first.scan_at :], first.data]
    for number, strip in enumerate(strips[1:]):
        parts += [bytes((0xFF, 0xD0 + number % 8)), strip.data]
    return b"".join((*parts, b"\xff\xd9")), rows


# The text


@dataclass(frozen=True)
class _Line:
    """One line in the order in which it is read, and where it stands, in pixels."""

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
    """Without characters that a PDF cannot name: control characters and halves of surrogate pairs."""
    kinds = {"Cc": " ", "Cs": "\ufffd"}
    return "".join(kinds.get(unicodedata.category(char), char) for char in text)


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
    """The characters as they stand from left to right; readers of a PDF turn Arabic and Hebrew back."""
    if all(unicodedata.bidirectional(char) not in ("R", "AL", "AN") for char in text):
        return text
    from fpdf.bidi import BidiParagraph

    return BidiParagraph(text).get_reordered_string()


def _advance(char: str) -> float:
    """A usual width of the character, of the font size; it brings the words of a line to about where they are seen."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    if char == " ":
        return 0.25
    return 1.0 if unicodedata.east_asian_width(char) in "WF" else 0.5


def _save_blank_font(path: Path, text: str) -> None:
    """A TrueType font that has every character of the text, and only empty glyphs, one for each width."""
    from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
    from fontTools.ttLib.tables._g_l_y_f import Glyph  # type: ignore[import-untyped]

    advances = {ord(char): round(1000 * _advance(char)) for char in sorted({" ", *text})}
    widths = {".notdef": 500} | {f"blank{width}": width for width in sorted(set(advances.values()))}
    builder = FontBuilder(1000, isTTF=True)
    builder.updateHead(created=_EPOCH, modified=_EPOCH)
    builder.setupGlyphOrder(list(widths))
    builder.setupCharacterMap({code: f"blank{width}" for code, width in advances.items()})
    builder.setupGlyf({name: Glyph() for name in widths})
    builder.setupHorizontalMetrics({name: (width, 0) for name, width in widths.items()})
    builder.setupHorizontalHeader(ascent=round(1000 * _ASCENT), descent=-round(1000 * _DESCENT))
    builder.setupNameTable({"familyName": "Blank", "styleName": "Regular", "fullName": "Blank", "psName": "Blank"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
