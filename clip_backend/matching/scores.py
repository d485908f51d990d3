"""The numbers of each pair of picture and text, and the verdict they give with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..encoding.features import Features
from ..preparing.blank import EMPTY_REASONS, Emptiness
from ..scoring.scales import (
    LEAST_DEVIATION,
    Float32s,
    Float64s,
    LengthClass,
    bank,
    clip_score,
    is_sigmoid,
    logits,
    percentiles,
    share_beside,
    sigmoid,
    z_scores,
)
from .result import AUTO, CUSTOM, MODES, PRESETS, Limit, MatchOptions, ThresholdScale, Verdict

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

    #: Embeddings of N pictures.
    images: Features
    #: Texts as the model reads them; when paired, one for each of the N pictures.
    texts: Features
    is_paired: bool
    #: The bank that each of the texts is compared with.
    classes: Sequence[LengthClass]

    def cosines(self) -> Float32s:
        """The cosine of each pair, float32 [N, M]."""
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
    for length, every in bank_cosines.items():
        rows, columns = pairing.block(length)
        own, beside = cosines[rows, columns], every[rows]
        z[rows, columns] = z_scores(own, beside)
        percentile[rows, columns] = percentiles(own, beside)
        probability[rows, columns] = share_beside(logits(own, encoder), logits(beside, encoder))
        is_flat[rows, columns] = beside.std(axis=1, keepdims=True) < LEAST_DEVIATION
    scales = {length: f"softmax against {one.shape[1]} unrelated texts" for length, one in bank_cosines.items()}
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


#: A calibrated probability is a match if it is as likely as not, and a mismatch below this.
CALIBRATED, LEAST_PROBABILITY = Limit(0.5, "probability"), 0.25
#: The z below which a text is a mismatch. Of 500 captions by OpenAI B/16, 0.1 % of the true ones lie below it, and 85 %
#: of those of other pictures.
LEAST_Z = 1.0
_ORDER: tuple[Verdict, ...] = ("mismatch", "weak", "match", "undecided")
_FLAT = "the model tells unrelated texts apart too little on this picture to judge by them"


def limit_of(options: MatchOptions, *, is_calibrated: bool) -> Limit:
    """The threshold of a preset that was chosen, else a typed one, else that of a calibration, else a z of 2.

    Raises InputError for an unknown preset and for a threshold that is no number.
    """
    if options.preset not in (CUSTOM, *PRESETS):
        raise InputError(f"preset is {options.preset!r}; it must be one of {', '.join((CUSTOM, *PRESETS))}")
    if options.preset not in (AUTO, CUSTOM):
        return PRESETS[options.preset]
    if not np.isfinite(options.threshold):
        raise InputError(f"threshold is {options.threshold}; it must be a number")
    if options.preset == CUSTOM or options.threshold != MatchOptions.threshold:
        return Limit(options.threshold, "cosine")
    return CALIBRATED if is_calibrated else PRESETS[AUTO]


def verdicts(scores: Scores, limit: Limit, emptiness: Sequence[Emptiness]) -> list[Verdict]:
    """The verdict of each pair, row by row.

    undecided: the picture is blank or noise, or the bank says nothing where z decides. match: the threshold is reached.
    mismatch: it is not, and z is below 1, or a calibrated probability below 0.25. weak: everything else.
    emptiness: of each picture [N].
    """
    value = scores.on(limit.scale)
    # a cosine of 0.2 must reach a threshold of 0.2, whichever of the two was rounded to float32
    reached = value >= np.asarray(limit.threshold, value.dtype)
    is_far = scores.probability < LEAST_PROBABILITY if limit.scale == "probability" else scores.z < LEAST_Z
    codes = np.select([_are_undecided(scores, limit, emptiness), reached, is_far], [3, 2, 0], 1)
    return [_ORDER[code] for code in codes.ravel().tolist()]


def _are_undecided(scores: Scores, limit: Limit, emptiness: Sequence[Emptiness]) -> NDArray[np.bool_]:
    is_empty = np.array([bool(one) for one in emptiness])[:, None]
    undecided: NDArray[np.bool_] = is_empty | (scores.is_flat & (limit.scale in ("z", "probability")))
    return undecided


def reason_of(
    verdict: Verdict,
    limit: Limit,
    emptiness: Emptiness,
    length: LengthClass,
    *,
    value: float,
    z: float,
    percentile: float,
) -> str:
    """Why the verdict is what it is; value: what was compared with the limit."""
    if verdict == "undecided":
        return EMPTY_REASONS.get(emptiness, _FLAT)
    evidence = _evidence(length, z, percentile)
    if limit.scale == "z":
        return f"{evidence}; a match needs {limit.threshold:g}" if verdict == "weak" else evidence
    compared = "reaches" if verdict == "match" else "is below"
    digits = 1 if limit.scale == "percentile" else 3
    return f"its {limit.scale} of {value:.{digits}f} {compared} {limit.threshold:g}; {evidence}"


def _evidence(length: LengthClass, z: float, percentile: float) -> str:
    """How the text stands among those of the bank, in words."""
    count, what = (len(bank().captions), "captions") if length == "long" else (len(bank().nouns), "short texts")
    side = "above" if z >= 0 else "below"
    return (
        f"it fits better than {percentile * count / 100:.0f} of {count} unrelated {what}, {abs(z):.1f} standard "
        f"deviations {side} their mean"
    )
