from __future__ import annotations

import gc
import io
import pickle
import struct
import threading
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from clip_grid import frames as frames_of
from clip_grid import imaging
from clip_grid.arrays import array_to_pixels, picture_of
from clip_grid.errors import InputError, PictureError
from clip_grid.grid.pictures.survey import Picture, survey_files
from clip_grid.imaging import (
    MAX_PIXELS,
    content_hash,
    load_picture,
    open_picture,
    orientation,
    to_rgb,
    upright_rgb,
    upright_size,
)
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin

HAS_AVIF = "AVIF" in imaging._known_formats()
needs_avif = pytest.mark.skipif(not HAS_AVIF, reason="this Pillow cannot read AVIF")

#: What a camera held in each way stores of an upright picture: the turn that the orientation then undoes.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a[::-1].transpose(1, 0, 2)[::-1, ::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a[:, ::-1].transpose(1, 0, 2)[::-1, ::-1],
}


def quarters(width: int, height: int) -> np.ndarray:
    """Red and green above blue and yellow."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = 255, 0, 0
    pixels[: height // 2, width // 2 :] = 0, 255, 0
    pixels[height // 2 :, : width // 2] = 0, 0, 255
    pixels[height // 2 :, width // 2 :] = 255, 255, 0
    return pixels


def corner_names(image: Image.Image) -> list[str]:
    """The colour in the middle of each quarter: upper left, upper right, lower left, lower right."""
    known = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
    rgb = image.convert("RGB")
    width, height = rgb.size
    places = [(width // 4, height // 4), (width * 3 // 4, height // 4)]
    places += [(width // 4, height * 3 // 4), (width * 3 // 4, height * 3 // 4)]
    names = []
    for place in places:
        pixel = np.array(rgb.getpixel(place), int)
        names.append(min(known, key=lambda name: int(np.abs(pixel - known[name]).sum())))
    return names


def turned_file(folder: Path, format: str, turn: int, *, width: int = 48, height: int = 32) -> Path:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    stored = np.ascontiguousarray(STORED[turn](quarters(width, height)))
    path = folder / f"turn{turn}.{format.lower()}"
    Image.fromarray(stored).save(path, format, exif=exif)
    return path


@pytest.mark.parametrize("turn", range(1, 9))
def test_pillow_turns_the_stored_pictures_of_these_tests_upright(turn):
    image = Image.fromarray(np.ascontiguousarray(STORED[turn](quarters(48, 32))))
    image.getexif()[ExifTags.Base.Orientation] = turn

    assert (np.asarray(ImageOps.exif_transpose(image)) == quarters(48, 32)).all()


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", pytest.param("AVIF", marks=needs_avif)])
def test_every_orientation_of_every_format_stands_upright(tmp_path, format, turn):
    path = turned_file(tmp_path, format, turn)

    with open_picture(path) as image:
        size = upright_size(image)
    picture = load_picture(path)

    assert size == picture.size == (48, 32)
    assert corner_names(picture) == ["red", "green", "blue", "yellow"]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
def test_a_compressed_tiff_is_turned_once(tmp_path, compression):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = Image.fromarray(np.ascontiguousarray(STORED[6](quarters(48, 32))))
    stored.save(tmp_path / "a.tif", compression=compression, exif=exif)

    picture = load_picture(tmp_path / "a.tif")

    assert picture.size == (48, 32)
    assert corner_names(picture) == ["red", "green", "blue", "yellow"]


def test_a_portrait_photo_stands_upright_when_it_is_decoded_smaller(tmp_path):
    path = turned_file(tmp_path, "JPEG", 6, width=640, height=960)

    picture = load_picture(path, (64, 96))

    assert picture.width < picture.height
    assert corner_names(picture) == ["red", "green", "blue", "yellow"]


@pytest.mark.parametrize("wanted", [(1, 1), (50, 50), (80, 60), (160, 120), (321, 10), (640, 480), (9999, 9999)])
def test_a_jpeg_is_never_decoded_to_less_than_twice_what_is_wanted(tmp_path, wanted):
    Image.fromarray(quarters(640, 480)).save(tmp_path / "a.jpg")

    width, height = load_picture(tmp_path / "a.jpg", wanted).size

    assert width >= min(640, 2 * wanted[0]) and height >= min(480, 2 * wanted[1])
    assert 640 * height == 480 * width


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path, value):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    Image.fromarray(quarters(48, 32)).save(tmp_path / "a.jpg", exif=exif)

    with open_picture(tmp_path / "a.jpg") as image:
        assert orientation(image) == 1
    assert load_picture(tmp_path / "a.jpg").size == (48, 32)


def test_damaged_exif_turns_nothing_and_costs_nothing(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png", exif=exif.tobytes()[:14] + b"\xff\xff")

    assert load_picture(tmp_path / "a.png").size == (6, 4)


def test_the_size_of_a_png_is_known_without_decoding_it(tmp_path, monkeypatch):
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png")

    def refuse(self: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", refuse)
    with open_picture(tmp_path / "a.png") as image:
        assert upright_size(image) == (6, 4)


def test_a_pil_picture_that_was_turned_already_is_not_turned_again(tmp_path):
    with Image.open(turned_file(tmp_path, "TIFF", 6)) as image:
        image.load()

        assert upright_size(image) == (48, 32)
        assert corner_names(upright_rgb(image, "a")) == ["red", "green", "blue", "yellow"]


# how each kind of pixel is converted


def saved(image: Image.Image, path: Path, **how: object) -> Image.Image:
    image.save(path, **how)
    return load_picture(path)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_ramp_of_16_bit_is_not_clipped_to_white(tmp_path, ending):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None]

    picture = saved(Image.fromarray(ramp), tmp_path / f"a.{ending}")

    grey = np.asarray(picture)[0]
    assert picture.mode == "RGB" and (grey == grey[:, :1]).all()
    assert grey[:, 0].tolist() == [round(value / 257) for value in ramp[0].tolist()]


def test_a_palette_with_a_transparent_colour_has_no_black_box(tmp_path):
    image = Image.new("P", (4, 2), 0)
    image.putpalette([0, 0, 0, 255, 0, 0] + [0] * 762)
    image.putpixel((3, 1), 1)

    for ending in ("png", "gif"):
        picture = saved(image, tmp_path / f"a.{ending}", transparency=0)

        assert picture.mode == "RGBA"
        assert picture.getpixel((0, 0))[3] == 0
        assert picture.getpixel((3, 1)) == (255, 0, 0, 255)


def test_half_transparent_palette_colours_stay_half_transparent(tmp_path):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([10, 20, 30, 255, 0, 0] + [0] * 762)
    image.putpixel((1, 0), 1)

    picture = saved(image, tmp_path / "a.png", transparency=bytes([128, 255]))

    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(10, 20, 30, 128), (255, 0, 0, 255)]


def test_one_transparent_colour_of_rgb_grey_and_1_bit_pictures_is_kept(tmp_path):
    rgb = saved(Image.new("RGB", (2, 2), (1, 2, 3)), tmp_path / "rgb.png", transparency=(1, 2, 3))
    grey = saved(Image.new("L", (2, 2), 7), tmp_path / "grey.png", transparency=7)
    bits = saved(Image.new("1", (2, 2), 0), tmp_path / "bits.png", transparency=0)

    assert [picture.mode for picture in (rgb, grey, bits)] == ["RGBA"] * 3
    assert [picture.getpixel((0, 0))[3] for picture in (rgb, grey, bits)] == [0, 0, 0]


def test_grey_with_alpha_keeps_both(tmp_path):
    assert saved(Image.new("LA", (2, 2), (200, 50)), tmp_path / "a.png").getpixel((1, 1)) == (200, 200, 200, 50)


def test_black_and_white_is_not_grey(tmp_path):
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)

    for ending in ("png", "tif", "bmp"):
        picture = saved(image, tmp_path / f"a.{ending}")

        assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_cmyk_is_not_inverted(tmp_path, ending):
    picture = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / f"a.{ending}")

    red, green, blue = picture.getpixel((8, 8))
    assert picture.mode == "RGB" and red > 230 and green < 25 and blue < 25


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.5, 1], [0, 128, 255]),
        ([0, 1, 1.05], [0, 255, 255]),
        ([-3, 0.25, 4], [0, 64, 255]),
        ([0, 100, 255], [0, 100, 255]),
        ([0, 32767.5, 65535], [0, 128, 255]),
        ([np.nan, np.inf, -np.inf], [0, 255, 0]),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_a_float_tiff_keeps_its_brightness(tmp_path, values, expected):
    picture = saved(Image.fromarray(np.array([values], np.float32)), tmp_path / "a.tif")

    assert np.asarray(picture)[0, :, 0].tolist() == expected


def test_whole_numbers_of_32_bit_are_read_as_16_bit():
    picture = to_rgb(Image.fromarray(np.array([[-5, 0, 32768, 65535, 99999]], np.int32)))

    assert np.asarray(picture)[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16", "I;16B", "RGBX"]
)
def test_every_opaque_mode_becomes_rgb(mode):
    assert to_rgb(Image.new(mode, (3, 2))).mode == "RGB"


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa"])
def test_every_mode_with_alpha_becomes_rgba(mode):
    assert to_rgb(Image.new(mode, (3, 2))).mode == "RGBA"


def test_a_colour_profile_does_not_get_in_the_way(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    assert saved(Image.new("RGB", (2, 2), "red"), tmp_path / "a.png", icc_profile=profile).getpixel((0, 0)) == (
        255,
        0,
        0,
    )


@pytest.mark.parametrize("ending", ["png", "gif", "webp", "tif", pytest.param("avif", marks=needs_avif)])
def test_the_first_the_chosen_or_the_last_frame_is_shown(tmp_path, ending):
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "lime", "blue")]
    path = tmp_path / f"a.{ending}"
    how = {"lossless": True} if ending == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, **how)

    def color(frame: int) -> list[int]:
        return [value // 200 for value in load_picture(path, frame=frame).convert("RGB").getpixel((8, 8))]

    assert color(0) == [1, 0, 0]
    assert color(1) == [0, 1, 0]
    assert color(2) == color(99) == [0, 0, 1]


def test_a_still_picture_has_one_frame(tmp_path):
    Image.new("RGB", (2, 2), "red").save(tmp_path / "a.bmp")

    assert load_picture(tmp_path / "a.bmp", frame=5).getpixel((0, 0)) == (255, 0, 0)


def test_pages_of_a_tiff_have_their_own_size(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.tif", save_all=True, append_images=[Image.new("RGB", (5, 3))])

    with open_picture(tmp_path / "a.tif", frame=1) as image:
        assert upright_size(image) == (5, 3)


def test_the_result_is_not_tied_to_the_file(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        picture = saved(Image.new("RGB", (2, 2), "red"), tmp_path / "a.png")
        (tmp_path / "a.png").unlink()
        picture.putpixel((0, 0), (1, 2, 3))
        gc.collect()

    assert picture.getpixel((0, 0)) == (1, 2, 3)


# files that cannot be used


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def test_a_bomb_of_400_megapixels_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_claiming(20_000, 20_000))
    started = time.monotonic()

    with pytest.raises(PictureError, match=r"bomb\.png: too large \(400 megapixels\); pictures above 178 megapixels"):
        open_picture(tmp_path / "bomb.png")
    assert time.monotonic() - started < 1


def test_the_limit_holds_where_the_host_has_switched_off_pillows_own(tmp_path, monkeypatch):
    (tmp_path / "bomb.png").write_bytes(png_claiming(20_000, 20_000))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)

    with pytest.raises(PictureError, match="400 megapixels"):
        open_picture(tmp_path / "bomb.png")


def test_what_pillow_only_warns_about_is_opened_in_silence(tmp_path):
    (tmp_path / "large.png").write_bytes(png_claiming(10_000, 10_000))

    with open_picture(tmp_path / "large.png") as image:  # warnings are errors here
        assert image.width * image.height < MAX_PIXELS


def float_tiff() -> bytes:
    """One RGB pixel of 32-bit floats."""
    tags = [(256, 1), (257, 1), (258, 32), (259, 1), (262, 2), (273, 8), (277, 3), (278, 1), (279, 12), (339, 3)]
    entries = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags)
    pixel = struct.pack("<3f", 0, 0.5, 1)
    return b"II*\0" + struct.pack("<I", 20) + pixel + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"these are words, not pixels\n", "not a picture that can be read"),
        (b"\x89PNG\r\n\x1a\n", "not a picture that can be read"),
        (b"\0" * 5000, "not a picture that can be read"),
        # three floats for each pixel, which Pillow has no mode for
        (float_tiff(), "a TIFF that is damaged, or whose pixels are of a kind that is not read; save it as PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not a picture that can be read"),
    ],
)
def test_a_file_that_is_no_picture_says_so(tmp_path, content, reason):
    (tmp_path / "notes.png").write_bytes(content)

    with pytest.raises(PictureError, match=reason) as caught:
        open_picture(tmp_path / "notes.png")
    assert caught.value.name == str(tmp_path / "notes.png")


def test_a_missing_file_and_a_folder_say_so(tmp_path):
    (tmp_path / "x.png").mkdir()

    with pytest.raises(PictureError, match=r"no\.png: cannot be opened \(No such file.*; check the path"):
        open_picture(tmp_path / "no.png")
    with pytest.raises(PictureError, match=r"x\.png: it is a folder, not a file"):
        open_picture(tmp_path / "x.png")


def test_a_file_that_ends_in_its_header_is_called_damaged(tmp_path):
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n garbage")

    with pytest.raises(PictureError, match=r"cannot be opened \(.*\); it is damaged, make or fetch it again"):
        open_picture(tmp_path / "x.png")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_a_truncated_file_is_refused_by_name(tmp_path, format):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole", format)
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(PictureError, match=r"half\.png"):
        load_picture(tmp_path / "half.png")


def test_a_damaged_chunk_beside_the_pixels_does_not_refuse_a_png(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a cat")
    text.add_text("kept", "yes")
    profile = bytes(200)
    Image.new("RGB", (3, 2), "red").save(tmp_path / "a.png", pnginfo=text, icc_profile=profile, dpi=(72, 72))
    whole = (tmp_path / "a.png").read_bytes()

    for damaged in (
        whole.replace(b"a cat", b"a cut"),
        whole.replace(b"iCCPICC", b"iCCPXCC"),
        whole.replace(b"pHYs\0", b"pHYs\1"),
    ):
        assert damaged != whole
        (tmp_path / "b.png").write_bytes(damaged)
        with open_picture(tmp_path / "b.png") as image:
            assert image.info["kept"] == "yes"
        assert load_picture(tmp_path / "b.png").getpixel((2, 1)) == (255, 0, 0)
        assert load_picture(tmp_path / "b.png", data=damaged).size == (3, 2)


def test_a_frame_past_what_can_be_reached_at_once_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(frames_of, "MAX_FRAMES", 20)
    frames = [Image.new("L", (1, 1), number) for number in range(30)]
    for name in ("many.tif", "many.gif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        with pytest.raises(PictureError, match="has more than 20 frames"):
            open_picture(tmp_path / name, frame=1_000_000)
    frames[0].save(tmp_path / "few.gif", save_all=True, append_images=frames[1:9])

    with open_picture(tmp_path / "few.gif", frame=1_000_000) as image:
        assert image.tell() == 8


def test_an_error_keeps_its_parts_when_it_is_pickled():
    error = pickle.loads(pickle.dumps(PictureError("a.png", "the file is empty")))

    assert (str(error), error.name, error.reason) == ("a.png: the file is empty", "a.png", "the file is empty")


# mutated files: nothing but PictureError, and no warning


def small_files() -> dict[str, bytes]:
    """A few hundred bytes of each format and of the options that take other ways through Pillow's readers."""
    rgb = Image.fromarray(np.random.default_rng(2).integers(0, 256, (9, 11, 3), np.uint8))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Software] = "a program"
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a cat\nSteps: 20, Seed: 1", zip=True)
    text.add_itxt("prompt", "{}")
    frames = {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)]}
    made: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "png": (rgb, "PNG", {"exif": exif, "pnginfo": text, "dpi": (72, 72)}),
        "apng": (rgb, "PNG", frames),
        "palette": (rgb.quantize(8), "PNG", {"transparency": 1}),
        "16 bit": (Image.fromarray(np.arange(99, dtype=np.uint16).reshape(9, 11)), "PNG", {}),
        "jpeg": (rgb, "JPEG", {"exif": exif, "comment": b"hello", "dpi": (72, 72)}),
        "cmyk": (rgb.convert("CMYK"), "JPEG", {"progressive": True}),
        "webp": (rgb, "WEBP", {"exif": exif}),
        "webp frames": (rgb, "WEBP", frames),
        "tiff": (rgb, "TIFF", {"exif": exif}),
        "tiff lzw": (rgb, "TIFF", {"compression": "tiff_lzw"}),
        "tiff pages": (rgb, "TIFF", frames),
        "tiff float": (rgb.convert("F"), "TIFF", {}),
        "bmp": (rgb, "BMP", {}),
        "bmp palette": (rgb.quantize(8), "BMP", {}),
        "gif": (rgb, "GIF", {"comment": b"hello"}),
        "gif frames": (rgb, "GIF", frames),
    }
    if HAS_AVIF:
        made["avif"] = (rgb, "AVIF", {"exif": exif, "speed": 10})
    files = {}
    for name, (image, format, how) in made.items():
        file = io.BytesIO()
        image.save(file, format, **how)
        files[name] = file.getvalue()
    return files


