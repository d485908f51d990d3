"""Which picture is held against which text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..features import Features
from ..scales import Floats
from .options import AUTO, MODES

_MATRIX = "choose the mode matrix for every picture with every text"


def mode_of(wanted: str, pictures: int, texts: int) -> str:
    """How so many pictures and texts are put together: pairs, matrix or broadcast.

    Raises InputError for numbers that do not fit the wanted mode, and for another word.
    """
    if wanted not in MODES:
        raise InputError(f"mode is {wanted!r}; it must be one of {', '.join(MODES)}")
    if not pictures:
        raise InputError("no pictures were given; give at least one")
    stands_alone = 1 in (pictures, texts)
    if wanted == AUTO:
        wanted = "broadcast" if stands_alone and pictures != texts else "pairs"
    if wanted == "pairs" and pictures != texts:
        raise InputError(f"there are {pictures} pictures and {texts} texts; give a text for each picture, or {_MATRIX}")
    if wanted == "broadcast" and not stands_alone:
        raise InputError(
            f"there are {pictures} pictures and {texts} texts, and broadcast takes one of either; give one picture or "
            f"one text, or {_MATRIX}"
        )
    return wanted


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairing:
    """The pictures that could be read, and the texts that they are held against.

    Scores of a pairing are [N, M]: a row for each picture, and in it a column for each of its texts, of which there is
    one where pictures and texts go by pairs.
    """

    #: Of N pictures.
    images: Features
    #: As the model reads them; of pairs, one for each of the N pictures.
    texts: Features
    is_paired: bool

    def cosines(self) -> Floats:
        """Of each pair, float32 [N, M]."""
        if self.is_paired:
            return self.images.paired_similarity(self.texts)[:, None]
        return self.images.similarity(self.texts)

    def of_texts(self, values: Floats) -> Floats:
        """A number for each text [texts] as numbers for the pairs [N, M]."""
        shape = (len(self.images), 1 if self.is_paired else len(self.texts))
        return np.broadcast_to(values[:, None] if self.is_paired else values, shape)

    def pairs_of(self, text: int) -> tuple[NDArray[np.intp], int]:
        """The rows and the column of the pairs in which this text stands."""
        if self.is_paired:
            return np.array([text], np.intp), 0
        return np.arange(len(self.images)), text

    def places(self) -> Iterator[tuple[int, int]]:
        """The picture and the text of each pair, row by row."""
        for row in range(len(self.images)):
            if self.is_paired:
                yield row, row
            else:
                yield from ((row, text) for text in range(len(self.texts)))
