"""The numbers of each pair of picture and text, and the verdict they give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..encoding.features import Features
from ..scoring.scales import Background, Float32s, Float64s, clip_score, is_sigmoid, logits, percentiles, sigmoid
from .result import AUTO, CUSTOM, MODES, PRESETS, MatchOptions, ThresholdScale, Verdict

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

    def cosines(self) -> Float32s:
        """Of each pair, float32 [N, M]."""
        if self.is_paired:
            return self.images.paired_similarity(self.texts)[:, None]
        return self.images.similarity(self.texts)

    def of_texts(self, values: Float32s) -> Float32s:
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


#: With fewer pictures there is no picture percentile.
LEAST_PICTURES = 8
#: Texts that are compared with all pictures at once, to bound memory.
_BLOCK = 256


class Calibrated(Protocol):
    """Turns a model's cosines into probabilities that were fitted to labelled pairs."""

    def probability(self, cosines: NDArray[np.floating]) -> Float64s:
        """0..1, in the shape of the cosines."""

    def check(self, encoder: Encoder) -> None:
        """Raises InputError if it was fitted to another model."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Numbers of the pairs, each [N, M]; see ``MatchResult`` for what they are."""

    cosine: Float32s
    probability: Float64s
    probability_scale: str
    percentile: Float32s
    noise_floor: Float32s
    #: None for a run of few pictures.
    picture_percentile: Float32s | None = None

    def rows(self) -> Iterator[tuple[float, float, float, float, float, float | None]]:
        """Cosine, CLIPScore, probability, percentile, noise floor and picture percentile of each pair, row by row."""
        ranks = self.picture_percentile
        columns = (self.cosine, clip_score(self.cosine), self.probability, self.percentile, self.noise_floor)
        lists = [numbers.ravel().tolist() for numbers in columns]
        return zip(*lists, repeat(None) if ranks is None else ranks.ravel().tolist(), strict=False)

    def on(self, scale: ThresholdScale) -> NDArray[np.floating]:
        """The numbers of a scale that a threshold can be of."""
        if scale == "probability":
            return self.probability
        return self.percentile if scale == "percentile" else self.cosine


def scores_of(
    pairing: Pairing, background: Background, encoder: Encoder, calibration: Calibrated | None = None
) -> Scores:
    """The scores of a pairing."""
    cosines = pairing.cosines()
    probability, scale = _probabilities(cosines, background.neutral, encoder, calibration)
    return Scores(
        cosine=cosines,
        probability=probability,
        probability_scale=scale,
        percentile=percentiles(cosines, background.neutral),
        noise_floor=pairing.of_texts(background.noise_floor(pairing.texts)),
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


def _probabilities(
    cosines: Float32s, neutral: Float32s, encoder: Encoder, calibration: Calibrated | None
) -> tuple[Float64s, str]:
    if calibration is not None:
        return calibration.probability(cosines), "calibrated"
    own = logits(cosines, encoder)
    if is_sigmoid(encoder):
        return sigmoid(own), "sigmoid"
    # e^own / (e^own + sum of the captions' e^logit) = sigmoid(own - logsumexp(captions))
    others = logits(neutral, encoder)  # [N, C]
    most = others.max(axis=1, keepdims=True)
    total = most + np.log(np.exp(others - most).sum(axis=1, keepdims=True))  # [N, 1]
    return sigmoid(own - total), f"softmax against {neutral.shape[1]} captions"


#: The threshold of calibrated probabilities: as likely as not.
EVEN = 0.5
#: Captions of a hundred that a text must beat to be a match, and to be a weak one below the threshold.
MATCH_PERCENTILE = 75.0
WEAK_PERCENTILE = 90.0
_ORDER: tuple[Verdict, ...] = ("mismatch", "weak", "undecided", "match")


@dataclass(frozen=True)
class Limit:
    """The threshold of the verdict, and the scale it is on."""

    threshold: float
    scale: ThresholdScale


def limit_of(options: MatchOptions, *, is_calibrated: bool) -> Limit:
    """The threshold of the options, or of their preset.

    With a calibration and neither of them changed, it is a calibrated probability of 0.5.
    Raises InputError for an unknown preset and for a threshold that is no number.
    """
    if options.preset != CUSTOM:
        if options.preset not in PRESETS:
            raise InputError(f"preset is {options.preset!r}; it must be one of {', '.join((CUSTOM, *PRESETS))}")
        scale, threshold = PRESETS[options.preset]
        return Limit(threshold, scale)
    if not np.isfinite(options.threshold):
        raise InputError(f"threshold is {options.threshold}; it must be a number")
    if is_calibrated and options.threshold == MatchOptions.threshold:
        return Limit(EVEN, "probability")
    return Limit(options.threshold, "cosine")


def lacks_evidence(cosine: Float32s, noise_floor: Float32s, percentile: Float32s) -> NDArray[np.bool_]:
    """Whether noise scores as high, or a quarter of the captions of everyday things score higher."""
    lacking: NDArray[np.bool_] = (cosine <= noise_floor) | (percentile < MATCH_PERCENTILE)
    return lacking


def verdicts(scores: Scores, limit: Limit) -> list[Verdict]:
    """The verdict of each pair, row by row.

    match: the threshold is reached, the cosine is above what the text reaches on noise, and the text beats at least 75
    of a hundred captions of everyday things. undecided: the threshold is reached, but one of the others is not, so that
    the number says little. weak: below the threshold, but above noise, and better than at least 90 of a hundred
    captions. mismatch: everything else.
    """
    value = scores.on(limit.scale)
    # a cosine of 0.2 must reach a threshold of 0.2, whichever of the two was rounded to float32
    reached = value >= np.asarray(limit.threshold, value.dtype)
    lacking = lacks_evidence(scores.cosine, scores.noise_floor, scores.percentile)
    is_near = (scores.cosine > scores.noise_floor) & (scores.percentile >= WEAK_PERCENTILE)
    codes = np.select([reached & ~lacking, reached, is_near], [3, 2, 1], 0)
    return [_ORDER[code] for code in codes.ravel().tolist()]


def reason_of(verdict: Verdict, cosine: float, noise_floor: float, percentile: float) -> str:
    """Why a verdict is weak or undecided; empty for the others."""
    if verdict == "weak":
        return f"it is below the threshold, but better than {percentile:.0f} of a hundred unrelated captions"
    if verdict != "undecided":
        return ""
    if cosine <= noise_floor:
        return f"noise scores as high: with this text it reaches a cosine of {noise_floor:.3f}"
    return f"{100 - percentile:.0f} of a hundred unrelated captions score higher"