def mutated(whole: bytes, random: np.random.Generator) -> bytes:
    """The file with a few bytes changed, most of them near its start, or a piece cut out, doubled or cut off."""
    data = bytearray(whole)
    way = random.integers(0, 8)
    if way == 0:
        return bytes(data[: random.integers(1, len(data))])
    if way == 1:
        start = random.integers(0, len(data))
        return bytes(data[:start] + data[start + random.integers(1, 20) :])
    if way == 2:
        start = random.integers(0, len(data))
        return bytes(data[:start] + data[start : start + 20] + data[start:])
    reach = len(data) if way < 5 else min(len(data), 200)
    for _ in range(random.integers(1, 6)):
        data[random.integers(0, reach)] = random.choice([0, 1, 2, 127, 128, 255, random.integers(0, 256)])
    return bytes(data)


def with_right_checksums(data: bytes) -> bytes:
    """A PNG whose chunks pass the first test, so that their content is read."""
    fixed, at = bytearray(data), 8
    while data.startswith(b"\x89PNG") and at + 12 <= len(fixed):
        end = at + 8 + int.from_bytes(fixed[at : at + 4], "big")
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = struct.pack(">I", zlib.crc32(fixed[at + 4 : end]))
        at = end + 4
    return bytes(fixed)


@pytest.mark.parametrize("name", sorted(small_files()))
def test_a_damaged_file_is_a_picture_or_a_picture_error(tmp_path, name, monkeypatch):
    # a few bytes can claim a picture that takes seconds to decode
    monkeypatch.setattr(imaging, "MAX_PIXELS", 300_000)
    whole = small_files()[name]
    random = np.random.default_rng(zlib.crc32(name.encode()))
    path = tmp_path / "x.png"

    for number in range(24):
        path.write_bytes(with_right_checksums(mutated(whole, random)))
        [found] = [*(survey := survey_files([(path, "x")])).pictures, *survey.skipped]
        for frame in (0, number % 3):
            try:
                picture = load_picture(path, (5, 5), frame=frame)
            except PictureError as error:
                assert error.name == str(path)
            else:
                assert picture.mode in ("RGB", "RGBA")
        assert isinstance(found, Picture) or found.reason


