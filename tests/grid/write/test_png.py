from __future__ import annotations

import io
import os
import struct
import sys
import threading
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from clip_grid.errors import InputError, LimitError
from clip_grid.grid.write import png
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@pytest.fixture(params=["zlib", "isal"])
def deflate_library(request, monkeypatch):
    """Each of the two libraries that may deflate."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    else:
        pytest.importorskip("isal.isal_zlib")
    return request.param


def photo(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Smooth shades under noise, as photographs have them."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width]
    shades = 128 + 80 * np.sin(x / 90 + y / 170)[..., None] * np.linspace(0.5, 1, channels)
    return np.clip(shades + random.normal(0, 2, (height, width, channels)), 0, 255).astype(np.uint8)


def checks(height: int, width: int) -> np.ndarray:
    """Flat squares of 12 pixels in two colours, with a third here and there."""
    y, x = np.mgrid[:height, :width] // 12
    colours = np.array([[250, 250, 250], [20, 40, 60], [200, 30, 30]], np.uint8)
    return colours[np.where((x * 7 + y * 13) % 11 == 0, 2, (x + y) % 2)]


def cut(page: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    for top in range(0, len(page), rows):
        yield page[top : top + rows]


def written(page: np.ndarray, rows: int = 100, **options: object) -> bytes:
    file = io.BytesIO()
    height, width, channels = page.shape
    png.write_png(file, width, height, cut(page, rows), channels=channels, **options)
    return file.getvalue()


def pillow_size(page: np.ndarray, level: int) -> int:
    file = io.BytesIO()
    Image.fromarray(page).save(file, "PNG", compress_level=level)
    return file.tell()


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture).reshape(picture.height, picture.width, -1)


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """Every chunk, its checksum proved."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(body),)
        chunks.append((body[:4], body[4:]))
        at += length + 12
    return chunks


def by_the_specification(data: bytes) -> np.ndarray:
    """The pixels, read step by step: checksums, one zlib stream, filter types 0 and 4."""
    chunks = chunks_of(data)
    width, height, bits, colour, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    channels = {0: 1, 2: 3, 6: 4}[colour]
    assert (bits, rest, chunks[0][0], chunks[-1]) == (8, [0, 0, 0], b"IHDR", (b"IEND", b""))
    stream = zlib.decompressobj()
    packed = stream.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    # at the end of the stream zlib has checked the Adler-32
    assert stream.eof and not stream.unused_data
    rows = np.frombuffer(packed, np.uint8).reshape(height, -1)
    above = [0] * (width * channels)
    pixels = []
    for kind, *row in rows.tolist():
        above = row if kind == 0 else undone_paeth(row, above, channels)
        pixels.append(above)
    return np.array(pixels, np.uint8).reshape(height, width, channels)


def undone_paeth(row: list[int], above: list[int], channels: int) -> list[int]:
    pixels: list[int] = []
    for i, byte in enumerate(row):
        left, up, corner = (pixels[i - channels], above[i], above[i - channels]) if i >= channels else (0, above[i], 0)
        guess = left + up - corner
        nearest = min((left, up, corner), key=lambda neighbour: abs(guess - neighbour))
        pixels.append((byte + nearest) % 256)
    return pixels


def band_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("clip-grid-band")]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_reader_that_follows_the_specification_sees_the_page(channels, deflate_library):
    random = np.random.default_rng(channels)
    page = np.concatenate([random.integers(0, top, (9, 31, channels), np.uint8) for top in (256, 4, 2)])

    assert np.array_equal(by_the_specification(written(page, 5)), page)


@pytest.mark.parametrize("make", [photo, checks])
def test_pages_of_several_blocks_come_back_equal(make, deflate_library):
    page = make(1000, 900)

    data = written(page, 333)

    assert len([kind for kind, _ in chunks_of(data) if kind == b"IDAT"]) == 2 + 3
    assert np.array_equal(by_pillow(data), page)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 700), (700, 1), (3, 70_000), (40_000, 1)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_narrow_low_and_very_wide_pages_come_back_equal(height, width, channels, deflate_library):
    page = photo(height, width, channels)

    data = written(page)

    assert np.array_equal(by_pillow(data), page)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.mode, picture.size) == (MODES[channels], (width, height))


def test_opencv_sees_the_page_too(deflate_library):
    cv2 = pytest.importorskip("cv2")
    page = photo(800, 700)

    read = cv2.imdecode(np.frombuffer(written(page), np.uint8), cv2.IMREAD_UNCHANGED)

    assert np.array_equal(read[..., ::-1], page)


