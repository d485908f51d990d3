"""A PNG file is shown whatever is wrong beside its pixels; what is left out of it is named."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from clip_grid.errors import PictureError
from clip_grid.grid.pictures.metadata.embedded import texts_behind_pixels
from clip_grid.grid.pictures.survey import Picture, data_warnings, survey_files
from clip_grid.imaging import load_picture, open_picture
from clip_grid.mending import mended
from clip_grid.png_chunks import png_chunks
from PIL import Image

COLORS = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
MIB = 1 << 20


def chunk(kind: bytes, data: bytes, *, damaged: bool = False, length: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + data) ^ damaged
    return struct.pack(">I", len(data) if length is None else length) + kind + data + struct.pack(">I", checksum)


def encoded() -> bytes:
    file = BytesIO()
    Image.fromarray(COLORS).save(file, "PNG")
    return file.getvalue()


WHOLE = encoded()
PIXELS, END = WHOLE.index(b"IDAT") - 4, WHOLE.index(b"IEND") - 4
SEED = chunk(b"tEXt", b"parameters\0a cat\nSteps: 20, Sampler: Euler, Seed: 5")
#: A sound chunk of each kind that cameras and image programs write beside the pixels.
BESIDE = {
    b"tEXt": b"name\0text",
    b"zTXt": b"name\0\0" + zlib.compress(b"text"),
    b"iTXt": b"name\0\0\0\0\0text",
    b"iCCP": b"name\0\0" + zlib.compress(bytes(200)),
    b"eXIf": b"II*\0\x08\0\0\0\0\0\0\0",
    b"pHYs": bytes(9),
    b"gAMA": b"\0\0\xb1\x8f",
    b"cHRM": bytes(32),
    b"sRGB": b"\0",
    b"tRNS": b"\0\1\0\1\0\1",
    b"tIME": bytes(7),
    b"bKGD": bytes(6),
    b"caBX": b"a signature",
    b"\0\1\2\3": b"no kind at all",
}


def file_of(before: bytes = b"", after: bytes = b"") -> bytes:
    """The picture with chunks before and after those of its pixels, the first of which has its seed."""
    return WHOLE[:PIXELS] + SEED + before + WHOLE[PIXELS:END] + after + WHOLE[END:]


def surveyed(folder: Path, data: bytes) -> Picture:
    """The picture as a sheet takes it; that it has the right pixels and its seed is checked here."""
    (folder / "a.png").write_bytes(data)
    (picture,) = survey_files([(folder / "a.png", "a.png")]).pictures
    assert np.array_equal(np.asarray(picture.load(None).convert("RGB")), COLORS)
    assert np.array_equal(np.asarray(load_picture(folder / "a.png", data=data).convert("RGB")), COLORS)
    assert picture.values["seed"] == "5"
    return picture


@pytest.mark.parametrize("kind", BESIDE, ids=repr)
def test_a_chunk_with_a_wrong_checksum_is_left_out_and_named(tmp_path, kind):
    damaged = chunk(kind, BESIDE[kind], damaged=True)

    note = surveyed(tmp_path, file_of(before=damaged)).warning
    note_behind = surveyed(tmp_path, file_of(after=damaged)).warning

    name = kind.decode() if kind.isalpha() else "without a name"
    assert note == note_behind == f"its chunks are left out: {name} (damaged)"


@pytest.mark.parametrize("kind", [b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tRNS", b"iCCP", b"acTL"], ids=repr)
def test_a_chunk_that_is_too_short_is_left_out_and_named(tmp_path, kind):
    note = surveyed(tmp_path, file_of(before=chunk(kind, b""))).warning

    assert note == f"its chunks are left out: {kind.decode()} (not usable)"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"], ids=repr)
def test_a_text_that_is_too_long_for_pillow_is_read_with_its_picture(tmp_path, kind, after):
    text = "a" * (3 * MIB)
    rest = (b"\0" if kind == b"zTXt" else b"\1\0\0\0") + zlib.compress(text.encode())
    data = file_of(**{"after" if after else "before": chunk(kind, b"note\0" + rest)})

    with pytest.raises(ValueError, match="too large"), Image.open(BytesIO(data)) as image:
        image.load()
    assert surveyed(tmp_path, data).warning == ""
    with open_picture(tmp_path / "a.png") as image:
        assert texts_behind_pixels(image, [])["note"] == text


@pytest.mark.parametrize("after", [False, True])
def test_more_text_than_pillow_holds_does_not_cost_the_picture(tmp_path, after):
    texts = b"".join(chunk(b"zTXt", b"%d\0\0" % n + zlib.compress(bytes(MIB))) for n in range(65))

    surveyed(tmp_path, file_of(**{"after" if after else "before": texts}))


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        WHOLE[END : END + 5],
        WHOLE[END:-1] + b"x",
        WHOLE[END:] + b"garbage" * 1000,
        b"\xff\xfe garbage" * 9,
        bytes(64),
        chunk(b"tEXt", b"name\0" + b"a" * 100)[:50],
        chunk(b"tEXt", b"name\0text", length=10**9) + WHOLE[END:],
    ],
    ids=["no end", "half an end", "wrong end", "garbage behind", "garbage", "zeros", "half a chunk", "wrong length"],
)
def test_whatever_follows_the_pixels_does_not_cost_them(tmp_path, tail):
    note = surveyed(tmp_path, WHOLE[:PIXELS] + SEED + WHOLE[PIXELS:END] + tail).warning

    # what follows a whole end is no part of the picture
    assert bool(note) == (not tail.startswith(WHOLE[END:-4]))


@pytest.mark.parametrize("after", [False, True])
def test_a_text_that_is_too_long_to_be_read_is_named(tmp_path, after):
    place = "after" if after else "before"
    packed = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(33 * MIB)))
    plain = chunk(b"tEXt", b"parameters\0a cat\nSteps: 20, Seed: 5, " + b"a" * MIB)
    for text, most in ((packed, 32), (plain, 1)):
        data = file_of(**{place: text}).replace(SEED, b"")
        (tmp_path / "a.png").write_bytes(data)
        (picture,) = survey_files([(tmp_path / "a.png", "a.png")]).pictures
        assert picture.warning == f"its text parameters is not read (damaged, or longer than {most} MiB)"


def test_damaged_pixels_and_headers_are_still_refused(tmp_path):
    for name, data in {
        "half": WHOLE[: PIXELS + 60],
        "header": WHOLE[:16] + bytes(4) + WHOLE[20:],
        "no pixels": WHOLE[:PIXELS] + WHOLE[END:],
    }.items():
        (tmp_path / f"{name}.png").write_bytes(data)
        with pytest.raises(PictureError, match=rf"{name}\.png"):
            load_picture(tmp_path / f"{name}.png")


@pytest.mark.parametrize("length", [0, 3, 40, 5_000, 10**9])
@pytest.mark.parametrize("kind", [b"tEXt", b"iCCP", b"eXIf", b"abcd"], ids=repr)
def test_a_damaged_length_before_the_pixels_does_not_cost_them(tmp_path, kind, length):
    damaged = chunk(kind, b"name\0text" * 3, damaged=True, length=length)

    note = surveyed(tmp_path, file_of(before=damaged)).warning

    assert note == f"its chunks are left out: {kind.decode()} (damaged)"


@pytest.mark.parametrize("length", [0, 3, 40, 5_000, 10**9])
def test_a_text_of_which_the_length_alone_is_damaged_is_read(tmp_path, length):
    damaged = struct.pack(">I", length) + SEED[4:]
    for data in (
        WHOLE[:PIXELS] + damaged + WHOLE[PIXELS:],
        WHOLE[:PIXELS] + damaged + chunk(b"tIME", bytes(7)) + WHOLE[PIXELS:],
    ):
        assert surveyed(tmp_path, data).warning == ""


def test_a_file_that_is_cut_in_pixels_that_are_not_compressed_is_refused(tmp_path):
    file = BytesIO()
    Image.fromarray(COLORS).save(file, "PNG", compress_level=0)
    whole = file.getvalue()
    start, end = whole.index(b"IDAT") + 4, whole.index(b"IEND") - 8

    for cut in range(start, end - 4):
        (tmp_path / "a.png").write_bytes(whole[:cut])
        with pytest.raises(PictureError, match=r"a\.png"):
            load_picture(tmp_path / "a.png")


def test_an_animation_keeps_its_frames_without_a_damaged_chunk(tmp_path):
    file = BytesIO()
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "lime", "blue")]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    data = file.getvalue()
    (tmp_path / "a.png").write_bytes(data[:33] + chunk(b"gAMA", b"1234", damaged=True) + data[33:])

    with open_picture(tmp_path / "a.png", frame=2) as image:
        assert image.convert("RGB").getpixel((1, 1)) == (0, 0, 255)


def test_a_sound_file_keeps_every_byte_but_its_order_when_it_is_mended():
    data = file_of(b"".join(chunk(kind, text) for kind, text in list(BESIDE.items())[:3]))

    whole = mended(BytesIO(data))

    assert whole is not None
    assert (whole.note, whole.getvalue()) == ("", data)
    assert [kind for kind, _, _ in png_chunks(whole)] == [
        b"IHDR", b"tEXt", b"tEXt", b"zTXt", b"iTXt", b"IDAT", b"IEND",
    ]  # fmt: skip
    assert mended(BytesIO(b"GIF89a" + data)) is None


def test_thousands_of_chunks_are_bounded():
    many = chunk(b"gAMA", b"\0\0\xb1\x8f") * 20_000

    whole = mended(BytesIO(file_of(many)))

    assert whole is not None
    assert whole.note == "its chunks are left out: gAMA (too many)"


def test_the_report_names_the_picture_and_the_chunk(tmp_path):
    picture = surveyed(tmp_path, file_of(before=chunk(b"tIME", bytes(7), damaged=True)))

    assert data_warnings([picture]) == ["a.png: its chunks are left out: tIME (damaged)"]
