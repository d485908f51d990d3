"""Sheets of this program are recognised in every format."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.api import SheetInputs, export_grid
from clip_grid.grid.pictures.find import find_files
from clip_grid.grid.pictures.own import is_clip_grid_sheet
from clip_grid.grid.pictures.survey import survey_files
from clip_grid.grid.write.png import write_png
from clip_grid.grid.write.tiff import write_tiff
from PIL import Image

WIDE, ROWS = 60_000, 3_000  # 180 megapixels, more than are read
RECORD = '{"format": 1, "page": 0, "pages": 1, "grid": "1x1", "options": {}}'


def black_bands():
    band = np.zeros((500, WIDE, 1), np.uint8)
    return (band for _ in range(ROWS // 500))


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "avif", "tiff", "pdf", "html"])
def test_a_sheet_of_any_format_is_recognised(tmp_path, ending):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    export_grid(tmp_path / "a.png", tmp_path / f"sheet.{ending}")

    assert is_clip_grid_sheet(tmp_path / f"sheet.{ending}")


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "pdf"])
def test_a_picture_is_no_sheet(tmp_path, ending):
    Image.new("RGB", (64, 64), "red").save(tmp_path / f"a.{ending}")

    assert not is_clip_grid_sheet(tmp_path / f"a.{ending}")


def test_a_sheet_with_more_pixels_than_are_read_is_set_aside(tmp_path):
    with (tmp_path / "big.png").open("wb") as file:
        write_png(file, WIDE, ROWS, black_bands(), channels=1, texts={"clip_grid": RECORD})
    with (tmp_path / "big.tiff").open("w+b") as file:
        write_tiff(file, WIDE, ROWS, black_bands(), channels=1, tags={271: f"clip_grid:{RECORD}"})

    survey = survey_files(find_files([tmp_path]))

    assert [skip.reason for skip in survey.skipped] == ["a sheet that this program made"] * 2
    assert all(skip.deliberate for skip in survey.skipped)


def test_a_picture_with_more_pixels_than_are_read_is_missed(tmp_path):
    with (tmp_path / "big.png").open("wb") as file:
        write_png(file, WIDE, ROWS, black_bands(), channels=1, texts={"prompt": "clip_grid"})

    [skip] = survey_files(find_files([tmp_path])).skipped

    assert not skip.deliberate
    assert "180 megapixels" in skip.reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.html", b"<!doctype html><p>Sheets of CLIP Grid hold embedded-clip_grid and " + RECORD.encode()),
        ("a.html", b""),
        ("a.pdf", b"%PDF-1.4 made by CLIP Grid, /Type /EmbeddedFile\n clip_grid.json " + RECORD.encode()),
        ("a.png", b"\x89PNG\r\n\x1a\n not a PNG: clip_grid\0" + RECORD.encode()),
        ("a.tiff", b"II*\0\x08\0\0\0 clip_grid:" + RECORD.encode()),
        ("a.jpg", b"clip_grid:" + RECORD.encode()),
    ],
)
def test_a_page_pdf_or_damaged_picture_that_only_mentions_the_record_is_not_ours(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)

    assert not is_clip_grid_sheet(tmp_path / name)


@pytest.mark.parametrize("options", [{}, {"header": "long " * 9_000}])
def test_a_jpeg_of_so_many_cells_that_their_list_does_not_fit_is_ours(tmp_path, options):
    pictures = [Image.new("RGB", (8, 8))] * 200
    inputs = SheetInputs(labels=["a long label " * 20] * 200)
    report = export_grid(pictures, tmp_path / "s.jpg", inputs=inputs, cell_width=8, cell_height=8, **options)

    assert not any("clip_grid" in warning for warning in report.warnings)
    assert is_clip_grid_sheet(tmp_path / "s.jpg")
    export_grid(pictures, tmp_path / "s.jpg", cell_width=8, cell_height=8)


def test_a_pdf_with_workflows_beside_its_record_is_ours(tmp_path):
    pytest.importorskip("fpdf")
    texts = {"workflow": "[" + "1," * 300_000 + "1]", "prompt": "{}", "zz": "a text"}
    export_grid([Image.new("RGB", (9, 9))], tmp_path / "s.pdf", inputs=SheetInputs(texts=texts))

    assert is_clip_grid_sheet(tmp_path / "s.pdf")