@settings(max_examples=12, deadline=None)
@given(cuts=st.sets(st.integers(1, 899), max_size=12))
def test_the_file_does_not_depend_on_the_bands(cuts):
    page = np.concatenate([photo(400, 800), checks(500, 800)])
    file = io.BytesIO()

    png.write_png(file, 800, 900, np.split(page, sorted(cuts)))

    assert file.getvalue() == written(page, 900)


def test_the_file_does_not_depend_on_the_number_of_cores(monkeypatch):
    page = np.concatenate([photo(900, 900), checks(900, 900)])
    files = set()
    for cores in (1, 2, 7):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        files.add(written(page))

    assert len(files) == 1


def test_a_photograph_takes_about_the_size_that_pillow_gives_it(deflate_library):
    page = photo(700, 700)
    most = {"zlib": 1.05, "isal": 1.15}[deflate_library]

    assert len(written(page)) <= most * pillow_size(page, 4)


def test_flat_graphics_take_no_more_than_pillow_gives_them(deflate_library):
    page = checks(1200, 1200)

    assert len(written(page)) <= pillow_size(page, 4)


def test_an_empty_margin_costs_next_to_nothing(deflate_library):
    page = np.full((1000, 2000, 3), 245, np.uint8)

    assert len(written(page)) < page.size / 500


def test_texts_are_before_the_pixels_and_readable_by_comfyui():
    """ComfyUI looks in tEXt and iTXt, never in zTXt."""
    texts = {"workflow": '{"nodes": []}' * 1000, "Title": "猫 à gauche"}

    data = written(photo(4, 4), texts=texts)

    assert [kind for kind, _ in chunks_of(data)][:4] == [b"IHDR", b"tEXt", b"iTXt", b"IDAT"]
    with Image.open(io.BytesIO(data)) as picture:
        assert dict(picture.text) == texts


def test_a_text_beyond_one_mebibyte_still_opens_in_pillow():
    texts = {"workflow": "w" * 3_000_000}

    with Image.open(io.BytesIO(written(photo(4, 4), texts=texts))) as picture:
        assert dict(picture.text) == texts


def test_a_text_too_long_for_readers_is_refused_by_name():
    with pytest.raises(LimitError, match="the text 'workflow' has 8000000 bytes"):
        written(photo(4, 4), texts={"title": "fine", "workflow": "w" * 8_000_000})


def test_texts_too_long_together_are_refused_by_name():
    with pytest.raises(LimitError, match="with 'text 8' the texts have more than 67108864 bytes"):
        written(photo(4, 4), texts={f"text {n}": "w" * 7_900_000 for n in range(9)})


@pytest.mark.parametrize("key", ["", " title", "a  b", "猫", "k" * 80, "a\nb"])
def test_a_key_that_png_cannot_hold_is_refused(key):
    with pytest.raises(InputError, match="cannot name a text"):
        written(photo(4, 4), texts={key: "x"})


@pytest.mark.parametrize("text, reason", [("a\0b", "NUL"), ("a\ud800", "broken Unicode at letter 1")])
def test_a_text_that_png_cannot_hold_is_refused_by_name(text, reason):
    with pytest.raises(InputError, match=f"'title'.*{reason}"):
        written(photo(4, 4), texts={"title": text})


def test_a_page_wider_than_png_holds_is_refused():
    with pytest.raises(LimitError, match="2147483648x1"):
        png.write_png(io.BytesIO(), 2**31, 1, [])


def test_an_error_while_drawing_reaches_the_caller_and_stops_the_threads():
    def bands() -> Iterator[np.ndarray]:
        yield photo(600, 1000)
        raise KeyError("no picture")

    with pytest.raises(KeyError, match="no picture"):
        png.write_png(io.BytesIO(), 1000, 9000, bands())

    assert band_threads() == []


def test_a_full_disk_reaches_the_caller_and_stops_the_threads_and_the_drawing():
    class FullAfterTheFirstPixels(io.BytesIO):
        def write(self, data: bytes) -> int:
            if len(data) > 1000:
                raise OSError(28, "No space left on device")
            return super().write(data)

    drawn = []
    bands = (drawn.append(n) or photo(350, 1000) for n in range(100))
    with pytest.raises(OSError, match="No space"):
        png.write_png(FullAfterTheFirstPixels(), 1000, 35_000, bands)

    assert len(drawn) <= 3 * (os.cpu_count() or 1) + 2
    assert band_threads() == []


def test_bands_are_drawn_only_a_few_blocks_ahead_of_the_file(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    file = io.BytesIO()
    band = photo(350, 1000)
    ahead = []

    def bands() -> Iterator[np.ndarray]:
        for number in range(12):
            ahead.append(number - file.getvalue().count(b"IDAT"))
            yield band

    png.write_png(file, 1000, 12 * 350, bands())

    assert max(ahead) <= 3 * 2 + 1
