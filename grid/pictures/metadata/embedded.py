"""The texts that are embedded in a picture file: PNG chunks, comments, EXIF and XMP, and hidden ones."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping

from PIL import Image, PngImagePlugin, TiffImagePlugin

from .columns import load_object
from .exif import ExifTags, decode_bytes, exif_texts, read_exif
from .png_texts import chunk_texts, not_read
from .stealth import stealth_text
from .xmp import xmp_texts

#: Longer texts are ignored, in characters.
MAX_TEXT = 32 * 2**20
#: Keys of a JSON object in a comment, or in hidden data, that are the names of texts elsewhere.
_PACKED = (
    "prompt", "workflow", "parameters", "Comment", "Description", "Software", "Source", "invokeai_metadata",
    "sd-metadata", "Dream",
)  # fmt: skip
#: A block that ImageMagick has put into a PNG text, as hexadecimal digits after its name and length.
_RAW_PROFILE = re.compile(r"\s*\w+\s+\d+\s+([0-9a-fA-F\s]*)")


def embedded_texts(image: Image.Image, notes: list[str] | None = None) -> dict[str, str]:
    """Text by name: PNG text chunks, EXIF and XMP texts, and the comment of a JPEG or GIF as "comment".

    From EXIF come "UserComment", "Software", "fooocus_scheme" and ComfyUI's "prompt", "workflow" and their like; a
    PNG chunk of the same name goes before them. The picture is not decoded, so it only needs to be opened; what stands
    behind the pixels of a PNG is read by `texts_behind_pixels`. A TIFF is read only while its file is open, that is
    before `load()`. Damaged EXIF gives what can be read of it. Texts above 32 MiB are ignored.
    notes: which are, is added to it.
    """
    texts = _png_texts(image) | _comment(image)
    packet = _xmp_packet(image, texts)
    for found in (exif_texts(_exif_tags(image, texts)), xmp_texts(packet)):
        texts |= {name: text for name, text in found.items() if not texts.get(name)}
    if notes is not None:
        too_long = [name for name, text in texts.items() if len(text) > MAX_TEXT]
        notes += [not_read(name) for name in (*too_long, *(["xmp"] if len(packet) > MAX_TEXT else []))]
    return _unpacked({name: text for name, text in texts.items() if text and len(text) <= MAX_TEXT})


def texts_behind_pixels(image: Image.Image, notes: list[str]) -> dict[str, str]:
    """The texts of all chunks of an opened PNG, those behind the pixels and ComfyUI's "comf" included.

    notes: which texts are not read, and why, is added to it.
    """
    file = image.fp if isinstance(image, PngImagePlugin.PngImageFile) else None
    if file is None or file.closed:
        return {}
    position = file.tell()
    texts = chunk_texts(file, notes)
    file.seek(position)
    return _unpacked({name: text for name, text in texts.items() if len(text) <= MAX_TEXT})


def hidden_texts(image: Image.Image) -> dict[str, str]:
    """The texts in the lowest bits of an opened PNG's pixels (see `stealth`)."""
    hidden = stealth_text(image)
    return (_packed(hidden) or {"parameters": hidden}) if hidden else {}


def _unpacked(texts: dict[str, str]) -> dict[str, str]:
    """The texts, and those that a comment holds as one JSON object."""
    comment = texts.get("UserComment", "")
    is_graph = '"class_type"' in comment and '"workflow"' not in comment
    return texts if is_graph else {**_packed(comment), **texts}


def _packed(text: str) -> dict[str, str]:
    record = load_object(text)
    packed = {name: _as_text(record[name]) for name in _PACKED if record.get(name)}
    return packed if len(packed) > 1 or "parameters" in packed else {}


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _png_texts(image: Image.Image) -> dict[str, str]:
    if image.format != "PNG":
        return {}
    # not `image.text`: that decodes the whole picture to find the chunks behind the pixels
    return {name: _repair(text) for name, text in image.info.items() if isinstance(name, str) and isinstance(text, str)}


def _repair(text: str) -> str:
    """Undo the Latin-1 reading of a tEXt chunk whose writer put UTF-8 there, against the standard."""
    if isinstance(text, PngImagePlugin.iTXt) or text.isascii() or len(text) > MAX_TEXT:
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _comment(image: Image.Image) -> dict[str, str]:
    comment = image.info.get("comment")
    if not isinstance(comment, bytes):
        return {}
    return {"comment": decode_bytes(comment).strip("\0 \n")}


def _exif_tags(image: Image.Image, texts: Mapping[str, str]) -> ExifTags:
    raw = image.info.get("exif") or _raw_profile(texts, "exif") or _raw_profile(texts, "APP1")
    if isinstance(raw, bytes) and raw:
        return read_exif(io.BytesIO(re.sub(rb"^(?:Exif\0\0)+", b"", raw)))
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.fp is not None and not image.fp.closed:
        position = image.fp.tell()
        tags = read_exif(image.fp)
        image.fp.seek(position)
        return tags
    return ExifTags({}, ">")


def _xmp_packet(image: Image.Image, texts: Mapping[str, str]) -> bytes:
    packet = image.info.get("xmp")
    if isinstance(packet, bytes) and packet:
        return packet
    return texts.get("XML:com.adobe.xmp", "").encode("utf-8", "replace") or _raw_profile(texts, "xmp")


def _raw_profile(texts: Mapping[str, str], name: str) -> bytes:
    profile = _RAW_PROFILE.fullmatch(texts.get(f"Raw profile type {name}", ""))
    try:
        return bytes.fromhex(profile[1]) if profile else b""
    except ValueError:
        return b""
