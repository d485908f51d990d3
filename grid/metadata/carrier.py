"""The texts that a picture file carries beside its pixels, by the name under which its writer looks for them."""

from __future__ import annotations

import io
import re

from PIL import Image, PngImagePlugin, TiffImagePlugin

from . import exif

#: Longer texts are ignored, in characters.
MAX_TEXT = 32 * 2**20

#: ComfyUI in EXIF: `prompt:{...}`, `workflow:{...}`, and other names with JSON after them.
_NAMED_JSON = re.compile(r'\s*(\w[\w .-]{0,60}):\s*(?=[{\["])')


def embedded_texts(image: Image.Image) -> dict[str, str]:
    """Text by name: PNG text chunks, EXIF texts, and the comment of a JPEG or GIF as "comment".

    From EXIF come "UserComment", "Software", "fooocus_scheme" and ComfyUI's "prompt", "workflow" and their like; a
    PNG chunk of the same name goes before them. The picture is not decoded, so it only needs to be opened; PNG
    chunks behind the pixels are therefore not seen (the writers known here put theirs before them), and a TIFF is
    read only while its file is open, that is before `load()`. Damaged EXIF gives what can be read of it. Texts above
    32 MiB are ignored.
    """
    texts = _png_texts(image) | _comment(image)
    for name, text in _exif_texts(_exif_tags(image)).items():
        texts.setdefault(name, text)
    return {name: text for name, text in texts.items() if text and len(text) <= MAX_TEXT}


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
    if not isinstance(comment, bytes) or len(comment) > MAX_TEXT:
        return {}
    return {"comment": exif.decode_bytes(comment).strip("\0 \n")}


def _exif_tags(image: Image.Image) -> exif.ExifTags:
    raw = image.info.get("exif")
    if isinstance(raw, bytes):
        return exif.read_exif(io.BytesIO(re.sub(rb"^(?:Exif\0\0)+", b"", raw)))
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.fp is not None and not image.fp.closed:
        before = image.fp.tell()
        tags = exif.read_exif(image.fp)
        image.fp.seek(before)
        return tags
    return exif.ExifTags({}, ">")


def _exif_texts(tags: exif.ExifTags) -> dict[str, str]:
    texts: dict[str, str] = {}
    for tag in exif.COMFYUI_TAGS:
        text = tags.text(tag)
        if named := _NAMED_JSON.match(text):
            # other savers write "Prompt:" and "Workflow:"
            texts.setdefault(named[1].lower(), text[named.end() :])
    texts["UserComment"] = tags.user_comment()
    texts["Software"] = tags.text(exif.SOFTWARE)
    if (scheme := tags.text(exif.MAKER_NOTE)) in ("fooocus", "a1111"):
        texts["fooocus_scheme"] = scheme
    return texts
