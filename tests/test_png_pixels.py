"""PNG files decoded by PyAV: pixel by pixel as Pillow decodes them, or left to Pillow."""

import importlib
import io
import struct
import sys
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

pytest.importorskip("av")

from clip_grid import png_pixels
from clip_grid.errors import PictureError
from clip_grid.imaging import load_picture
from clip_grid.png_pixels import buffer_bytes, fast_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 3: 2, 4: 6}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@pytest.fixture(autouse=True, params=["isal", "zlib"])
def inflated_by(request, monkeypatch):
    """Each test with isal, if it is installed, and without; PyAV counts as imported."""
    importlib.import_module("av")
    if request.param == "isal":
        pytest.importorskip("isal")
    else:
        monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)


def noise(height, width, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def filtered(rows, channels, number):
    """Rows [H, W * C] with one filter of the specification, byte by byte."""
    out = bytearray()
    above = bytes(rows.shape[1])
    for row in map(bytes, rows):
        out.append(number)
        for at, value in enumerate(row):
            left = row[at - channels] if at >= channels else 0
            up, corner = above[at], above[at - channels] if at >= channels else 0
            near = min((left, up, corner), key=lambda each: abs(left + up - corner - each))
            out.append((value - (0, left, up, (left + up) // 2, near)[number]) % 256)
        above = row
    return bytes(out)


def png(pixels, filter_number=0, *, before=(), behind=(), stream=None, header=None, cuts=3):
    """A file written by hand; stream: instead of the pixels' own zlib stream."""
    height, width, channels = pixels.shape
    if stream is None:
        stream = zlib.compress(filtered(pixels.reshape(height, -1), channels, filter_number))
    head = header or struct.pack(">IIBBBBB", width, height, 8, COLOR_TYPES[channels], 0, 0, 0)
    size = -(-len(stream) // cuts)
    data = [chunk(b"IDAT", stream[at : at + size]) for at in range(0, len(stream), size)]
    return b"".join([SIGNATURE, chunk(b"IHDR", head), *before, *data, *behind, chunk(b"IEND", b"")])


def saved(pixels, **how):
    """A file written by Pillow."""
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG", **how)
    return file.getvalue()


def fast(data):
    with Image.open(io.BytesIO(data)) as opened:
        return fast_png(opened)


def outcome(path, by_pyav):
    """What loading a file gives: pixels and mode, or the error's text."""
    with pytest.MonkeyPatch.context() as patch:
        if not by_pyav:
            patch.setitem(sys.modules, "av", None)
        try:
            picture = load_picture(path)
        except PictureError as error:
            return str(error)
    return picture.mode, picture.size, picture.tobytes()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("filter_number", range(5))
def test_every_filter_is_undone_as_the_specification_says(channels, filter_number):
    for height, width in ((1, 1), (1, 37), (41, 1), (23, 29)):
        pixels = noise(height, width, channels)

        picture = fast(png(pixels, filter_number))

        assert picture.mode == MODES[channels]
        assert np.array_equal(np.asarray(picture).reshape(pixels.shape), pixels)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("level", [0, 1, 4, 9])
def test_pixels_are_those_of_pillow(mode, level):
    smooth = np.add.outer(np.arange(300), 2 * np.arange(120))[:, :, None] // 3 + np.arange(len(mode)) * 40
    for pixels in (noise(300, 400, len(mode)), (smooth % 256).astype(np.uint8)):
        file = io.BytesIO()
        Image.fromarray(pixels.squeeze(), mode).save(file, "PNG", compress_level=level)

        assert np.array_equal(np.asarray(fast(file.getvalue())), pixels.squeeze())


def test_rows_longer_than_a_block_of_deflate_are_whole():
    pixels = noise(3, 30_000, 4)

    assert np.array_equal(np.asarray(fast(saved(pixels))), pixels)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([1, 3, 4]), st.integers(0, 9), st.integers(0, 99))
def test_pictures_of_any_size_are_those_of_pillow(height, width, channels, level, seed):
    rng = np.random.default_rng(seed)
    # from flat to noisy, so that Pillow chooses all kinds of filters, row by row
    smooth = np.cumsum(rng.integers(-2, 3, (height, width, channels)), axis=seed % 2) * (seed % 7)
    data = saved((smooth % 256).astype(np.uint8), compress_level=level)

    picture = fast(data)

    with Image.open(io.BytesIO(data)) as by_pillow:
        assert (picture.mode, picture.size) == (by_pillow.mode, by_pillow.size)
        assert picture.tobytes() == by_pillow.tobytes()


def test_texts_profile_and_gamma_stay_and_change_no_stored_value():
    texts = PngInfo()
    texts.add_text("parameters", "a cat")
    texts.add(b"gAMA", struct.pack(">I", 100_000))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = io.BytesIO()
    pixels = noise(20, 30, 3)
    Image.fromarray(pixels).save(file, "PNG", pnginfo=texts, icc_profile=profile)

    picture = fast(file.getvalue())

    assert np.array_equal(np.asarray(picture), pixels)
    with Image.open(file) as by_pillow:
        by_pillow.load()
        assert picture.info == by_pillow.info
    assert picture.info["parameters"] == "a cat" and picture.info["icc_profile"] == profile


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_orientation_is_obeyed(tmp_path, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(noise(20, 30, 3)).save(tmp_path / "a.png", exif=exif)

    assert outcome(tmp_path / "a.png", by_pyav=True) == outcome(tmp_path / "a.png", by_pyav=False)
    assert load_picture(tmp_path / "a.png").size == ((30, 20) if turn < 5 else (20, 30))


def test_a_wide_gamut_profile_is_converted_to_srgb(tmp_path):
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    at = profile.index(b"rXYZ", 128)
    start = struct.unpack_from(">I", profile, at + 4)[0] + 8
    # less red, so that the same numbers are another color
    struct.pack_into(">i", profile, start, struct.unpack_from(">i", profile, start)[0] * 3 // 4)
    pixels = np.full((8, 8, 3), (200, 60, 60), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=bytes(profile))

    assert outcome(tmp_path / "a.png", by_pyav=True) == outcome(tmp_path / "a.png", by_pyav=False)
    assert load_picture(tmp_path / "a.png").getpixel((0, 0)) != (200, 60, 60)


def other_kinds():
    """Files that Pillow must decode, by what is special about them."""
    pixels = noise(9, 12, 3)
    plain = filtered(pixels.reshape(9, -1), 3, 0)
    yield "key color", png(pixels, before=[chunk(b"tRNS", bytes(6))])
    yield "suggested palette", png(pixels, before=[chunk(b"PLTE", bytes(6))])
    yield "text behind the pixels", png(pixels, behind=[chunk(b"tEXt", b"a\0b")])
    yield "something behind its end", png(pixels) + b"more"
    yield "animation", png(pixels, before=[chunk(b"acTL", struct.pack(">II", 1, 0))])
    yield "too few rows", png(pixels, stream=zlib.compress(plain[:-37]))
    yield "too many rows", png(pixels, stream=zlib.compress(plain + plain))
    yield "no end of its stream", png(pixels, stream=zlib.compress(plain)[:-6])
    yield "wrong checksum of its stream", png(pixels, stream=zlib.compress(plain)[:-1] + b"?")
    yield "more after its stream", png(pixels, stream=zlib.compress(plain) + b"more")
    yield "unknown filter", png(pixels, stream=zlib.compress(bytes([5]) + plain[1:]))
    yield "no zlib stream", png(pixels, stream=b"nothing that can be inflated")
    yield "cut", png(pixels)[:-30]
    for mode, how in (("P", {}), ("1", {}), ("I;16", {}), ("LA", {})):
        file = io.BytesIO()
        Image.new(mode, (12, 9)).save(file, "PNG", **how)
        yield mode, file.getvalue()
    # Adam7: seven small pictures of one pixel in all
    yield "interlaced", png(noise(1, 1, 3), header=struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 1))
    file = io.BytesIO()
    Image.new("RGB", (12, 9)).save(file, "JPEG")
    yield "JPEG", file.getvalue()


@pytest.mark.parametrize(
    ("what", "data"), list(other_kinds()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_everything_else_is_left_to_pillow_and_ends_as_there(tmp_path, what, data):
    (tmp_path / "a.png").write_bytes(data)

    with Image.open(tmp_path / "a.png") as opened:
        assert fast_png(opened) is None
    assert outcome(tmp_path / "a.png", by_pyav=True) == outcome(tmp_path / "a.png", by_pyav=False)


def test_damaged_files_end_as_with_pillow(tmp_path):
    path, rng = tmp_path / "a.png", np.random.default_rng(1)
    whole = png(noise(24, 32, 3), 4, before=[chunk(b"tEXt", b"parameters\0a cat")])
    for number in range(120):
        data = bytearray(whole)
        if number % 4:
            data[int(rng.integers(8, len(data)))] ^= 1 << int(rng.integers(8))
        else:
            del data[int(rng.integers(8, len(data))) :]
        path.write_bytes(data)

        assert outcome(path, by_pyav=True) == outcome(path, by_pyav=False), number


def test_a_stream_that_swells_is_not_inflated_to_its_end():
    data = png(noise(9, 12, 3), stream=zlib.compress(bytes(50_000_000)))
    tracemalloc.start()
    try:
        assert fast(data) is None
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_pillow_can_still_decode_what_was_decoded():
    pixels = noise(40, 50, 3)
    with Image.open(io.BytesIO(png(pixels, 4))) as opened:
        assert fast_png(opened) is not None

        assert np.array_equal(np.asarray(opened), pixels)


def test_large_pictures_are_left_to_pillow_and_need_no_buffer(monkeypatch):
    data = png(noise(40, 50, 3))
    with Image.open(io.BytesIO(data)) as opened:
        assert buffer_bytes(opened) == 12 * 40 * 50 + png_pixels.MOST_BESIDE
        monkeypatch.setattr(png_pixels, "MOST_PIXELS", 1999)
        assert buffer_bytes(opened) == 0
        assert fast_png(opened) is None


def test_files_with_much_beside_their_pixels_are_left_to_pillow(monkeypatch):
    pixels = noise(4, 5, 3)
    data = png(pixels, before=[chunk(b"tEXt", b"workflow\0" + bytes(3000))])
    with Image.open(io.BytesIO(data)) as opened:
        assert fast_png(opened) is not None
        monkeypatch.setattr(png_pixels, "MOST_BESIDE", 2000)
        assert fast_png(opened) is None
        assert np.array_equal(np.asarray(opened), pixels)


def test_threads_may_decode_at_once():
    pictures = [noise(100, 120, 3, seed) for seed in range(24)]
    files = [saved(pixels, compress_level=1) for pixels in pictures]
    with ThreadPoolExecutor(8) as pool:
        for pixels, picture in zip(pictures, pool.map(fast, files), strict=True):
            assert np.array_equal(np.asarray(picture), pixels)


@pytest.fixture
def not_imported(monkeypatch):
    """PyAV is installed, and nothing has imported it yet; holds what would be imported."""
    asked = []
    monkeypatch.delitem(sys.modules, "av")
    monkeypatch.setattr(png_pixels, "_seen", png_pixels._Seen())
    monkeypatch.setattr(png_pixels, "_first_import", asked.append)
    return asked


def test_pyav_is_imported_once_it_is_worth_it(monkeypatch, tmp_path, not_imported):
    (tmp_path / "a.png").write_bytes(png(noise(64, 4, 3)))
    monkeypatch.setattr(png_pixels, "WORTH_AN_IMPORT", 8 * 64 * 4)
    for _ in range(7):
        load_picture(tmp_path / "a.png")
    assert not_imported == []
    load_picture(tmp_path / "a.png")
    assert not_imported == ["av"]


def test_a_sheet_of_four_pictures_does_not_import_pyav(not_imported):
    header = struct.pack(">IIBBBBB", 1024, 1024, 8, 2, 0, 0, 0)
    with Image.open(io.BytesIO(png(noise(1, 1, 3), header=header))) as opened:
        for _ in range(4):
            assert fast_png(opened) is None
    assert not_imported == []


def test_without_pyav_pillow_decodes(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with Image.open(io.BytesIO(png(noise(4, 5, 3)))) as opened:
        assert fast_png(opened) is None
        assert buffer_bytes(opened) == 0


def test_what_is_installed_is_looked_at_anew_each_time(monkeypatch):
    inflated = []
    monkeypatch.setattr(png_pixels, "_first_import", lambda name: inflated.append(name))
    monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    assert png_pixels._imported("isal.isal_zlib") is None
    assert inflated == []
    monkeypatch.delitem(sys.modules, "isal.isal_zlib")
    png_pixels._imported("isal.isal_zlib")
    assert inflated == ["isal.isal_zlib"]
