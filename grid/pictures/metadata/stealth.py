"""Generation data in the lowest bits of a picture's alpha or colours, as NovelAI and extensions of web UIs put it.

Bits go down the columns from the left: a signature of 15 bytes, the length of the data in bits as 32 of them, and the
data, a text or a gzip of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO

import numpy as np
from PIL import Image, PngImagePlugin

from ....errors import PictureError
from ....imaging import decoded
from ....png_chunks import png_chunks
from .png_texts import inflate

#: The part of the signature that tells alpha from colours, as bits; after it come "info" (text) or "comp" (gzip).
_IN_ALPHA: list[int] = np.unpackbits(np.frombuffer(b"stealth_png", np.uint8)).tolist()
_IN_COLORS: list[int] = np.unpackbits(np.frombuffer(b"stealth_rgb", np.uint8)).tolist()
_SIGNATURES = (b"stealth_pnginfo", b"stealth_pngcomp", b"stealth_rgbinfo", b"stealth_rgbcomp")
_SIGNATURE_BYTES, _LENGTH_BYTES = 15, 4
#: By the filter of a row, how far the pixel above is shifted before it is added: Up and Paeth take all of it, Average
#: half; None and Sub nothing.
_SHIFTS = {2: 0, 3: 1, 4: 0}
#: Larger pictures are not searched: they would be decoded before it is known whether there is room for them.
_MAX_PIXELS = 2**25
#: Bytes that are read from the file at a time.
_STEP = 4096


def stealth_text(image: Image.Image) -> str:
    """The hidden text of an opened PNG picture; empty when there is none.

    Of other pictures only the first pixel of as many rows is looked at as agree with the signature; the picture itself
    is decoded only when that is there.
    """
    file = image.fp if isinstance(image, PngImagePlugin.PngImageFile) else None
    if file is None or file.closed or image.width * image.height > _MAX_PIXELS:
        return ""
    position = file.tell()
    in_alpha, in_colors = _signed(file)
    file.seek(position)
    if not (in_alpha or in_colors):
        return ""
    try:
        pixels = np.asarray(decoded(image, "picture"))
    except PictureError:
        # it is reported when it is to be shown
        return ""
    bits = (pixels[:, :, 3:] if in_alpha else pixels[:, :, :3]) & 1
    return _message(np.packbits(bits.transpose(1, 0, 2).reshape(-1)).tobytes())


def _message(data: bytes) -> str:
    start = _SIGNATURE_BYTES + _LENGTH_BYTES
    length = int.from_bytes(data[_SIGNATURE_BYTES:start], "big") // 8
    message = data[start : start + length]
    if data[:_SIGNATURE_BYTES] not in _SIGNATURES or len(message) < length:
        return ""
    if data[:_SIGNATURE_BYTES].endswith(b"comp"):
        message = inflate(message, 31)
    return message.decode("utf-8", "replace")


def _signed(file: IO[bytes]) -> tuple[bool, bool]:
    """Whether the left column begins with a signature, in alpha and in the colours."""
    alpha: list[int] = []
    colors: list[int] = []
    is_alpha = is_color = True
    for pixel in _left_column(file):
        is_alpha = is_alpha and len(pixel) == 4
        alpha += [value & 1 for value in pixel[3:]]
        colors += [value & 1 for value in pixel[:3]]
        is_alpha = is_alpha and _agree(alpha, _IN_ALPHA)
        is_color = is_color and _agree(colors, _IN_COLORS)
        is_whole = is_alpha and len(alpha) >= len(_IN_ALPHA), is_color and len(colors) >= len(_IN_COLORS)
        if any(is_whole) or not (is_alpha or is_color):
            return is_whole
    # a picture that is lower than the signature is long
    return bool(alpha) and is_alpha, bool(colors) and is_color


def _agree(bits: list[int], signature: list[int]) -> bool:
    count = min(len(bits), len(signature))
    return bits[:count] == signature[:count]


def _left_column(file: IO[bytes]) -> Iterator[bytes]:
    """The first pixel of each row of an RGB or RGBA picture of 8 bits that is not interlaced; of others nothing.

    No pixel stands to its left, so that its filter needs only the pixel above.
    """
    file.seek(16)
    header = file.read(13)
    channels = {2: 3, 6: 4}.get(header[9], 0) if len(header) == 13 and header[8] == 8 and not header[12] else 0
    if not channels:
        return
    stride = 1 + channels * int.from_bytes(header[:4], "big")
    above, rest = bytes(channels), b""
    for data in _unpacked(file):
        rest += data
        for start in range(0, len(rest) - stride + 1, stride):
            shift = _SHIFTS.get(rest[start], 8)
            stored = rest[start + 1 : start + 1 + channels]
            above = bytes((value + (up >> shift)) & 255 for value, up in zip(stored, above, strict=True))
            yield above
        rest = rest[len(rest) // stride * stride :]


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    for kind, at, length in png_chunks(file):
        for start in range(0, length if kind == b"IDAT" else 0, _STEP):
            file.seek(at + start)
            try:
                yield unpacker.decompress(file.read(min(_STEP, length - start)))
            except zlib.error:
                return
