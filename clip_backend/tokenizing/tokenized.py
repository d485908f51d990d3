"""What a text is to a model: token ids, framed by the model's marks, and what did not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
