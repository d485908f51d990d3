"""What a text is to a model: token ids, framed by the model's marks, and what did not fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError


@dataclass(frozen=True)
class TokenizedText:
    """One text as token ids."""

    #: As it was given.
    text: str
    #: With the marks of beginning and end, not padded.
    ids: tuple[int, ...]
    #: The end of the text that did not fit; empty if all of it did.
    dropped: str = ""


class Tokenizer(Protocol):
    """How one model wants its texts."""

    @property
    def context(self) -> int:
        """Tokens that a text may have, with its marks."""

    @property
    def marks(self) -> int:
        """How many of a text's ids frame it; the others say how long it is."""

    @property
    def trims(self) -> bool:
        """Whether a batch may be as short as its longest text with identical results, as a causal model allows."""

    @property
    def pad_id(self) -> int:
        """What fills a batch behind a text's end."""

    @property
    def fingerprint(self) -> str:
        """Equal for tokenizers that give equal ids; a part of the keys of caches."""

    def encode(self, texts: Sequence[str], *, allow_empty: bool = False) -> list[TokenizedText]:
        """The ids of each text, cut to the context; marks are kept, and what was cut off is told.

        Names of special tokens in a text are plain text. Raises InputError for what is no text, and for a text
        without a single token unless that is allowed; both name its number.
        """

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token of the whole text begins and ends in ``read(text)``, without marks."""

    def read(self, text: str) -> str:
        """The text that the spans count in: the given one, or as it was cleaned up before."""


def batch_of(texts: Sequence[TokenizedText], tokenizer: Tokenizer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(ids [B, L], ends [B]), ready for a text tower; ``ends`` is the position whose state stands for the text.

    Where texts may be trimmed, L is that of the longest and the end is the mark of the text's end; else L is the whole
    context and the end is the last position, filled or not.
    """
    if not texts:
        raise InputError("there is no text to put into a batch; give at least one")
    length = max(len(text.ids) for text in texts) if tokenizer.trims else tokenizer.context
    ids = np.full((len(texts), length), tokenizer.pad_id, np.int64)  # [B, L]
    for row, text in zip(ids, texts, strict=True):
        row[: len(text.ids)] = text.ids
    ends = [len(text.ids) - 1 if tokenizer.trims else length - 1 for text in texts]
    return ids, np.array(ends, np.int64)


#: Behind what a text may be cut, the best first: sentences and lines, clauses, words.
_BREAKS = (
    re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]|\n+"),
    re.compile(r"[,;:]\s+|[，、；：]|\s[-–—|]+\s+"),
    re.compile(r"\s+"),
)
#: A cut behind a sentence or clause must fill this share of the context, or parts would be many and short.
_LEAST_FILL = 0.5


def chunks(text: str, tokenizer: Tokenizer) -> list[TokenizedText]:
    """The parts of a text, in order, each with its marks and nothing dropped; their ``text`` is the part itself.

    Parts without a token are left out; to weigh a part, take ``len(part.ids) - tokenizer.marks``.
    Raises InputError for a text without a single token.
    """
    whole = tokenizer.encode([text])
    if not whole[0].dropped:
        return whole
    parts = tokenizer.encode(split_long(text, tokenizer), allow_empty=True)
    return [part for part in parts if len(part.ids) > tokenizer.marks]


def split_long(text: str, tokenizer: Tokenizer) -> list[str]:
    """The text in parts of at most the context, cut behind sentences, else clauses, else words, else characters."""
    text = tokenizer.read(text)
    parts = _cut(text, tokenizer.spans(text), tokenizer.context - tokenizer.marks)
    if len(parts) == 1:
        return parts
    fitting: list[str] = []
    # tokens at a cut may differ from those of the whole text
    for part, tokenized in zip(parts, tokenizer.encode(parts, allow_empty=True), strict=True):
        fitting += split_long(part, tokenizer) if tokenized.dropped else [part]
    return fitting


def _cut(text: str, spans: list[tuple[int, int]], room: int) -> list[str]:
    cuts = [0]
    first = 0
    while len(spans) - first > room:
        limit = max(spans[first + room][0], cuts[-1] + 1)
        cuts.append(_best_cut(text, cuts[-1], limit))
        first = next((i for i in range(first, len(spans)) if spans[i][0] >= cuts[-1]), len(spans))
    parts = (text[start:end].strip() for start, end in pairwise([*cuts, len(text)]))
    return [part for part in parts if part]


def _best_cut(text: str, start: int, limit: int) -> int:
    """Behind the last break of the best kind between start and limit; the limit itself where there is none."""
    for breaks, least in zip(_BREAKS, (_LEAST_FILL, _LEAST_FILL, 0.0), strict=True):
        ends = [match.end() for match in breaks.finditer(text, start, limit)]
        if ends and ends[-1] - start > least * (limit - start):
            return ends[-1]
    return limit
