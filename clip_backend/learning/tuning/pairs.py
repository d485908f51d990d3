"""What the towers learn from: pictures and texts, each once, and the rows that put them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ....errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
#: "pairs": rows with labels 0 and 1, "classes": the texts are the classes, "captions": all rows belong together.
Kind = Literal["pairs", "classes", "captions"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """N rows, each of one picture and one text. Raises InputError for places that are not there, and for no rows."""

    kind: Kind
    #: Distinct pictures: whatever ``encode_images`` takes as one.
    pictures: Sequence[Any]
    #: Distinct texts; of classes the sentence for each class.
    texts: Sequence[str]
    #: int64 [N]: the places of each row's picture and text.
    picture_of: Ints
    text_of: Ints
    #: float32 [N]: 1 where the two belong together, else 0.
    labels: Floats

    def __post_init__(self) -> None:
        if not len(self.labels):
            raise InputError("there are no rows to train on; give at least two")
        for places, things, name in ((self.picture_of, self.pictures, "picture"), (self.text_of, self.texts, "text")):
            if len(places) != len(self.labels) or places.min() < 0 or places.max() >= len(things):
                raise InputError(f"the {name} places of the rows do not fit {len(things)} {name}s")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True, eq=False)
class Retention:
    """Pictures and texts by which it is measured how much of its own abilities a model keeps."""

    pictures: Sequence[Any]
    #: What the model chooses from for each picture.
    texts: Sequence[str]
