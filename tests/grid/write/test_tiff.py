from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from clip_grid.errors import InputError, LimitError
from clip_grid.grid.write.tiff import write_tiff
from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Noise on the left, one flat colour on the right."""
    page = np.random.default_rng(3).integers(0, 256, (height, width, channels), np.uint8)
    page[:, width // 2 :] = 77
    return page


def written(page: np.ndarray, rows: int = 100, **options: object) -> bytes:
    file = io.BytesIO()
    height, width, channels = page.shape
    bands = (page[top : top + rows] for top in range(0, height, rows))
    write_tiff(file, width, height, bands, channels=channels, **options)
    return file.getvalue()


@pytest.mark.parametrize("is_big", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("height, width", [(1, 1), (1, 500), (500, 1), (2, 70_000), (1000, 900)])
def test_pillow_sees_the_page(height, width, channels, is_big):
    page = noise(height, width, channels)

    with Image.open(io.BytesIO(written(page, is_big=is_big))) as picture:
        assert (picture.mode, picture.size) == (MODES[channels], (width, height))
        assert np.array_equal(np.asarray(picture).reshape(page.shape), page)


@pytest.mark.parametrize("is_big", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tifffile_sees_the_page(channels, is_big):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs", reason="tifffile undoes predictors with it")
    page = noise(1000, 900, channels)

    assert np.array_equal(tifffile.imread(io.BytesIO(written(page, is_big=is_big))).reshape(page.shape), page)


@pytest.mark.parametrize("is_big", [False, True])
def test_tifffile_finds_the_directory_in_order(is_big):
    tifffile = pytest.importorskip("tifffile")
    page = noise(1000, 900, 4)

    with tifffile.TiffFile(io.BytesIO(written(page, tags={305: "clip-grid"}, is_big=is_big))) as file:
        (only,) = file.pages
        assert (file.is_bigtiff, only.shape, only.rowsperstrip) == (is_big, (1000, 900, 4), 291)
        assert (only.compression, only.predictor, only.software) == (8, 2, "clip-grid")
        assert len(only.dataoffsets) == 4
        assert [tag.code for tag in only.tags] == sorted(tag.code for tag in only.tags)


@pytest.mark.parametrize("is_big, version", [(False, 42), (True, 43)])
def test_a_small_page_is_a_classic_tiff_unless_big_is_asked_for(is_big, version):
    assert written(noise(4, 4), is_big=is_big)[:4] == struct.pack("<2sH", b"II", version)


def test_a_page_that_may_pass_four_gibibytes_is_a_big_tiff():
    class HeaderOnly(io.BytesIO):
        def write(self, data: bytes) -> int:
            super().write(data)
            raise EOFError

    file = HeaderOnly()
    with pytest.raises(EOFError):
        write_tiff(file, 40_000, 40_000, [])

    assert file.getvalue() == struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0)


def test_tags_come_back_as_they_were_given():
    tags = {268: "x", 269: "y", 270: "猫 à gauche", 271: "workflow:{}", 272: "m", 305: "clip-grid"}

    with Image.open(io.BytesIO(written(noise(4, 4), tags=tags))) as picture:
        # Pillow reads UTF-8 as if it were Latin-1
        assert {tag: picture.tag_v2[tag].encode("latin-1").decode() for tag in tags} == tags


def test_a_file_may_begin_behind_other_bytes():
    page = noise(40, 30)
    file = io.BytesIO(b"preamble!")
    file.seek(9)
    write_tiff(file, 30, 40, [page])

    with Image.open(io.BytesIO(file.getvalue()[9:])) as picture:
        assert np.array_equal(np.asarray(picture), page)
    assert file.tell() == len(file.getvalue())


def test_the_file_does_not_depend_on_the_bands():
    page = noise(1000, 900)

    assert written(page, 1) == written(page, 37) == written(page, 1000)


@pytest.mark.parametrize("tag", [0, 65536, 257, 266, 273, 339])
def test_a_tag_that_holds_numbers_is_refused(tag):
    with pytest.raises(InputError, match=f"tag {tag} cannot be a text"):
        written(noise(4, 4), tags={tag: "x"})


def test_a_text_of_broken_unicode_is_refused_by_tag():
    with pytest.raises(InputError, match="tag 270 is broken Unicode at letter 2"):
        written(noise(4, 4), tags={270: "ab\ud800"})


def test_missing_rows_are_refused():
    with pytest.raises(InputError, match="the bands hold 4 rows, but the page has 5"):
        write_tiff(io.BytesIO(), 4, 5, [noise(4, 4)])


def test_a_page_wider_than_tiff_holds_is_refused():
    with pytest.raises(LimitError, match="4294967296x1"):
        write_tiff(io.BytesIO(), 2**32, 1, [])
