"""What a picture's cosine with a text is compared with: 64 short texts and 128 captions of unrelated things.

A text is compared with the texts of its own length: with CLIP, short texts have higher cosines with any picture than
captions, and vary half as much.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import finalize

import numpy as np

from ...options import SLOT
from ..encoding.features import Features
from .scales import Float32s

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

LengthClass = Literal["short", "long"]
#: The most words of a short text.
MOST_SHORT_WORDS = 6
#: Letters of scripts that are written without spaces between words; two of them count as a word.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
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
    unspaced = len(_UNSPACED.findall(text))
    words = len(_WORD.findall(_UNSPACED.sub(" ", text))) + (unspaced + 1) // 2
    return "short" if words <= MOST_SHORT_WORDS else "long"


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedBank:
    """The bank's texts as unit vectors of one encoder."""

    #: Of the nouns, in their short texts [64, D].
    short: Features
    #: Of the captions [128, D].
    long: Features

    def cosines(self, pictures: Features) -> dict[LengthClass, Float32s]:
        """Cosines of N pictures with the texts of each length, float32 [N, 64] and [N, 128]."""
        return {"short": pictures.similarity(self.short), "long": pictures.similarity(self.long)}


#: By the identity of the encoder, and by template and treatment of long texts.
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
