"""Chunks of PNG files: a damaged chunk beside the pixels is no reason to refuse the picture."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Chunks that the pixels need, damaged or not.
_NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT")


def without_damaged(data: bytes) -> bytes:
    """The file without those chunks beside its pixels whose checksum is wrong; the given bytes if there are none."""
    kept, at = [data[:8]], 8
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        whole = data[at:end]
        is_right = len(whole) == 12 + length and zlib.crc32(whole[4:-4]) == int.from_bytes(whole[-4:], "big")
        if kind in _NEEDED or is_right:
            kept.append(whole)
        at = end
    return b"".join([*kept, data[at:]])
