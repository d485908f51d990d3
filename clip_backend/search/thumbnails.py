"""Small pictures for lists of hits: WebP of at most 15 kB, one per content, made while a picture is decoded anyway."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from PIL import Image

#: Pixels of the longer side, and bytes, at most.
SIDE, MAX_BYTES = 256, 15_000
#: Qualities that are tried until the file is small enough; a noisy picture needs the last ones.
_QUALITIES = (75, 55, 35, 15)
_HASH = re.compile(r"[0-9a-z:_-]{8,128}")


def make_thumbnail(image: Image.Image) -> bytes:
    """The picture in WebP, at most ``SIDE`` pixels wide and high and ``MAX_BYTES`` long."""
    small = image.convert("RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB")
    # reducing first by whole numbers is several times as fast, and no difference is seen at this size
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    for quality in _QUALITIES:
        data = _webp(small, quality)
        if len(data) <= MAX_BYTES:
            return data
    while len(data) > MAX_BYTES:
        small = small.resize((max(1, small.width // 2), max(1, small.height // 2)), Image.Resampling.BOX)
        data = _webp(small, _QUALITIES[-1])
    return data


def is_hash(text: str) -> bool:
    """Whether a text may be the hash of a content, which files are named by."""
    return _HASH.fullmatch(text) is not None


def thumbnail_file(folder: Path, hash: str) -> Path:
    """Where the thumbnail of a content is kept; raises ValueError for what is no hash."""
    if not is_hash(hash):
        raise ValueError(f"{hash!r} is no hash of a picture")
    # in folders by the end of the hash, whose begin may name the algorithm
    return folder / "thumbs" / hash[-2:] / f"{hash.replace(':', '_')}.webp"


def write_thumbnail(folder: Path, hash: str, data: bytes) -> None:
    """Keeps a thumbnail; one that cannot be written is made again when it is asked for."""
    path = thumbnail_file(folder, hash)
    part = path.with_suffix(".part")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)


def remove_thumbnail(folder: Path, hash: str) -> None:
    """Removes the thumbnail of a content, if there is one."""
    with suppress(OSError):
        thumbnail_file(folder, hash).unlink()


def _webp(image: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", quality=quality, method=2)
    return out.getvalue()