def test_warnings_of_others_are_shown_as_before(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    before = list(warnings.filters)

    with imaging.without_warnings, pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", UserWarning, stacklevel=1)
    threads = [threading.Thread(target=load_picture, args=(tmp_path / "a.png",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(warnings.filters) == before


# arrays


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_scaled_rounded_and_clipped(dtype):
    values = np.array([[0, 1, 0.5, -7, 3, np.nan, np.inf, -np.inf]], dtype)

    pixels = array_to_pixels(values)

    assert pixels.dtype == np.uint8 and pixels.shape == (1, 8, 3)
    assert pixels[0, :, 0].tolist() == [0, 255, 128, 0, 255, 0, 255, 0]
    assert (pixels == pixels[:, :, :1]).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_largest_and_smallest_floats_are_clipped_in_silence(dtype):
    limits = np.finfo(dtype)

    assert array_to_pixels(np.array([[limits.max, limits.min, limits.tiny]], dtype))[0, :, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_level_of_8_bit_survives_the_way_to_float_and_back(dtype):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)

    assert (array_to_pixels((levels / 255).astype(dtype))[:, :, 0] == levels).all()


def test_half_precision_is_read_as_the_float32_of_the_same_value():
    values = np.linspace(-0.5, 1.5, 999, dtype=np.float16)[None]

    assert (array_to_pixels(values) == array_to_pixels(values.astype(np.float32))).all()


def test_the_given_array_is_not_changed():
    values = np.array([[2.0, -1.0, np.nan]], np.float32)

    array_to_pixels(values)

    assert values[0, :2].tolist() == [2.0, -1.0] and np.isnan(values[0, 2])


@pytest.mark.parametrize(("channels", "mode"), [(1, "RGB"), (3, "RGB"), (4, "RGBA")])
def test_one_three_and_four_channels_become_pictures(channels, mode):
    values = np.zeros((4, 5, channels), np.float32)
    values[..., -1] = 1

    picture = picture_of(values)

    assert (picture.mode, picture.size) == (mode, (5, 4))
    assert picture.getpixel((0, 0)) == {1: (255, 255, 255), 3: (0, 0, 255), 4: (0, 0, 0, 255)}[channels]


def test_slices_and_flipped_views_are_read_as_they_look():
    values = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)

    assert (np.asarray(picture_of(values[::-1, ::2])) == values[::-1, ::2]).all()


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2), (2, 2, 5), (1, 2, 2, 3), (0, 2, 3), (2, 0, 3), (2, 2, 0)])
def test_other_shapes_are_refused_with_the_shape(shape):
    with pytest.raises(InputError, match="has the shape"):
        array_to_pixels(np.zeros(shape, np.float32))


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.bool_, np.complex64])
def test_other_kinds_of_number_are_refused_by_name(dtype):
    with pytest.raises(InputError, match=np.dtype(dtype).name):
        array_to_pixels(np.zeros((2, 2, 3), dtype))


def test_a_hash_names_its_algorithm():
    # the well-known digest of no bytes
    expected = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    assert content_hash(b"") == content_hash(memoryview(b"")) == expected
