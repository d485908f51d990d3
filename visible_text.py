"""Text without the marks that nobody sees: directions, zero widths, soft hyphens, as pasted paths have them."""

from __future__ import annotations

import re
import unicodedata

#: Bidirectional controls, zero-width characters, byte order mark, soft hyphen.
_MARKS = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_MARK = re.compile(f"[{_MARKS}]")
_AROUND = re.compile(f"^[{_MARKS}\\s]+|[{_MARKS}\\s]+$")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?%?")


def visible(text: str) -> str:
    """The text as it is compared: without invisible marks, and with ordinary blanks for those that do not break."""
    return text if text.isascii() else _MARK.sub("", text).replace("\u00a0", " ").replace("\u202f", " ")


def cell(text: str) -> str:
    """A cell without the blanks around it; numbers lose all invisible marks, other texts those at their ends.

    Texts that run from right to left keep their marks, which may set their order.
    """
    text = text.strip()
    if text.isascii():
        return text
    bare = visible(text).strip()
    if not bare or _NUMBER.fullmatch(bare):
        return bare
    runs_left = any(unicodedata.bidirectional(char) in ("R", "AL") for char in bare)
    return text if runs_left else _AROUND.sub("", text)
