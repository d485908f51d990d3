"""Files of pictures that Pillow alone does not read: what they are, by their first bytes or ending, and what to do."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.util import find_spec

from PIL import Image

_SAVE = "save it as PNG or JPEG"
#: Pillow's plugins by the kind of file: the package to install, its module, and Pillow's name of the format.
_PLUGINS = {
    "JPEG XL": ("pillow-jxl-plugin", "pillow_jxl", "JXL"),
    "HEIC": ("pillow-heif", "pillow_heif", "HEIF"),
}
_CURES = {
    "video": "save the frame that you want to see as PNG",
    "SVG": "it holds shapes, not pixels: export it as PNG",
    "Photoshop": "export it as PNG",
    "OpenEXR": "save it as PNG or TIFF",
    "Radiance HDR": "save it as PNG or TIFF",
    "camera raw": "develop it, and save it as PNG or JPEG",
}
_KIND_OF_SUFFIX = {
    ".jxl": "JPEG XL",
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIC"),
    **dict.fromkeys((".jp2", ".j2k", ".jpx", ".jpf"), "JPEG 2000"),
    **dict.fromkeys((".psd", ".psb"), "Photoshop"),
    ".exr": "OpenEXR",
    ".hdr": "Radiance HDR",
    **dict.fromkeys((".svg", ".svgz"), "SVG"),
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"), "video"),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"), "camera raw"),
    **dict.fromkeys((".dds", ".ico", ".icns", ".pcx", ".qoi", ".eps", ".wmf", ".emf", ".xcf", ".kra"), "other"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm", ".pfm"), "Netpbm"),
}
#: Endings of pictures and videos that are not read by Pillow alone; a folder's files of these are reported.
FOREIGN_SUFFIXES = frozenset(_KIND_OF_SUFFIX)
#: Where the name of the kind does not say it; Pillow reads most TIFF files, but not RGB in floats.
_DESCRIPTIONS = {
    "other": "a picture of a kind that is not read",
    "TIFF": "a TIFF that is damaged, or whose pixels are of a kind that is not read",
}
_TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1")
_VIDEO_BRANDS = (b"isom", b"iso2", b"mp41", b"mp42", b"M4V ", b"qt  ", b"avc1")
#: Bytes that ``kind_of`` looks at.
HEAD_BYTES = 1024


def kind_of(head: bytes, suffix: str = "") -> str:
    """What a file is by its first bytes, else by its ending in small letters; empty for what is not known."""
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _HEIC_BRANDS:
        return "HEIC"
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return "JPEG XL"
    if brand in _VIDEO_BRANDS or head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video"
    starts = {b"8BPS": "Photoshop", b"\x76\x2f\x31\x01": "OpenEXR", b"#?RADIANCE": "Radiance HDR"}
    by_start = next((kind for start, kind in starts.items() if head.startswith(start)), "")
    if kind := by_start or ("SVG" if b"<svg" in head else _KIND_OF_SUFFIX.get(suffix, "")):
        return kind
    # camera raw begins like it, and is known by its ending
    return "TIFF" if head.startswith(_TIFF_MARKS) else ""


def cure_of(kind: str) -> str:
    """What it is and what to do, for a file of a kind that cannot be read; empty without a kind."""
    if not kind:
        return ""
    what = _DESCRIPTIONS.get(kind, f"{kind}, which is not read")
    if kind not in _PLUGINS:
        return f"{what}; {_CURES.get(kind, _SAVE)}"
    package, module, _ = _PLUGINS[kind]
    if find_spec(module):
        return f"{kind} that {package} cannot read, so that it may be damaged; {_SAVE}"
    return f"{what} without the package {package}; run pip install {package}, or {_SAVE}"


@cache
def plugin_format(kind: str) -> str:
    """Pillow's name of the format that an installed plugin reads, which is registered by this; else empty."""
    if kind not in _PLUGINS or not find_spec(_PLUGINS[kind][1]):
        return ""
    _, module, format = _PLUGINS[kind]
    plugin = importlib.import_module(module)
    if register := getattr(plugin, "register_heif_opener", None):
        register()
    return format if format in Image.OPEN else ""
