from __future__ import annotations

import importlib.util
import io
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from clip_grid.errors import LimitError, MissingPackage
from clip_grid.grid.layout.plan import Box
from clip_grid.grid.sheet import write_planned
from clip_grid.grid.write import jpeg
from clip_grid.grid.write.output import Output
from clip_grid.grid.write.pdf import PdfPage, PdfText, write_pdf
from PIL import Image

from ..samples import flats, plan

needs_fpdf2 = pytest.mark.skipif(not importlib.util.find_spec("fpdf"), reason="needs the package fpdf2")
needs_poppler = pytest.mark.skipif(
    not (shutil.which("pdftotext") and shutil.which("pdftoppm")), reason="needs pdftotext and pdftoppm of poppler-utils"
)
LABEL = PdfText("seed 42", Box(100, 200, 300, 40), 30)


def gradient(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, (x + y) // 8 % 256], axis=2).astype(np.uint8)


def page(pixels: np.ndarray, *texts: PdfText, band: int = 500) -> PdfPage:
    height, width = pixels.shape[:2]
    return PdfPage(width, height, [pixels[top : top + band] for top in range(0, height, band)], texts)


def small_page(*texts: PdfText) -> PdfPage:
    return page(gradient(800, 600), *texts)


def pdf_of(*pages: PdfPage, title: str = "a sheet", embedded: Mapping[str, str] | None = None) -> bytes:
    file = io.BytesIO()
    write_pdf(file, pages, title=title, quality=95, embedded=embedded or {})
    return file.getvalue()


def streams(data: bytes) -> Iterator[bytes]:
    """The content of each stream of the file, inflated where it is deflated."""
    for head in re.finditer(rb"obj\n<<\n((?:/.*\n)*)>>\nstream\n", data):
        length = re.search(rb"/Length (\d+)\n", head[1])
        assert length
        raw = data[head.end() : head.end() + int(length[1])]
        yield zlib.decompress(raw) if b"FlateDecode" in head[1] else raw


def words(data: bytes) -> list[str]:
    """The texts of a file of one page, by the map to Unicode of its font."""
    content = next(s for s in streams(data) if b" Tj" in s)
    to_unicode = next(s for s in streams(data) if b"beginbfchar" in s).decode()
    names = {int(c, 16): bytes.fromhex(u).decode("utf-16-be") for c, u in re.findall("<(....)> <(.+)>\n", to_unicode)}
    shown = [
        re.sub(rb"\\(.)", lambda m: b"\r" if m[1] == b"r" else m[1], text, flags=re.S)
        for text in re.findall(rb"\(((?:\\.|[^\\)])*)\) Tj", content, re.S)
    ]
    return ["".join(names[ord(char)] for char in text.decode("utf-16-be")) for text in shown]


def decoded(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def poppler(tool: str, folder: Path, data: bytes, *arguments: str) -> str:
    (folder / "sheet.pdf").write_bytes(data)
    done = subprocess.run([tool, *arguments], cwd=folder, check=True, capture_output=True, encoding="utf-8")
    return done.stdout


@needs_fpdf2
def test_a_page_is_one_jpeg_with_the_pixels_of_all_its_bands() -> None:
    pixels = gradient(300, 2500)

    jpegs = [s for s in streams(pdf_of(page(pixels, band=333))) if s.startswith(b"\xff\xd8")]

    whole = io.BytesIO()
    Image.fromarray(pixels).save(whole, "JPEG", quality=95, subsampling=0)
    assert len(jpegs) == 1
    assert np.array_equal(decoded(jpegs[0]), decoded(whole.getvalue()))


@pytest.mark.parametrize("quality", [95, 80])
@pytest.mark.parametrize("height", [1, 1023, 1024, 1025, 12_345])
def test_joined_strips_decode_as_one_picture(quality: int, height: int) -> None:
    pixels = gradient(70, height)

    ((data, rows),) = jpeg.encode_page([pixels], *pixels.shape[1::-1], quality)

    whole = io.BytesIO()
    Image.fromarray(pixels).save(whole, "JPEG", quality=quality, subsampling=0 if quality >= 90 else 2)
    assert rows == height
    assert np.array_equal(decoded(data), decoded(whole.getvalue()))


def test_a_page_higher_than_a_jpeg_can_be_becomes_several() -> None:
    pixels = np.zeros((70_000, 8, 3), np.uint8)

    jpegs = list(jpeg.encode_page([pixels], *pixels.shape[1::-1], 95))

    assert [rows for _, rows in jpegs] == [64_512, 70_000 - 64_512]
    assert [decoded(data).shape[0] for data, _ in jpegs] == [64_512, 5_488]


@needs_fpdf2
def test_text_of_every_script_can_be_read_back() -> None:
    texts = ["seed 42 · (cfg) \\7.5", "春夏秋冬", "cat 😀 👩‍👧", "กรุงเทพ", "हिन्दी", "e\u0301"]
    boxes = [Box(10, 50 * number, 300, 40) for number in range(len(texts))]

    data = pdf_of(small_page(*(PdfText(text, box, 20) for text, box in zip(texts, boxes, strict=True))))

    assert words(data) == texts


@needs_fpdf2
def test_arabic_is_stored_in_visual_order_from_left_to_right() -> None:
    assert words(pdf_of(small_page(PdfText("مرحبا", Box(0, 0, 90, 30), 20)))) == ["مرحبا"[::-1]]


@needs_fpdf2
def test_characters_without_a_name_are_replaced() -> None:
    assert words(pdf_of(small_page(PdfText("a\tb\udc80", Box(0, 0, 90, 30), 20)))) == ["a b\ufffd"]


@needs_fpdf2
def test_lines_share_the_box_of_their_text() -> None:
    data = pdf_of(small_page(PdfText("one\n\nthree", Box(100, 100, 200, 90), 30)))

    content = next(s for s in streams(data) if b" Tj" in s).decode("latin-1")
    # middles of the lines at 115, 145 and 175 pixels; the baseline 0.3 of 30 pixels lower; the page 300 points high
    assert words(data) == ["one", "three"]
    assert re.findall(r"BT (\S+) (\S+) Td", content) == [("50.00", "238.00"), ("50.00", "208.00")]
    # 200 pixels over 3 and 5 characters of 15 pixels
    assert re.findall(r"(\S+) Tz", content)[:2] == ["444.44", "266.67"]


@needs_fpdf2
def test_texts_are_invisible() -> None:
    content = next(s for s in streams(pdf_of(small_page(LABEL))) if b" Tj" in s).decode("latin-1")

    assert all(" 3 Tr " in block for block in re.findall(r"BT .*?ET", content) if "Tj" in block)


@needs_fpdf2
def test_the_texts_of_a_sheet_are_where_they_are_seen(tmp_path: Path) -> None:
    inputs = {"labels": ["a", "b", "c", "d"]}
    planned = plan(flats(4, 400, 300), inputs, format="pdf", column_headers="3;7", row_headers="x;y", columns=2)

    write_planned(planned, Output(lambda page, _: tmp_path / "sheet.pdf"))

    data = (tmp_path / "sheet.pdf").read_bytes()
    content = next(s for s in streams(data) if b" Tj" in s).decode("latin-1")
    first = planned.plan.pages[0].cells[0].image
    left = {word: float(x) for word, x in zip(words(data), re.findall(r"BT (\S+) \S+ Td", content), strict=True)}
    # in the middle of the column, in points of two pixels, and no wider than a letter of any font
    assert left["3"] == pytest.approx((first.x + first.right) / 4, abs=5)
    assert left["a"] == pytest.approx((first.x + first.right) / 4, abs=5)
    assert all(float(stretch) < 150 for stretch in re.findall(r"(\S+) Tz", content))


@needs_fpdf2
def test_each_letter_has_a_box_so_that_readers_do_not_skip_a_lone_one() -> None:
    from fontTools.ttLib import TTFont

    data = pdf_of(small_page(PdfText("7", Box(100, 100, 20, 30), 30)))

    font = TTFont(io.BytesIO(next(s for s in streams(data) if s.startswith(b"\0\1\0\0"))))
    boxes = [font["glyf"][name] for name, (advance, _) in font["hmtx"].metrics.items() if advance]
    assert boxes
    assert all(glyph.xMax > glyph.xMin and glyph.yMax > glyph.yMin for glyph in boxes)


@needs_fpdf2
def test_a_pixel_is_half_a_point() -> None:
    assert b"/MediaBox [0 0 400.00 300.00]" in pdf_of(small_page())


@needs_fpdf2
def test_a_page_stays_within_the_largest_size_of_pdf() -> None:
    data = pdf_of(page(np.zeros((57_600, 16, 3), np.uint8)))

    # 57600 pixels would be 28800 points
    assert b"/MediaBox [0 0 4.00 14400.00]" in data


@needs_fpdf2
def test_a_page_that_is_too_wide_is_refused() -> None:
    with pytest.raises(LimitError, match="page 1 is 65501 pixels wide"):
        pdf_of(page(np.zeros((1, 65_501, 3), np.uint8)))


@needs_fpdf2
def test_the_same_pages_give_the_same_bytes_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pdf_of(small_page(LABEL), small_page(), embedded={"prompt": "{}"})
    monkeypatch.setattr("fontTools.fontBuilder.timestampNow", lambda: 3_000_000_000)
    monkeypatch.setattr("fpdf.fpdf.datetime", LaterClock)

    assert pdf_of(small_page(LABEL), small_page(), embedded={"prompt": "{}"}) == first
    assert b"Date" not in first


class LaterClock:
    @staticmethod
    def now(zone: object) -> object:
        from datetime import datetime, timezone

        return datetime(2077, 1, 1, tzinfo=timezone.utc)


@needs_fpdf2
def test_embedded_texts_become_attachments_named_by_what_they_are() -> None:
    data = pdf_of(small_page(), embedded={"workflow": '{"ü": 1}', "parameters": "a cat, Steps: 20", "prompt": ""})

    assert b"(workflow.json)" in data and b"(parameters.txt)" in data and b"(prompt" not in data
    assert '{"ü": 1}'.encode() in list(streams(data))


@needs_fpdf2
def test_title_and_program_are_recorded() -> None:
    data = pdf_of(small_page(), title="Grüße")

    assert f"/Title <feff{'Grüße'.encode('utf-16-be').hex()}>".encode() in data
    assert data.count(b"(CLIP Grid)") == 2


def test_without_fpdf2_the_error_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)

    with pytest.raises(MissingPackage, match=re.escape("pip install fpdf2")):
        pdf_of(small_page())


@needs_fpdf2
def test_another_reader_finds_texts_and_attachments() -> None:
    pypdf = pytest.importorskip("pypdf", reason="needs the package pypdf")

    reader = pypdf.PdfReader(io.BytesIO(pdf_of(small_page(LABEL), small_page(LABEL), embedded={"prompt": "[1]"})))

    assert [p.extract_text() for p in reader.pages] == ["seed 42", "seed 42"]
    assert reader.attachments["prompt.json"] == [b"[1]"]


@needs_fpdf2
@needs_poppler
def test_words_are_found_where_they_are_drawn(tmp_path: Path) -> None:
    found = poppler("pdftotext", tmp_path, pdf_of(small_page(LABEL)), "-bbox", "sheet.pdf", "-")

    words_at = re.findall(r'xMin="(\S+)" yMin="(\S+)" xMax="(\S+)" yMax="(\S+)">(\S+)<', found)
    seed, number = ([*map(float, word[:4]), word[4]] for word in words_at)
    # 150 points for six characters and a space of half their width, from 50: 150 / 6.5 is 23.08 points each;
    # the font has 15 points, around the middle of 100 and 120
    assert seed == [pytest.approx(50), 102.5, pytest.approx(50 + 4 * 23.08, abs=0.1), 117.5, "seed"]
    assert number == [pytest.approx(50 + 4.5 * 23.08, abs=0.1), 102.5, pytest.approx(200, abs=0.1), 117.5, "42"]


@needs_fpdf2
@needs_poppler
def test_poppler_reads_arabic_in_reading_order(tmp_path: Path) -> None:
    data = pdf_of(small_page(PdfText("مرحبا بالعالم", Box(0, 0, 400, 40), 30)))

    assert "مرحبا بالعالم" in poppler("pdftotext", tmp_path, data, "sheet.pdf", "-")


@needs_fpdf2
@needs_poppler
@pytest.mark.parametrize("resolution", ["20", "61", "150"])
def test_no_line_shows_between_the_strips_of_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resolution: str
) -> None:
    monkeypatch.setattr(jpeg, "MAX_PIXELS", 1)
    data = pdf_of(page(np.full((3000, 200, 3), 40, np.uint8)))

    poppler("pdftoppm", tmp_path, data, "-r", resolution, "sheet.pdf", "drawn")

    shown = np.asarray(Image.open(tmp_path / "drawn-1.ppm"))[1:-1, 1:-1]
    assert int(shown.min()) >= 38 and int(shown.max()) <= 42
