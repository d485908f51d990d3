"""The half of an encoder that reads: texts to ``TextFeatures``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..placement import Placement
from ..tokenizing.tokenized import TokenizedText, Tokenizer, batch_of
from .cache import EmbeddingCache, Row
from .identity import Identity
from .image_half import first_size, given_size
from .text_run import Progress, TextFeatures, TextJob, check_long_text, encode
from .vision_states import on_cpu


class SentenceTower(Protocol):
    """A tower that reads token ids."""

    def __call__(self, ids: Tensor, ends: Tensor) -> Tensor:
        """Raw embeddings [B, P] of token ids int64 [B, L], of which those at ``ends`` [B] stand for the text."""

    def memory_bytes(self, batch: int) -> int:
        """About how much memory a batch needs beside the weights."""


@dataclass(frozen=True, kw_only=True)
class TextPart:
    """A text tower with everything around it."""

    tower: SentenceTower
    tokenizer: Tokenizer
    placement: Placement


class TextHalf:
    """Encodes texts; remembers how many fit into a batch."""

    def __init__(
        self, part: TextPart, identity: Identity, cache: EmbeddingCache, budget_bytes: int | None = None
    ) -> None:
        self.part = part
        self._identity = identity
        self._cache = cache
        self._size = first_size(part.tower.memory_bytes(1), part.placement, budget_bytes)

    def encode(
        self, texts: str | Sequence[str], long_text: str, batch_size: int | None, progress: Progress | None
    ) -> TextFeatures:
        """See ``Encoder.encode_texts``."""
        job = TextJob(
            tokenizer=self.part.tokenizer,
            forward=self._forward,
            memory=self.part.placement,
            size=self._size if batch_size is None else given_size(batch_size, self.part.placement),
            cache=self._cache,
            cache_key=f"{self._identity.cache_key} text",
            long_text=check_long_text(long_text),
            progress=progress,
        )
        return encode(texts, job, self._identity.space)

    def _forward(self, batch: Sequence[TokenizedText]) -> Row:
        part = self.part
        part.placement.ready(part.tower.memory_bytes(len(batch)))
        ids, ends = batch_of(batch, part.tokenizer)
        device = part.placement.device
        with torch.inference_mode():
            raw = part.tower(torch.from_numpy(ids).to(device), torch.from_numpy(ends).to(device))  # [B, P]
        rows: Row = on_cpu(raw).numpy()
        return rows
