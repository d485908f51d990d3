"""Whole pictures of every format with the texts that generators of pictures write, before they are damaged."""

from __future__ import annotations

import gzip
import html
import io
import json
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, features

from .mutations import png_chunk

INFOTEXT = (
    "a (cat:1.2) on <lora:ink:0.8> a mat, “red”\nsecond line\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, "
    'CFG scale: 7, Seed: 42, Size: 512x768, Model: dream, Lora hashes: "ink: 1f, b: 2e", Version: v1.9'
)
SDNEXT = "prompt: a cat\nNegative: dog\nSteps: 20 | Seed: 3 | Sampler: Euler | CFG scale: 7 | App: SD.Next"
GRAPH: dict[str, object] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a/dream.safetensors"}},
    "2": {"class_type": "LoraLoader", "inputs": {"lora_name": "ink", "strength_model": 0.8, "model": ["1", 0]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": ["9", 0], "clip": ["1", 1]}},
    "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["1", 1]}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
    "6": {
        "class_type": "KSampler",
        "inputs": {
            "seed": ["10", 0], "steps": 20, "cfg": 7.5, "sampler_name": "euler", "scheduler": "karras", "denoise": 1,
            "model": ["11", 0], "positive": ["3", 0], "negative": ["4", 0], "latent_image": ["5", 0],
        },
    },
    "7": {"class_type": "VAEDecode", "inputs": {"samples": ["6", 0], "vae": ["1", 2]}},
    "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "%date:yyyy%/a"}},
    "9": {"class_type": "Text Concatenate", "inputs": {"text_a": "a cat", "text_b": ["12", 0], "delimiter": ", "}},
    "10": {"class_type": "PrimitiveInt", "inputs": {"value": 42}},
    "11": {"class_type": "Any Switch (rgthree)", "inputs": {"any_02": ["2", 0], "any_01": ["99", 0]}},
    "12": {"class_type": "CR Text Input Switch", "inputs": {"Input": 2, "text1": "x", "text2": "on a mat"}},
    "13": {"class_type": "Lora Loader Stack (rgthree)", "inputs": {"lora_1": {"on": True, "lora": "b", "strength": 1}}},
}  # fmt: skip
WORKFLOW: dict[str, object] = {
    "version": 0.4,
    "definitions": {
        "subgraphs": [{"id": "sub", "nodes": [], "links": [{"id": 1, "origin_id": -10, "origin_slot": 0}]}]
    },
    "extra": {"ue_links": [{"downstream": 3, "downstream_slot": 0, "upstream": 1, "upstream_slot": 0}]},
    "nodes": [
        {"id": 1, "type": "CheckpointLoaderSimple", "mode": 0, "widgets_values": ["dream"], "inputs": []},
        {"id": 2, "type": "CLIPTextEncode", "mode": 0, "widgets_values": ["a cat"], "inputs": [{"name": "clip"}]},
        {
            "id": 3, "type": "KSampler", "mode": 0, "widgets_values": [42, "fixed", 20, 7, "euler", "normal", 1],
            "inputs": [{"name": "model", "link": 1}, {"name": "positive", "link": 2}, {"name": "seed", "widget": {}}],
            "outputs": [{"type": "LATENT"}],
        },
        {"id": 4, "type": "Reroute", "inputs": [{"name": "", "link": 3}]},
        {"id": 5, "type": "sub", "mode": 4, "inputs": [{"name": "x", "type": "MODEL", "link": 1}], "outputs": [{}]},
    ],
    "links": [[1, 1, 0, 3, 0, "MODEL"], [2, 2, 0, 3, 1, "CONDITIONING"], [3, 3, 0, 4, 0, "LATENT"]],
}  # fmt: skip
#: JSON that writers embed, by the name of the text.
JSON_TEXTS: tuple[tuple[str, object], ...] = (
    ("prompt", GRAPH),
    ("prompt", GRAPH),
    ("workflow", WORKFLOW),
    (
        "parameters",
        {"sui_image_params": {"prompt": "x", "seed": 1, "loras": ["a"], "loraweights": ["1"], "cfgscale": 7}},
    ),
    (
        "invokeai_metadata",
        {"positive_prompt": "x", "seed": 1, "model": {"name": "m"}, "loras": [{"model": {"name": "l"}}]},
    ),
    ("Comment", {"prompt": "x", "v4_prompt": {"caption": {"base_caption": "x", "char_captions": [{}]}}, "seed": 2}),
    ("parameters", {"prompt": "x", "seed": 4, "lora_combined_1": "a : 1", "resolution": "(1, 2)", "steps": 30}),
    ("UserComment", {"c": "a tree", "uc": "", "sampler": "DDIM", "seed": 5, "size": "8x8", "lora": [{"model": "l"}]}),
    (
        "prompt",
        {"extraMetadata": json.dumps({"prompt": "x", "resources": [{"air": "urn:air:sd1:lora:c:1@2"}]}), **GRAPH},
    ),
)
_PIXELS = np.random.default_rng(0).integers(0, 256, (24, 40, 4), np.uint8)
_RGB, _RGBA = Image.fromarray(_PIXELS[:, :, :3]), Image.fromarray(_PIXELS)


def _saved(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _info(*texts: tuple[str, str], packed: bool = False) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for name, text in texts:
        info.add_text(name, text, zip=packed) if text.isascii() else info.add_itxt(name, text, "de", "x", zip=packed)
    return info


def _exif(comment: str) -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x010E] = "workflow:{}", 6, comment.encode("ascii", "replace").decode()
    directory = exif.get_ifd(0x8769)
    directory[0x9286] = b"UNICODE\0" + comment.encode("utf-16-be")
    directory[0x927C] = b"{'maker': 1}" + comment.encode()
    return exif.tobytes()


def _xmp(text: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<exif:UserComment><rdf:Alt><rdf:li>{html.escape(text)}</rdf:li></rdf:Alt></exif:UserComment><dc:description>x"
        "</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def _stealth(signature: bytes, text: bytes) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 4), np.uint8) | np.array([0, 0, 0, 254], np.uint8)
    bits = np.unpackbits(np.frombuffer(signature + struct.pack(">I", 8 * len(text)) + text, np.uint8))[: 64 * 64]
    column = pixels[:, :, 3].T.reshape(-1).copy()
    column[: len(bits)] = column[: len(bits)] & 0xFE | bits
    pixels[:, :, 3] = column.reshape(64, 64).T
    return _saved(Image.fromarray(pixels), "PNG")


def _animation(form: str, **options: object) -> bytes:
    frames = [_RGB, _RGB.rotate(90), _RGB.rotate(180)]
    return _saved(frames[0], form, save_all=True, append_images=frames[1:], **options)


def _behind(*chunks: bytes) -> bytes:
    data = _saved(_RGB, "PNG")
    return data[:-12] + b"".join(chunks) + data[-12:]


def _deep(mode: str) -> Image.Image:
    values = np.arange(24 * 40).reshape(24, 40)
    return Image.fromarray(values.astype({"I;16": np.uint16, "F": np.float32, "I": np.int32}[mode]))


def picture_seeds() -> dict[str, bytes]:
    """Whole files by name; every format that is read, and the places in which texts stand."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    graph, exif = json.dumps(GRAPH), _exif(INFOTEXT)
    files = {
        "comfyui.png": _saved(_RGB, "PNG", pnginfo=_info(("prompt", graph), ("workflow", json.dumps(WORKFLOW)))),
        "a1111.png": _saved(_RGBA, "PNG", pnginfo=_info(("parameters", INFOTEXT))),
        "sdnext.png": _saved(_RGB.convert("L"), "PNG", pnginfo=_info(("parameters", SDNEXT), packed=True)),
        "palette.png": _saved(_RGB.convert("P"), "PNG", transparency=3, icc_profile=profile, exif=exif),
        "16bit.png": _saved(_deep("I;16"), "PNG"),
        "one.png": _saved(_RGB.convert("1"), "PNG", pnginfo=_info(("Comment", "x"), ("Software", "NovelAI"))),
        "behind.png": _behind(png_chunk(b"comf", b"prompt\0" + graph.encode()), png_chunk(b"eXIf", exif[6:])),
        "packed.png": _behind(png_chunk(b"zTXt", b"parameters\0\0" + zlib.compress(INFOTEXT.encode()))),
        "animated.apng": _animation("PNG"),
        "animated.gif": _animation("GIF", comment=INFOTEXT.encode(), duration=20),
        "animated.webp": _animation("WEBP", exif=exif),
        "plain.jpg": _saved(_RGB, "JPEG", exif=exif, comment=INFOTEXT.encode(), icc_profile=profile),
        "xmp.jpg": _saved(_RGB.convert("L"), "JPEG", xmp=_xmp(INFOTEXT), progressive=True),
        "cmyk.jpeg": _saved(_RGB.convert("CMYK"), "JPEG"),
        "one.webp": _saved(_RGBA, "WEBP", exif=exif, xmp=_xmp(INFOTEXT), lossless=True),
        "plain.tiff": _saved(_RGBA, "TIFF", exif=exif),
        "packed.tif": _saved(_RGB, "TIFF", compression="tiff_deflate", icc_profile=profile),
        "lzw.tif": _saved(_RGB.convert("L"), "TIFF", compression="tiff_lzw"),
        "float.tif": _saved(_deep("F"), "TIFF"),
        "int.tif": _saved(_deep("I"), "TIFF"),
        "pages.tif": _animation("TIFF"),
        "plain.bmp": _saved(_RGB, "BMP"),
        "palette.bmp": _saved(_RGB.convert("P"), "BMP"),
        "plain.tga": _saved(_RGBA, "TGA", compression="tga_rle"),
        "stealth.png": _stealth(b"stealth_pnginfo", INFOTEXT.encode()),
        "stealth-packed.png": _stealth(b"stealth_pngcomp", gzip.compress(graph.encode(), mtime=0)),
    }  # fmt: skip
    if features.check("avif"):
        files["plain.avif"] = _saved(_RGB, "AVIF", exif=exif, xmp=_xmp(INFOTEXT))
    return files


def carriers() -> dict[str, Callable[[str, str], bytes]]:
    """Whole pictures by name, as functions of the name and the content of a text that is in them."""
    return {
        "text.png": lambda name, text: _behind(png_chunk(b"tEXt", name.encode() + b"\0" + _utf8(text))),
        "itxt.png": lambda name, text: _behind(png_chunk(b"iTXt", name.encode() + b"\0\0\0\0\0" + _utf8(text))),
        "comf.apng": lambda name, text: _behind(png_chunk(b"comf", name.encode() + b"\0" + _utf8(text))),
        "exif.jpg": lambda name, text: _saved(_RGB, "JPEG", exif=_exif(_utf8(text).decode("utf-8", "replace")[:9_000])),
        "exif.webp": lambda name, text: _saved(_RGB, "WEBP", exif=_exif(_utf8(text).decode("utf-8", "replace"))),
        "stealth.png": lambda name, text: _stealth(b"stealth_pngcomp", gzip.compress(_utf8(text), mtime=0)),
        "comment.gif": lambda name, text: _saved(_RGB, "GIF", comment=_utf8(text)),
        "xmp.webp": lambda name, text: _saved(_RGB, "WEBP", xmp=_xmp(_utf8(text).decode("utf-8", "replace"))),
    }


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
