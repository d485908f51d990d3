"""What a cosine is worth: on a model's own scale, and among the bank, 64 short texts and 128 captions of other things.

A text is compared with the bank's texts of its own length: with CLIP, short texts have higher cosines with any picture
than captions, and vary half as much.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from ...options import SLOT
from ..encoding.features import Features

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

#: Cosines, and what is derived from them in their precision.
Float32s = NDArray[np.float32]
#: Logits, probabilities and what is derived from them.
Float64s = NDArray[np.float64]
#: Bank texts that all have about one cosine with a picture say nothing about it; z is not divided by less.
LEAST_DEVIATION = 0.005
#: The weight of CLIPScore (Hessel et al. 2021, section 3).
CLIP_SCORE_WEIGHT = 2.5


def clip_score(cosines: Float32s) -> Float32s:
    """2.5 * max(cosine, 0), without the paper's "A photo depicts" before the text."""
    scores: Float32s = np.float32(CLIP_SCORE_WEIGHT) * np.maximum(cosines, np.float32(0))
    return scores


def deviations(bank_cosines: Float32s) -> Float32s:
    """Standard deviation of each picture's cosines with the bank, at least 0.005, float32 [N, 1] from [N, B]."""
    spread: Float32s = np.maximum(bank_cosines.std(axis=1, keepdims=True), np.float32(LEAST_DEVIATION))
    return spread


def z_scores(cosines: Float32s, bank_cosines: Float32s) -> Float32s:
    """How many standard deviations cosines lie above the mean of the bank's for the same picture, float32 [N, M].

    cosines: of N pictures with M texts [N, M]. bank_cosines: of the same pictures with the bank's texts [N, B].
    """
    z: Float32s = (cosines - bank_cosines.mean(axis=1, keepdims=True)) / deviations(bank_cosines)
    return z


def percentiles(cosines: Float32s, bank_cosines: Float32s) -> Float32s:
    """How many of a hundred bank texts fit a picture worse, 0..100, float32 [N, M]; ties count half.

    cosines: of N pictures with M texts [N, M]. bank_cosines: of the same pictures with the bank's texts [N, B].
    """
    ordered = np.sort(bank_cosines, axis=1)
    rows = zip(ordered, cosines, strict=True)
    below = [np.searchsorted(row, own, "left") + np.searchsorted(row, own, "right") for row, own in rows]
    share: Float32s = (50.0 * np.array(below).reshape(cosines.shape) / bank_cosines.shape[1]).astype(np.float32)
    return share


def logits(cosines: NDArray[np.floating], encoder: Encoder) -> Float64s:
    """Cosines times the model's logit scale plus its bias, float64 in the shape of the cosines."""
    return cosines.astype(np.float64) * encoder.logit_scale + encoder.logit_bias


def softmax(values: NDArray[np.floating]) -> Float64s:
    """Probabilities along the last axis, which sum to 1, float64."""
    wide = values.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    shares: Float64s = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(values: NDArray[np.floating]) -> Float64s:
    """1 / (1 + exp(-x)) without overflow, float64."""
    wide = values.astype(np.float64)
    positive = np.exp(-np.abs(wide))
    shares: Float64s = np.where(wide >= 0, 1, positive) / (1 + positive)
    return shares


def share_beside(own: Float64s, others: Float64s) -> Float64s:
    """The softmax share of each of M logits beside B others alone, float64 [N, M].

    own: [N, M]. others: of the same pictures [N, B]. e^own / (e^own + sum of e^others) = sigmoid(own - log of the sum).
    """
    most = others.max(axis=1, keepdims=True)
    total = most + np.log(np.exp(others - most).sum(axis=1, keepdims=True))  # [N, 1]
    return sigmoid(own - total)


def is_sigmoid(encoder: Encoder) -> bool:
    """Whether the model is of a family that was trained with a sigmoid for each pair, as SigLIP was."""
    return encoder.identity.is_sigmoid


def assumed_notes(encoder: Encoder) -> Iterator[str]:
    """A note for each property of the probabilities' scale that the model's files lack."""
    for name, value in (("logit_scale", encoder.logit_scale), ("logit_bias", encoder.logit_bias)):
        if name in encoder.identity.assumed:
            yield (
                f"the model's files do not tell its {name}; it is taken to be {value:g}, so probabilities are estimates"
            )


LengthClass = Literal["short", "long"]
#: The most words of a short text.
MOST_SHORT_WORDS = 6
#: Letters of scripts that are written without spaces between words; two of them count as a word.
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


@dataclass(frozen=True, kw_only=True)
class Bank:
    """The texts of one version of the bank."""

    version: int
    #: Nouns, each with the short text in which it is compared.
    nouns: dict[str, str]
    captions: tuple[str, ...]


@cache
def bank() -> Bank:
    """The bank that comes with the package: 64 nouns, and 128 captions of 7 to 12 words, a quarter with people."""
    texts = json.loads((Path(__file__).parent / "bank.json").read_text("utf-8"))
    return Bank(version=texts["version"], nouns=texts["nouns"], captions=tuple(texts["captions"]))


def length_class(text: str) -> LengthClass:
    """The bank of a text: "short" up to six words, else "long"; two letters without word spaces count as a word."""
    unspaced = len(UNSPACED.findall(text))
    words = len(_WORD.findall(UNSPACED.sub(" ", text))) + (unspaced + 1) // 2
    return "short" if words <= MOST_SHORT_WORDS else "long"


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedBank:
    """The bank's texts as unit vectors of one encoder."""

    #: Embeddings of the nouns, in their short texts [64, D].
    short: Features
    #: Embeddings of the captions [128, D].
    long: Features

    def cosines(self, pictures: Features) -> dict[LengthClass, Float32s]:
        """Cosines of N pictures with the texts of each length, float32 [N, 64] and [N, 128]."""
        return {"short": pictures.similarity(self.short), "long": pictures.similarity(self.long)}


#: Encoded banks by identity of the encoder, then by template and treatment of long texts.
_encoded: dict[int, dict[tuple[str, str], EncodedBank]] = {}


def encoded_bank(encoder: Encoder, *, template: str = SLOT, long_text: str = "truncate") -> EncodedBank:
    """The bank as an encoder reads it, kept while the encoder is.

    template, long_text: how the texts are encoded that are compared with the bank.
    """
    kept = _encoded.get(id(encoder))
    if kept is None:
        kept = _encoded[id(encoder)] = {}
        finalize(encoder, _encoded.pop, id(encoder), None)
    if (template, long_text) not in kept:
        texts = [template.replace(SLOT, text) for text in (*bank().nouns.values(), *bank().captions)]
        features = encoder.encode_texts(texts, long_text=long_text)
        nouns = len(bank().nouns)
        places = np.arange(len(texts))
        kept[template, long_text] = EncodedBank(
            short=features.select(places[:nouns]), long=features.select(places[nouns:])
        )
    return kept[template, long_text]
