"""In which encoding a text file of the user is: Unicode by its marks and NULs, else a code page by its letters."""

from __future__ import annotations

import codecs
from contextlib import suppress

from .code_pages import find_code_page

#: Encodings by the byte order mark that a file begins with.
_BYTE_ORDER_MARKS = (
    # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Bytes by which an encoding is found.
_TRIED = 20_000


def marked_encoding(raw: bytes) -> str:
    """The encoding of Unicode by the byte order mark; empty without one."""
    return next((encoding for mark, encoding in _BYTE_ORDER_MARKS if raw.startswith(mark)), "")


def unmarked_encoding(raw: bytes) -> str:
    """The encoding of Unicode to try on a text without byte order mark: UTF-16 shows a NUL in most of its pairs."""
    even, odd = raw[:_TRIED:2].count(0), raw[1:_TRIED:2].count(0)
    if not len(raw) % 2 and max(even, odd) > 5 * min(even, odd) and 3 * (even + odd) > len(raw[:_TRIED:2]):
        return "utf-16-be" if even > odd else "utf-16-le"
    return "utf-8"


def likely_code_page(raw: bytes) -> str:
    """The code page that the letters of a text that is no Unicode make likeliest; empty if none fits."""
    return find_code_page(raw) or _asked_page(raw)


def code_page_note(name: str, encoding: str) -> str:
    """What is said of a file whose code page was found by its letters."""
    return f"{name} is not UTF-8; by its letters it was read as {encoding}; if they are wrong, save it as UTF-8"


def _asked_page(raw: bytes) -> str:
    """The code page that charset-normalizer finds, where it is installed; else empty."""
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return ""
    best = from_bytes(raw[:_TRIED]).best()
    if best is None or b"\0" in raw:
        return ""
    encoding: str = best.encoding
    with suppress(UnicodeDecodeError):
        raw.decode(encoding)
        return encoding
    return ""
