"""The examples that are used, with the embedding, group and part of each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ....errors import InputError
from ...encoding.features import Vectors
from ..data.dataset import Example
from ..data.prepare import PreparedData

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureRows:
    """N examples whose pictures could be read."""

    examples: tuple[Example, ...]
    #: Unit vectors of the pictures, float32 [N, D].
    vectors: Vectors
    #: The name of the group of each [N].
    groups: tuple[str, ...]
    #: The places of what is learnt from, val included, of val alone, and of what is measured on.
    learnt: Ints
    val: Ints
    test: Ints

    @classmethod
    def of(cls, prepared: PreparedData, only: Collection[int] | None = None) -> PictureRows:
        """Those that the split has in a part; raises InputError where there are none.

        only: the indices of the examples that are looked at; None for all.
        """
        split, vectors = prepared.split, prepared.vectors
        if vectors is None:
            raise InputError("the data was prepared without a model; give one")
        places = range(len(split.parts)) if only is None else only
        used = [place for place in places if split.parts[place] and vectors[place].any()]
        if not used:
            raise InputError(f"no picture of {prepared.dataset.path} can be used; see what its report finds")
        parts = np.array([split.parts[place] for place in used])
        return cls(
            examples=tuple(prepared.dataset.examples[place] for place in used),
            vectors=vectors[used],
            groups=tuple(split.groups[place] for place in used),
            learnt=np.flatnonzero(parts != "test"),
            val=np.flatnonzero(parts == "val"),
            test=np.flatnonzero(parts == "test"),
        )

    def measuring_only(self) -> PictureRows:
        """A copy with no rows to learn from, in which all are measured on."""
        none, every = np.zeros(0, np.int64), np.arange(len(self.examples))
        return replace(self, learnt=none, val=none, test=every)
