"""The order in which people list names: numbers inside a text count as numbers, and case hardly matters."""

from __future__ import annotations

import re
import unicodedata

#: One piece of a text: (0, digits, number) for a run of digits, (1, 0, text) for what lies between two runs.
Piece = tuple[int, int, str]
NaturalKey = tuple[tuple[Piece, ...], str]


def natural_key(text: str) -> NaturalKey:
    """A sort key that puts img_2 before img_10 and Zoe after adam; any two keys can be compared.

    Texts that differ in case, in leading zeros or in Unicode composition only are neighbours, in a fixed order.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    pieces = tuple(_piece(part) for part in re.split(r"(\d+)", folded) if part)
    return pieces, text


def _piece(part: str) -> Piece:
    if not part[0].isdecimal():
        return 1, 0, part
    # compared by length, then by digit: int() refuses runs of more than 4300 digits
    digits = "".join(str(unicodedata.decimal(digit)) for digit in part).lstrip("0")
    return 0, len(digits), digits
