"""A JPEG or WebP file is shown whatever is damaged beside its pixels, with the pixels of the whole file."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from clip_grid.errors import PictureError
from clip_grid.grid.pictures.survey import Picture, survey_files
from clip_grid.imaging import load_picture
from clip_grid.mending import mended
from PIL import Image

COLORS = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)


def encoded(format: str, image: Image.Image | None = None, **options: object) -> bytes:
    file = BytesIO()
    (image or Image.fromarray(COLORS)).save(file, format, **options)
    return file.getvalue()


WHOLE = encoded("JPEG")
#: Without the JFIF segment that Pillow writes.
BARE = WHOLE[WHOLE.index(b"\xff\xdb") :]
THUMBNAIL = encoded("JPEG", Image.new("RGB", (16, 12), "red"))


def pixels(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def segment(marker: int, data: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2 if length is None else length) + data


def surveyed(folder: Path, data: bytes, expected: np.ndarray, suffix: str = ".jpg") -> Picture:
    """The picture as a sheet takes it; that it has the expected pixels is checked here."""
    path = folder / f"a{suffix}"
    path.write_bytes(data)
    (picture,) = survey_files([(path, path.name)]).pictures
    assert np.array_equal(np.asarray(picture.load(None).convert("RGB")), expected)
    assert np.array_equal(np.asarray(load_picture(path, data=data).convert("RGB")), expected)
    return picture


SHORT = {
    "JFIF": (0xE0, b"JFIF\0"), "JFIF cut": (0xE0, b"JFIF\0\1\1\0"), "Adobe": (0xEE, b"Adobe"),
    "Exif": (0xE1, b"Exif\0\0"), "Exif cut": (0xE1, b"Exif\0\0II*\0"), "ICC": (0xE2, b"ICC_PROFILE\0"),
    "ICC cut": (0xE2, b"ICC_PROFILE\0\1"), "ICC one of two": (0xE2, b"ICC_PROFILE\0\1\2abc"), "MPF": (0xE2, b"MPF\0"),
    "Photoshop": (0xED, b"Photoshop 3.0\0008BI"), "comment": (0xFE, b""),
}  # fmt: skip


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("added", [0, 9, 60_000], ids=["too short", "length too long", "length past the end"])
def test_a_damaged_segment_beside_the_pixels_of_a_jpeg_does_not_cost_them(tmp_path, name, added):
    marker, content = SHORT[name]
    data = WHOLE[:2] + segment(marker, content, len(content) + 2 + added) + BARE

    note = surveyed(tmp_path, data, pixels(WHOLE)).warning

    if added:
        kind = "a comment" if marker == 0xFE else f"APP{marker - 0xE0}"
        assert note == f"its segments are left out: {kind} (damaged)"


@pytest.mark.parametrize("name", ["JFIF", "Adobe", "ICC"])
def test_a_segment_that_is_too_short_for_pillow_is_named(tmp_path, name):
    marker, content = SHORT[name]
    data = WHOLE[:2] + segment(marker, content) + BARE

    with pytest.raises(OSError, match="cannot identify"):
        Image.open(BytesIO(data))
    note = surveyed(tmp_path, data, pixels(WHOLE)).warning
    assert note == f"its segments are left out: APP{marker - 0xE0} (not usable)"


def test_the_small_picture_in_a_damaged_exif_segment_is_not_taken_for_the_picture(tmp_path):
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + THUMBNAIL
    comment = segment(0xFE, b"kept")

    for length in (3, 40, len(exif) + 7, 65_000):
        surveyed(tmp_path, WHOLE[:2] + segment(0xE1, exif, length) + comment + BARE, pixels(WHOLE))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}, {"subsampling": 0}], ids=str)
def test_a_jpeg_without_end_mark_is_shown_with_a_note_if_no_pixel_is_missing(tmp_path, options):
    data = encoded("JPEG", **options)

    note = surveyed(tmp_path, data[:-2], pixels(data)).warning

    assert note == "its end mark is missing, its pixels are whole"
    assert surveyed(tmp_path, data, pixels(data)).warning == ""
    assert surveyed(tmp_path, data + b"behind", pixels(data)).warning == ""


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
def test_a_jpeg_that_is_cut_in_its_pixels_is_refused(tmp_path, options):
    data = encoded("JPEG", **options)
    last_scan = data.rindex(b"\xff\xda")
    for cut in (len(data) - 6, len(data) - 40, len(data) * 3 // 4, last_scan if options else len(data) // 2):
        (tmp_path / "a.jpg").write_bytes(data[:cut])
        with pytest.raises(PictureError, match=r"a\.jpg"):
            load_picture(tmp_path / "a.jpg")


BESIDE = {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", "xmp": b"<x:xmpmeta/>" * 9, "icc_profile": b"no profile" * 20}


@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_that_is_cut_behind_its_pixels_is_shown_with_a_note(tmp_path, lossless):
    data = encoded("WEBP", lossless=lossless, **BESIDE)
    expected = pixels(data)
    xmp, exif = data.rindex(b"XMP "), data.rindex(b"EXIF")

    for cut in (len(data) - 1, len(data) - 30, xmp + 9):
        note = surveyed(tmp_path, data[:cut], expected, ".webp").warning
        assert note == "its chunks are left out: XMP (cut)"
    for cut in (xmp, xmp + 5, exif + 12):
        surveyed(tmp_path, data[:cut], expected, ".webp")


def test_a_webp_that_is_cut_in_its_pixels_is_refused(tmp_path):
    (tmp_path / "a.webp").write_bytes(encoded("WEBP", lossless=True)[:-9])

    with pytest.raises(PictureError, match=r"a\.webp"):
        load_picture(tmp_path / "a.webp")


def test_sound_files_stay_as_they_are():
    webp = encoded("WEBP", lossless=True, **BESIDE)
    for data in (WHOLE, encoded("JPEG", comment=b"a", exif=Image.Exif()), webp):
        whole = mended(BytesIO(data))
        assert whole is not None
        assert (whole.getvalue(), whole.note) == (data, "")
    assert mended(BytesIO(b"GIF89a")) is None
