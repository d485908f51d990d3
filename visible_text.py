"""Text without the marks that nobody sees, as pasted paths have them, and text that a terminal only shows.

The marks are those of direction, zero widths and soft hyphens.
"""

from __future__ import annotations

import re
import unicodedata

#: Bidirectional controls, zero-width characters, byte order mark, soft hyphen.
_MARKS = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_MARK = re.compile(f"[{_MARKS}]")
#: Control characters of ASCII and Latin-1, line and paragraph separators, bidirectional controls, unpaired surrogates,
#: and the tags that nothing shows.
_ACTS = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff\\ufeff\\ufff9-\\ufffb"
    "\\U000e0000-\\U000e007f]"
)
_AROUND = re.compile(f"^[{_MARKS}\\s]+|[{_MARKS}\\s]+$")
#: The beginning and the rest of a name that is too long to be shown.
_LONG_NAME = re.compile(r"([^/\\]{80})[^/\\]+")
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


def printable(text: str) -> str:
    """The text with escapes in place of what a terminal or a log would act on instead of showing it."""
    return text if text.isprintable() else _ACTS.sub(lambda char: char[0].encode("unicode_escape").decode(), text)


def short_names(text: str) -> str:
    """A path or the like with the beginnings alone of names in it that are longer than 80 characters."""
    return _LONG_NAME.sub(lambda name: f"{name[1]}…", text)
