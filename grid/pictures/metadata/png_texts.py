"""The texts in the chunks of a PNG file, found without decoding them.

Pillow sees text behind the pixels only once it has decoded them, and ComfyUI's "comf" chunks never as text.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import IO

from ....png_chunks import png_chunks
from .exif import decode_bytes, exif_texts, read_exif

#: Longer texts are ignored, in bytes, also when they come out of a compressed chunk.
MAX_BYTES = 32 * 2**20
#: The most bytes of all texts of a file together.
_MAX_TOTAL = 2 * MAX_BYTES
#: Bytes of the name of a text.
_LONGEST_NAME = 80
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"comf", b"eXIf")


def chunk_texts(file: IO[bytes], notes: list[str]) -> dict[str, str]:
    """Text by name of the chunks that hold text or EXIF, wherever they stand; the first of a name counts.

    notes: which texts are not read, and why, is added to it.
    """
    texts: dict[str, str] = {}
    total = 0
    for kind, at, length in png_chunks(file):
        if kind not in _TEXTS:
            continue
        file.seek(at)
        if length > MAX_BYTES:
            notes.append(not_read(decode_bytes(file.read(_LONGEST_NAME).partition(b"\0")[0])))
            continue
        data = file.read(length)
        found = exif_texts(read_exif(BytesIO(data))) if kind == b"eXIf" else _text(kind, data)
        total += sum(map(len, found.values()))
        if total > _MAX_TOTAL:
            notes.append(f"no more than {_MAX_TOTAL >> 20} MiB of its texts are read")
            break
        notes += [not_read(name) for name, text in found.items() if not text and kind != b"eXIf"]
        texts = found | texts
    return {name: text for name, text in texts.items() if text}


def _text(kind: bytes, data: bytes) -> dict[str, str]:
    """The name and the text of one chunk; no text when it is damaged or too long, nothing when it is empty."""
    name, _, rest = data.partition(b"\0")
    is_packed = kind == b"zTXt"
    if is_packed:
        rest = rest[1:]
    elif kind == b"iTXt":
        is_packed = rest[:1] == b"\1"
        # two flags, the language and the name in it
        rest = rest[2:].split(b"\0", 2)[-1]
    plain = inflate(rest) if is_packed else rest
    return {decode_bytes(name): decode_bytes(plain)} if rest else {}


def not_read(name: str, most: int = MAX_BYTES) -> str:
    """What is said of a text that is too long, or that cannot be unpacked."""
    return f"its text {name} is not read (damaged, or longer than {most >> 20} MiB)"


def inflate(data: bytes, wbits: int = zlib.MAX_WBITS) -> bytes:
    """The data unpacked; empty when it is damaged, or when more than 32 MiB come out.

    wbits: as zlib has it; 31 is for gzip.
    """
    unpacker = zlib.decompressobj(wbits)
    try:
        plain = unpacker.decompress(data, MAX_BYTES)
    except zlib.error:
        return b""
    return b"" if unpacker.unconsumed_tail else plain
