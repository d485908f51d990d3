"""Promises of the texts read from real files, which Pillow writes."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import pytest
from clip_grid.grid.pictures.metadata import embedded_texts, read_generation
from clip_grid.grid.pictures.metadata.exif import USER_COMMENT, decode_user_comment, read_exif
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, features

INFOTEXT = "ein Häuschen, 猫\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 8x8"
GRAPH = json.dumps({"k": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 9, "model": ["m", 0]}}})


def reopen(form: str, **options: Any) -> Image.Image:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, form, **options)
    return Image.open(io.BytesIO(stream.getvalue()))


def chunks(**texts: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    return info


def exif_with_comment(raw: bytes, order: str = ">") -> bytes:
    """An EXIF block of one directory that points to a second one, which holds only the comment."""
    head = b"MM\0*" if order == ">" else b"II*\0"
    main = struct.pack(order + "IHHHII", 8, 1, 0x8769, 4, 1, 26) + bytes(4)
    nested = struct.pack(order + "HHHII", 1, 0x9286, 7, len(raw), 44) + bytes(4)
    return b"Exif\0\0" + head + main + nested + raw


def is_lazy(image: Image.Image) -> bool:
    return getattr(image, "_im", None) is None


def test_png_text_is_read_without_decoding_the_picture() -> None:
    with reopen("PNG", pnginfo=chunks(parameters=INFOTEXT, prompt=GRAPH)) as image:
        texts = embedded_texts(image)

        assert texts == {"parameters": INFOTEXT, "prompt": GRAPH}
        assert is_lazy(image)


def test_compressed_and_international_png_text_is_read() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", GRAPH, zip=True)
    info.add_itxt("parameters", INFOTEXT, zip=True)

    with reopen("PNG", pnginfo=info) as image:
        assert embedded_texts(image) == {"prompt": GRAPH, "parameters": INFOTEXT}


def test_utf8_in_a_latin1_chunk_is_repaired_and_true_latin1_is_kept() -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"tEXt", b"parameters\0" + INFOTEXT.encode())
    info.add(b"tEXt", b"note\0" + "Häuschen".encode("latin-1"))

    with reopen("PNG", pnginfo=info) as image:
        assert embedded_texts(image) == {"parameters": INFOTEXT, "note": "Häuschen"}


def test_a_chunk_of_20_mb_is_no_obstacle() -> None:
    with reopen("PNG", pnginfo=chunks(prompt="[" * 20_000_000, parameters=INFOTEXT)) as image:
        texts = embedded_texts(image)

    assert read_generation(texts).values["seed"] == "3"
    assert read_generation({"prompt": texts["prompt"]}).values == {}


def test_a_text_above_the_limit_is_ignored() -> None:
    with reopen("PNG", pnginfo=chunks(parameters=INFOTEXT)) as image:
        image.info["prompt"] = "x" * (32 * 2**20 + 1)

        assert embedded_texts(image) == {"parameters": INFOTEXT}


@pytest.mark.parametrize("form", ["WEBP", "JPEG", "PNG", "TIFF", "AVIF"])
def test_comfyui_exif_is_read_in_every_format(form: str) -> None:
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    exif = Image.Exif()
    exif[0x0110] = "prompt:" + GRAPH
    exif[0x010F] = 'workflow:{"nodes": []}'
    exif[0x010E] = "extra: [1]"
    exif[0x0131] = "ComfyUI"

    with reopen(form, exif=exif) as image:
        texts = embedded_texts(image)

    assert texts == {"prompt": GRAPH, "workflow": '{"nodes": []}', "extra": "[1]", "Software": "ComfyUI"}
    assert read_generation(texts).values["seed"] == "5"


def test_a_camera_name_is_no_text() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon: EOS"

    with reopen("JPEG", exif=exif) as image:
        assert embedded_texts(image) == {}


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
@pytest.mark.parametrize("block", "<>")
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_a_unicode_comment_is_read_in_both_orders_whatever_its_block_says(form: str, block: str, codec: str) -> None:
    exif = exif_with_comment(b"UNICODE\0" + INFOTEXT.encode(codec), block)

    with reopen(form, exif=exif) as image:
        texts = embedded_texts(image)

    assert texts == {"UserComment": INFOTEXT}
    assert read_generation(texts).writer == "a1111"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"ASCII\0\0\0plain\0", "plain"),
        (b"ASCII\0\0\0" + "Häuschen".encode(), "Häuschen"),
        (b"ASCII\0\0\0" + "Häuschen".encode("latin-1"), "Häuschen"),
        (b"JIS\0\0\0\0\0" + "日本".encode("iso2022_jp"), "日本"),
        (b"UNICODE\0" + "日本".encode("utf-16"), "日本"),
        (b"UNICODE\0" + "日本".encode("utf-16-be"), "日本"),
        (b"UNICODE\0written as UTF-8", "written as UTF-8"),
        (b"UNICODE\0\0a\0", "a"),
        (bytes(8) + b"no code", "no code"),
        (b"no header at all", "no header at all"),
        (b"Unicode\0" + "日本".encode("utf-16-le"), "日本"),
        (b"ASCII   in blanks", "in blanks"),
        (b"JIS\0\0\0\0\0" + "日本".encode(), "日本"),
        (b"JIS\0\0\0\0\0" + "日本語".encode("shift_jis"), "日本語"),
        ("no header, 日本".encode("utf-16-le"), "no header, 日本"),
        ("no header, 日本".encode("utf-16-be"), "no header, 日本"),
        ("日本".encode("utf-16"), "日本"),
        (bytes(8) + "wide".encode("utf-16-le"), "wide"),
        (b"charset=Ascii spelled out", "spelled out"),
        (b"UNICODE\0", ""),
        (b"", ""),
    ],
)
def test_a_comment_is_decoded_by_its_header(raw: bytes, text: str) -> None:
    assert decode_user_comment(raw, "<" if b"\xe5e" in raw else ">") == text


def test_a_fooocus_jpeg_is_known_by_its_exif() -> None:
    exif = Image.Exif()
    exif[0x9286] = INFOTEXT.replace("猫", "cat").replace("ä", "a")
    exif[0x0131] = "Fooocus v2.5.0"
    exif[0x927C] = "a1111"

    with reopen("JPEG", exif=exif) as image:
        texts = embedded_texts(image)

    assert texts["fooocus_scheme"] == "a1111"
    assert read_generation(texts).writer == "fooocus"


@pytest.mark.parametrize("form", ["GIF", "JPEG"])
def test_a_comment_is_read(form: str) -> None:
    with reopen(form, comment=INFOTEXT.encode()) as image:
        assert embedded_texts(image) == {"comment": INFOTEXT}


def test_a_picture_without_text_has_none() -> None:
    assert embedded_texts(Image.new("RGB", (8, 8))) == {}


def test_damaged_exif_hides_nothing_else() -> None:
    whole = exif_with_comment(b"ASCII\0\0\0" + INFOTEXT.encode())

    with reopen("PNG", pnginfo=chunks(parameters=INFOTEXT)) as image:
        for end in range(len(whole)):
            image.info["exif"] = whole[:end]

            assert embedded_texts(image)["parameters"] == INFOTEXT


def test_of_damaged_exif_the_whole_tags_are_read() -> None:
    # two tags: Software, whose text follows the table, and a Model whose text would lie behind the end
    table = struct.pack(">HHHIIHHIII", 2, 0x0131, 2, 8, 38, 0x0110, 2, 99, 9999, 0)
    block = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + table + b"NovelAI\0"

    with reopen("PNG") as image:
        image.info["exif"] = block

        assert embedded_texts(image) == {"Software": "NovelAI"}


@given(st.binary(max_size=200), st.sampled_from([b"II*\0", b"MM\0*", b""]))
def test_no_exif_block_whatever_raises(raw: bytes, head: bytes) -> None:
    tags = read_exif(io.BytesIO(head + raw))

    assert isinstance(tags.comment(USER_COMMENT), str)


def test_reading_a_tiff_leaves_it_readable() -> None:
    exif = Image.Exif()
    exif[0x0131] = "NovelAI"

    with reopen("TIFF", exif=exif) as image:
        assert embedded_texts(image) == {"Software": "NovelAI"}

        image.load()

        assert image.getpixel((7, 7)) == (0, 0, 0)
