"""The numbers of each pair of picture and text: cosine, z and percentile among the bank, and probability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..encoding.features import Features
from ..scoring.banks import LengthClass
from ..scoring.scales import (
    LEAST_DEVIATION,
    Float32s,
    Float64s,
    clip_score,
    is_sigmoid,
    logits,
    percentiles,
    share_beside,
    sigmoid,
    z_scores,
)
from .result import AUTO, MODES, MatchOptions, ThresholdScale

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

_MATRIX = "choose the mode matrix for every picture with every text"


def mode_of(mode: str, pictures: int, texts: int) -> str:
    """The mode for these numbers of pictures and texts, with auto resolved: pairs, matrix or broadcast.

    Raises InputError for numbers that do not fit the mode, and for an unknown mode.
    """
    if mode not in MODES:
        raise InputError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
    if not pictures:
        raise InputError("no pictures were given; give at least one")
    is_one = 1 in (pictures, texts)
    if mode == AUTO:
        mode = "broadcast" if is_one and pictures != texts else "pairs"
    if mode == "pairs" and pictures != texts:
        raise InputError(f"there are {pictures} pictures and {texts} texts; give a text for each picture, or {_MATRIX}")
    if mode == "broadcast" and not is_one:
        raise InputError(
            f"there are {pictures} pictures and {texts} texts, and broadcast takes one of either; give one picture or "
            f"one text, or {_MATRIX}"
        )
    return mode


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairing:
    """The pictures that could be read, and the texts they are compared with.

    Scores of a pairing are [N, M]: a row for each picture, and in it a column for each of its texts, of which there is
    one where pictures and texts go by pairs.
    """

    #: Of N pictures.
    images: Features
    #: As the model reads them; of pairs, one for each of the N pictures.
    texts: Features
    is_paired: bool
    #: The bank that each of the texts is compared with.
    classes: Sequence[LengthClass]

    def cosines(self) -> Float32s:
        """Of each pair, float32 [N, M]."""
        if self.is_paired:
            return self.images.paired_similarity(self.texts)[:, None]
        return self.images.similarity(self.texts)

    def block(self, length: LengthClass) -> tuple[slice | NDArray[np.intp], slice | NDArray[np.intp]]:
        """The rows and the columns of the pairs whose text is compared with the bank of this length."""
        places = np.flatnonzero(np.array(self.classes) == length)
        return (places, slice(None)) if self.is_paired else (slice(None), places)

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


#: With fewer pictures there is no picture percentile.
LEAST_PICTURES = 8
#: Texts that are compared with all pictures at once, to bound memory.
_BLOCK = 256


class Calibrated(Protocol):
    """Turns a model's z into probabilities that were fitted to labelled pairs."""

    def probability(self, z: NDArray[np.floating]) -> Float64s:
        """0..1, in the shape of z."""

    def check(self, encoder: Encoder, options: MatchOptions) -> None:
        """Raises InputError if it was fitted to another model, or to texts that were encoded in another way."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Numbers of the pairs, each [N, M]; see ``MatchResult`` for what they are."""

    cosine: Float32s
    z: Float32s
    percentile: Float32s
    probability: Float64s
    #: What ``probability`` is, for texts of each length.
    probability_scales: Mapping[LengthClass, str]
    #: Whether all texts of the bank have about one cosine with the picture, so that z says nothing.
    is_flat: NDArray[np.bool_]
    #: None for a run of few pictures.
    picture_percentile: Float32s | None = None

    def rows(self) -> Iterator[tuple[float, float, float, float, float, float | None]]:
        """Cosine, CLIPScore, probability, z, percentile and picture percentile of each pair, row by row."""
        ranks = self.picture_percentile
        columns = (self.cosine, clip_score(self.cosine), self.probability, self.z, self.percentile)
        lists = [numbers.ravel().tolist() for numbers in columns]
        return zip(*lists, repeat(None) if ranks is None else ranks.ravel().tolist(), strict=False)

    def on(self, scale: ThresholdScale) -> NDArray[np.floating]:
        """The numbers of a scale that a threshold can be of."""
        if scale == "probability":
            return self.probability
        if scale == "z":
            return self.z
        return self.percentile if scale == "percentile" else self.cosine


def scores_of(
    pairing: Pairing,
    bank_cosines: Mapping[LengthClass, Float32s],
    encoder: Encoder,
    calibration: Calibrated | None = None,
) -> Scores:
    """The scores of a pairing; bank_cosines: of its pictures with the bank's texts of each length [N, B]."""
    cosines = pairing.cosines()
    z, percentile, probability = np.empty_like(cosines), np.empty_like(cosines), np.empty(cosines.shape)
    is_flat = np.empty(cosines.shape, np.bool_)
    for length, bank in bank_cosines.items():
        rows, columns = pairing.block(length)
        own, beside = cosines[rows, columns], bank[rows]
        z[rows, columns] = z_scores(own, beside)
        percentile[rows, columns] = percentiles(own, beside)
        probability[rows, columns] = share_beside(logits(own, encoder), logits(beside, encoder))
        is_flat[rows, columns] = beside.std(axis=1, keepdims=True) < LEAST_DEVIATION
    scales = {length: f"softmax against {bank.shape[1]} unrelated texts" for length, bank in bank_cosines.items()}
    if is_sigmoid(encoder):
        probability, scales = sigmoid(logits(cosines, encoder)), dict.fromkeys(scales, "sigmoid")
    if calibration is not None:
        probability, scales = calibration.probability(z), dict.fromkeys(scales, "calibrated")
    return Scores(
        cosine=cosines,
        z=z,
        percentile=percentile,
        probability=probability,
        probability_scales=scales,
        is_flat=is_flat,
        picture_percentile=picture_percentiles(pairing),
    )


def picture_percentiles(pairing: Pairing) -> Float32s | None:
    """How many of a hundred pictures of the run fit the text worse, float32 [N, M]; the picture itself counts half.

    Equal pictures count as one. None for fewer than 8.
    """
    distinct, place = np.unique(pairing.images.vectors, axis=0, return_inverse=True)
    place = place.reshape(-1)  # numpy 2.0.0 keeps the axis
    if len(distinct) < LEAST_PICTURES:
        return None
    shares = []
    for start in range(0, len(pairing.texts), _BLOCK):
        texts = slice(start, start + _BLOCK)
        run = pairing.texts.vectors[texts] @ distinct.T  # [B, distinct]
        own = np.take_along_axis(run, place[texts, None], 1) if pairing.is_paired else run[:, place]
        shares.append(percentiles(own, run))
    every = np.concatenate(shares)
    return every if pairing.is_paired else every.T
