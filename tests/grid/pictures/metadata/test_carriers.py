"""Promises of the places that are looked at when nothing stands in front of the pixels, and of XMP."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from clip_grid.grid.pictures.metadata import Generation, embedded_texts, read_picture
from clip_grid.grid.pictures.metadata.xmp import xmp_texts
from PIL import Image, PngImagePlugin, features

INFOTEXT = "ein Häuschen, 猫\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 8x8"
GRAPH = json.dumps({"k": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 9, "model": ["m", 0]}}})
NOVELAI = json.dumps(
    {
        "Description": "1girl, tree",
        "Software": "NovelAI",
        "Source": "NovelAI Diffusion V4",
        "Comment": json.dumps({"prompt": "1girl, tree", "steps": 28, "seed": 4156, "scale": 5.0, "uc": "fog"}),
    }
)


def png(image: Image.Image, info: PngImagePlugin.PngInfo | None = None) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def behind(*chunks: bytes, image: Image.Image | None = None) -> bytes:
    """A PNG with chunks between its pixels and its end."""
    data = png(image or Image.new("RGB", (8, 8)))
    return data[:-12] + b"".join(chunks) + data[-12:]


def read(data: bytes) -> Generation:
    with Image.open(io.BytesIO(data)) as image:
        found = read_picture(image)[1]
        image.load()
    return found


def exif_of(tag: int, text: str) -> bytes:
    exif = Image.Exif()
    exif[tag] = text
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize(
    ("chunks", "seed"),
    [
        ([chunk(b"tEXt", b"parameters\0" + INFOTEXT.encode())], "3"),
        ([chunk(b"zTXt", b"parameters\0\0" + zlib.compress(INFOTEXT.encode()))], "3"),
        ([chunk(b"iTXt", b"parameters\0\0\0de\0Angaben\0" + INFOTEXT.encode())], "3"),
        ([chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(INFOTEXT.encode()))], "3"),
        ([chunk(b"tEXt", b"date:create\0now"), chunk(b"tEXt", b"prompt\0" + GRAPH.encode())], "5"),
        ([chunk(b"comf", b"workflow\0{}"), chunk(b"comf", b"prompt\0" + GRAPH.encode())], "5"),
        ([chunk(b"eXIf", exif_of(0x0110, "prompt:" + GRAPH))], "5"),
    ],
)
def test_text_behind_the_pixels_is_read_without_decoding_them(chunks: list[bytes], seed: str) -> None:
    with Image.open(io.BytesIO(behind(*chunks))) as image:
        texts, found = read_picture(image)

        assert found.values["seed"] == seed
        assert getattr(image, "_im", None) is None
        assert texts
        image.load()


def test_an_animated_png_of_comfyui_is_read() -> None:
    info = PngImagePlugin.PngInfo()
    # as its saver of animated PNG files does
    info.add(b"comf", b"prompt\0" + GRAPH.encode(), after_idat=True)
    frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 100, 200)]
    stream = io.BytesIO()
    frames[0].save(stream, "PNG", pnginfo=info, save_all=True, append_images=frames[1:])

    assert read(stream.getvalue()).values["seed"] == "5"


def test_generation_data_in_front_of_the_pixels_goes_first() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", INFOTEXT)
    data = png(Image.new("RGB", (8, 8)), info)

    assert read(data[:-12] + chunk(b"tEXt", b"prompt\0" + GRAPH.encode()) + data[-12:]).values["seed"] == "3"


def test_damaged_and_exploding_chunks_cost_only_themselves() -> None:
    bomb = zlib.compress(bytes(64 * 2**20), 9)
    whole = chunk(b"tEXt", b"parameters\0" + INFOTEXT.encode())
    broken = [
        chunk(b"zTXt", b"a\0\0" + bomb),
        chunk(b"zTXt", b"b\0\0" + b"?"),
        chunk(b"iTXt", b""),
        chunk(b"tEXt", b""),
    ]
    with Image.open(io.BytesIO(behind(*broken, whole))) as image:
        texts, found = read_picture(image)

    assert found.values["seed"] == "3"
    assert set(texts) == {"parameters"}


def test_a_file_that_ends_too_early_raises_nothing() -> None:
    data = behind(chunk(b"tEXt", b"parameters\0" + INFOTEXT.encode()))
    for end in range(50, len(data)):
        with Image.open(io.BytesIO(data[:end])) as image:
            assert read_picture(image)[1].values.get("seed") in (None, "3")


def hide(text: bytes, signature: bytes, size: tuple[int, int], *, alpha: bool = True) -> Image.Image:
    """A noisy picture with the text in its lowest bits, down the columns."""
    width, height = size
    channels = 4 if alpha else 3
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    if alpha:
        pixels[:, :, 3] |= 0xFE
    message = signature + struct.pack(">I", 8 * len(text)) + text
    bits = np.unpackbits(np.frombuffer(message, np.uint8))
    plane = pixels[:, :, 3:] if b"_png" in signature else pixels[:, :, :3]
    columns = plane.transpose(1, 0, 2).reshape(-1).copy()
    columns[: len(bits)] = columns[: len(bits)] & 0xFE | bits
    plane[:] = columns.reshape(width, height, -1).transpose(1, 0, 2)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("size", [(160, 160), (700, 40), (40, 700)])
@pytest.mark.parametrize(
    ("signature", "pack"),
    [
        (b"stealth_pnginfo", bytes),
        (b"stealth_pngcomp", gzip.compress),
        (b"stealth_rgbinfo", bytes),
        (b"stealth_rgbcomp", gzip.compress),
    ],
)
def test_hidden_data_is_read(signature: bytes, pack: Callable[[bytes], bytes], size: tuple[int, int]) -> None:
    novelai = read(png(hide(pack(NOVELAI.encode()), signature, size)))
    webui = read(png(hide(pack(INFOTEXT.encode()), signature, size)))

    assert (novelai.writer, novelai.values["seed"], novelai.values["prompt"]) == ("novelai", "4156", "1girl, tree")
    assert (webui.writer, webui.values["seed"], webui.values["prompt"]) == ("a1111", "3", "ein Häuschen, 猫")


def test_data_hidden_in_colours_needs_no_alpha() -> None:
    assert read(png(hide(INFOTEXT.encode(), b"stealth_rgbinfo", (64, 64), alpha=False))).values["seed"] == "3"


def test_a_hidden_graph_is_read() -> None:
    hidden = json.dumps({"prompt": json.loads(GRAPH), "workflow": {"nodes": []}})

    assert read(png(hide(hidden.encode(), b"stealth_pnginfo", (160, 160)))).values["seed"] == "5"


def test_pictures_without_a_signature_are_not_decoded() -> None:
    for mode in ("RGB", "RGBA", "L", "P", "1", "LA"):
        with Image.open(io.BytesIO(png(Image.new(mode, (64, 64))))) as image:
            assert read_picture(image)[1] == Generation()
            assert getattr(image, "_im", None) is None


def test_hidden_data_that_is_cut_or_damaged_is_no_data() -> None:
    too_long = b"stealth_pnginfo" + struct.pack(">I", 2**32 - 1)
    for hidden in (
        hide(b"", too_long, (160, 160)),
        hide(b"no gzip", b"stealth_pngcomp", (160, 160)),
        hide(gzip.compress(bytes(64 * 2**20)), b"stealth_pngcomp", (2000, 400)),
        hide(b"x", b"stealth_pngelse", (160, 160)),
    ):
        assert read(png(hidden)) == Generation()


def xmp(attributes: str = "", body: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:comfy="https://github.com/Comfy-Org/ComfyUI" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


ALT = "<rdf:Alt><rdf:li xml:lang='x-default'>{}</rdf:li></rdf:Alt>"
DRAW_THINGS = json.dumps({"c": "a tree", "uc": "", "sampler": "DDIM", "seed": 5, "size": "8x8"})


@pytest.mark.parametrize("form", ["WEBP", "JPEG", "AVIF", "TIFF"])
@pytest.mark.parametrize(
    "packet",
    [
        xmp(f'comfy:prompt="{GRAPH.replace(chr(34), "&quot;")}"'),
        xmp(body=f"<comfy:prompt>{GRAPH}</comfy:prompt>"),
        xmp(body=f"<comfy:prompt><![CDATA[{GRAPH}]]></comfy:prompt>"),
        xmp(body=f"<exif:UserComment>{ALT.format(DRAW_THINGS)}</exif:UserComment>"),
        xmp(body=f"<dc:description>{ALT.format(INFOTEXT.replace('Seed: 3', 'Seed: 5'))}</dc:description>"),
    ],
)
def test_xmp_is_read_in_every_format(form: str, packet: bytes) -> None:
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    stream = io.BytesIO()
    tags = {"tiffinfo": {700: packet}} if form == "TIFF" else {"xmp": packet}
    Image.new("RGB", (8, 8)).save(stream, form, **tags)

    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert read_picture(image)[1].values["seed"] == "5"


def test_xmp_of_a_png_is_read() -> None:
    info = PngImagePlugin.PngInfo()
    packet = xmp(body=f"<exif:UserComment>{ALT.format(DRAW_THINGS)}</exif:UserComment>")
    info.add_itxt("XML:com.adobe.xmp", packet.decode())

    assert read(png(Image.new("RGB", (8, 8)), info)).writer == "drawthings"


def test_xmp_with_entities_is_refused_and_of_a_damaged_packet_the_first_part_is_read() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><x prompt="&b;"/>'

    assert xmp_texts(bomb.encode()) == {}
    assert xmp_texts(xmp('comfy:prompt="1"', "<comfy:workflow>2")) == {"prompt": "1"}
    assert xmp_texts(b"<a>" * 200_000) == {}
    assert xmp_texts(b"") == xmp_texts(bytes(9)) == xmp_texts(b"<?xml version='1.0' encoding='none'?><a/>") == {}


def test_a_block_that_imagemagick_turned_into_text_is_read() -> None:
    block = b"Exif\0\0" + exif_of(0x0110, "prompt:" + GRAPH)
    digits = block.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{lines}\n", zip=True)

    assert read(png(Image.new("RGB", (8, 8)), info)).values["seed"] == "5"


@pytest.mark.parametrize("form", ["WEBP", "JPEG"])
@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (0x927C, INFOTEXT.replace("ein Häuschen, 猫", "a cat")),
        (0x927C, "Prompt: " + GRAPH),
        (0x010E, "Prompt: " + GRAPH),
        (0x010E, INFOTEXT.replace("ein Häuschen, 猫", "a cat")),
        (0x010F, "Prompt:" + GRAPH),
        (0x9286, "prompt:" + GRAPH),
        (0x9286, json.dumps({"prompt": GRAPH, "workflow": "{}"})),
        (0x9286, json.dumps({"prompt": json.loads(GRAPH), "workflow": {"nodes": []}})),
    ],
)
def test_exif_is_read_wherever_savers_put_it(form: str, tag: int, text: str) -> None:
    exif = Image.Exif()
    exif[tag] = text
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, form, exif=exif)

    assert read(stream.getvalue()).values["seed"] in ("3", "5")


@pytest.mark.parametrize(
    "note", [b"fooocus", b"a1111\0", b"ASCII\0\0\0a1111", b"UNICODE\0" + "a1111".encode("utf-16-be")]
)
def test_the_scheme_of_fooocus_is_known_in_every_spelling(note: bytes) -> None:
    exif = Image.Exif()
    exif[0x927C] = note
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", exif=exif)

    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert embedded_texts(image).keys() == {"fooocus_scheme"}


def test_the_notes_of_a_camera_are_no_text() -> None:
    exif = Image.Exif()
    exif[0x927C] = b"Apple iOS\0\0\1MM\0\x12\0\1\0\t\0\0\0\1\0\0\0\x10"
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", exif=exif)

    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert embedded_texts(image) == {}
