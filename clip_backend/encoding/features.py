"""Unit vectors with ids, which refuse to mix embedding spaces, and the identity of the encoder they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, SpaceError

if TYPE_CHECKING:
    from ..preparing.preprocessing import Preprocessing

Vectors = NDArray[np.float32]
#: Rows whose length is off by more than this are no unit vectors; float32 rounding stays far below.
UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Features:
    """Unit vectors of one embedding space, float32 [N, D], with an id for each row.

    Raises InputError for rows that are not of length 1; use ``from_raw`` for those.
    """

    vectors: Vectors
    ids: tuple[str, ...]
    #: The embedding space; features of two spaces never compare.
    space: str

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise InputError(f"features are {self.vectors.dtype} {self.vectors.shape}; they must be float32 (rows, D)")
        if len(self.ids) != len(self.vectors):
            raise InputError(f"features have {len(self.vectors)} rows but {len(self.ids)} ids; give one id per row")
        lengths = np.linalg.norm(self.vectors, axis=1)
        wrong = np.flatnonzero(~(np.abs(lengths - 1) <= UNIT_TOLERANCE))
        if wrong.size:
            first = int(wrong[0])
            raise InputError(f"{self.ids[first]} has length {lengths[first]:g}, not 1; use Features.from_raw")

    @classmethod
    def from_raw(cls, raw: NDArray[np.generic], ids: Iterable[str], space: str) -> Features:
        """Features from vectors of any length.

        raw: numbers [N, D]. Raises InputError naming the first row that is zero or not finite, for it has no direction.
        """
        return cls(unit_rows(raw, names := tuple(ids)), names, space)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dim(self) -> int:
        """The length of a row's list of numbers."""
        return int(self.vectors.shape[1])

    def similarity(self, other: Features) -> Vectors:
        """Cosines of every row with every row of ``other``, float32 [N, M], within -1..1.

        Raises SpaceError when the two are of different spaces.
        """
        self._check_space(other)
        cosines: Vectors = np.clip(self.vectors @ other.vectors.T, -1, 1)
        return cosines

    def paired_similarity(self, other: Features) -> Vectors:
        """Cosines of every row with the same row of ``other``, float32 [N], within -1..1.

        Raises SpaceError when the two are of different spaces, and InputError when one has more rows.
        """
        self._check_space(other)
        if len(self) != len(other):
            raise InputError(f"{len(self)} rows cannot be paired with {len(other)}; give one for each")
        cosines: Vectors = np.clip(np.einsum("nd,nd->n", self.vectors, other.vectors), -1, 1)
        return cosines

    def select(self, rows: Sequence[int] | NDArray[np.integer]) -> Features:
        """The rows at these places, in this order."""
        places = np.asarray(rows, dtype=np.intp)
        outside = places[(places < -len(self)) | (places >= len(self))]
        if outside.size:
            raise InputError(f"there is no row {outside[0]}; the features have {len(self)}")
        return Features(self.vectors[places], tuple(self.ids[place] for place in places), self.space)

    def _check_space(self, other: Features) -> None:
        if self.space != other.space:
            raise SpaceError(
                f"features of {self.space!r} cannot be compared with features of {other.space!r}: "
                "the numbers of two models mean nothing to each other; encode both with one model"
            )
        if self.dim != other.dim:
            raise SpaceError(
                f"features of {self.space!r} have {self.dim} and {other.dim} dimensions a row; encode anew"
            )


def unit_rows(raw: NDArray[np.generic], names: Sequence[str]) -> Vectors:
    """The rows, float32, made length 1; raises InputError naming the first that is zero or not finite.

    raw: numbers [N, D]. Lengths are taken in float64, so that rows of very small or large numbers keep their direction.
    """
    if raw.ndim != 2:
        raise InputError(f"the vectors have the shape {raw.shape}; it must be (rows, D)")
    if len(names) != len(raw):
        raise InputError(f"there are {len(raw)} vectors but {len(names)} ids; give one id per vector")
    wide = raw.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    broken = np.flatnonzero(~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)))
    if broken.size:
        first = int(broken[0])
        what = "is zero" if lengths[first, 0] == 0 else "is not finite"
        raise InputError(f"the vector of {names[first]} {what} and has no direction; leave it out or encode it anew")
    unit: Vectors = (wide / lengths).astype(np.float32)
    return unit


@dataclass(frozen=True, eq=False)
class TextFeatures(Features):
    """Unit vectors of texts; the ids are the texts."""

    #: What did not fit of each text and was left out; empty where nothing was.
    dropped: tuple[str, ...] = ()
    #: What the user should know, such as that memory ran out and the processor was used.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Name, space and numbers of one encoder."""

    #: Its name in messages.
    name: str
    #: Features of two encoders compare only if it is equal.
    space: str
    #: The length of an embedding; 0 for a model with token states only.
    dim: int
    #: A hash of the weights.
    fingerprint: str
    #: Everything that its numbers depend on; part of the cache keys.
    cache_key: str
    #: "fp32", "fp16" or "bf16".
    dtype: str
    #: How pictures are prepared; None if it takes none.
    preprocessing: Preprocessing | None = None
    #: Whether pictures keep their shape, so that only the model itself can prepare them.
    keeps_shape: bool = False
    #: The factor of cosines in logits.
    logit_scale: float = 100.0
    #: What is added to scaled cosines; 0 except for SigLIP.
    logit_bias: float = 0.0
    #: Whether its family was trained with a sigmoid for each pair of picture and text, as SigLIP was.
    is_sigmoid: bool = False
    #: Properties that no file states, such as a missing scale.
    assumed: tuple[str, ...] = ()
    #: Why it encodes no texts, where that is not obvious, and the cure.
    no_texts: str = ""
    #: Notes for the user about the model.
    notes: tuple[str, ...] = ()


class HasIdentity(Protocol):
    """The properties of an encoder that come from its ``identity``, where they are described."""

    #: Name, space and numbers of the model, and which of them are assumed.
    identity: Identity

    @property
    def space(self) -> str:
        return self.identity.space

    @property
    def dim(self) -> int:
        return self.identity.dim

    @property
    def logit_scale(self) -> float:
        return self.identity.logit_scale

    @property
    def logit_bias(self) -> float:
        return self.identity.logit_bias

    @property
    def fingerprint(self) -> str:
        return self.identity.fingerprint

    @property
    def preprocessing(self) -> Preprocessing | None:
        return self.identity.preprocessing
