"""The values of many pictures as columns of small whole numbers, so that combinations can be counted quickly."""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...csv_cells import plain_name
from ..pictures.find import natural_key

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_TRAILING_ZEROS = re.compile(r"(-?(?:0|[1-9][0-9]*))(?:\.0+|(\.[0-9]*[1-9])0*)")
_WORDY_LENGTH = 60  # characters on average from which texts are prose rather than values
_SIZES = {"width", "height", "size", "resolution", "aspectratio", "ratio", "megapixels", "imagewidth", "imageheight"}
_PROMPTS = {"prompt", "positive", "negative", "positiveprompt", "negativeprompt", "caption", "text"}
_HASHES = ("hash", "hashes", "sha256", "autov2")
_RECORDS = {
    "date", "time", "datetime", "created", "createddate", "modified", "timestamp", "id", "index", "number", "filename",
    "file",
}  # fmt: skip


class Kind(IntEnum):
    """What a column is about, as an axis: the lower the better."""

    PARAMETER = 0
    SEED = 1
    SIZE = 2
    WORDY = 3
    #: Says nothing to a reader.
    HASH = 4
    #: Says which picture it is, not how it was made.
    RECORD = 5


@dataclass(frozen=True, eq=False)
class Column:
    """One column of all pictures; `codes` int64 [N] are indices of `values`, -1 where a picture has none."""

    name: str
    place: int
    codes: NDArray[np.int64]
    values: tuple[str, ...]

    @cached_property
    def kind(self) -> Kind:
        kind = kind_of(self.name)
        average = sum(map(len, self.values)) / max(1, len(self.values))
        return Kind.WORDY if kind is Kind.PARAMETER and average > _WORDY_LENGTH else kind

    @property
    def covered(self) -> int:
        """How many pictures have a value."""
        return int(np.count_nonzero(self.codes >= 0))

    @property
    def constant(self) -> bool:
        return len(self.values) == 1 and self.covered == len(self.codes)

    @property
    def unique(self) -> bool:
        """Whether no two pictures have the same value."""
        return len(self.values) == self.covered

    @property
    def rank(self) -> tuple[int, int]:
        """Which of two equal columns to prefer: the smaller."""
        return self.kind, self.place

    @property
    def partition(self) -> bytes:
        """Equal for columns that divide the pictures alike, such as model and model hash."""
        return self.codes.tobytes()


def kind_of(column: str) -> Kind:
    """What a column is about by its name; PARAMETER where the name does not tell."""
    name = plain_name(column)
    if name in _RECORDS:
        return Kind.RECORD
    if name.endswith(_HASHES):
        return Kind.HASH
    if name.endswith("seed"):
        return Kind.SEED
    if name in _SIZES:
        return Kind.SIZE
    return Kind.WORDY if name in _PROMPTS else Kind.PARAMETER


def identity(text: str) -> str:
    """What makes two spellings the same value: blanks around it and zeros after a decimal point do not count."""
    text = text.strip()
    number = _TRAILING_ZEROS.fullmatch(text)
    return number[1] + (number[2] or "") if number else text


def sorted_values(texts: Iterable[str]) -> tuple[str, ...]:
    """Numbers by size if all are numbers, otherwise natural order."""
    texts = sorted(texts, key=natural_key)
    if all(_NUMBER.fullmatch(text) for text in texts):
        texts.sort(key=Decimal)
    return tuple(texts)


def is_numeric(texts: Iterable[str]) -> bool:
    """Whether all texts are plain numbers."""
    return all(_NUMBER.fullmatch(text) for text in texts)


def code_columns(pictures: Sequence[Mapping[str, str]]) -> tuple[Column, ...]:
    """All columns in which any picture has a value, in an order that the order of the pictures cannot change.

    A column stands at the furthest place that it has in any picture; of equal ones the first in natural order.
    """
    cells: dict[str, _Cells] = defaultdict(_Cells)
    for index, picture in enumerate(pictures):
        for place, (name, text) in enumerate(picture.items()):
            if text.strip():
                cells[name].add(index, place, text)
    names = sorted(cells, key=lambda name: (cells[name].place, natural_key(name)))
    return tuple(cells[name].column(name, place, len(pictures)) for place, name in enumerate(names))


class _Cells:
    """The texts of one column as they are met; each spelling is looked at once."""

    def __init__(self) -> None:
        #: The furthest that it stands in any picture.
        self.place = 0
        self._indices, self._codes = array("q"), array("q")
        self._code_of_text: dict[str, int] = {}
        self._code_of: dict[str, int] = {}

    def add(self, index: int, place: int, text: str) -> None:
        self.place = max(place, self.place)
        code = self._code_of_text.get(text)
        if code is None:
            code = self._code_of_text[text] = self._code_of.setdefault(identity(text), len(self._code_of))
        self._indices.append(index)
        self._codes.append(code)

    def column(self, name: str, place: int, count: int) -> Column:
        codes = np.full(count, -1, np.int64)
        codes[np.frombuffer(self._indices, np.int64)] = np.frombuffer(self._codes, np.int64)
        # of 7, 7.0 and 7.00 the shortest is shown
        shown: dict[int, str] = {}
        for text, code in self._code_of_text.items():
            shown[code] = min(shown.get(code, text), text.strip(), key=lambda text: (len(text), text))
        return Column(name, place, codes, tuple(shown[code].strip() for code in range(len(shown))))
