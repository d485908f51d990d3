"""Texts to unit vectors: each distinct one computed once, in batches of similar length, long ones in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...imaging import Progress
from ...log import logger
from ..tokenizing.tokenizer import TokenizedText, Tokenizer, batch_of, chunks
from .batching import FP32_CURE, USES_FP32, BatchSize, Placement, batch_size_for, float32_on_cpu, run_shrinking
from .cache import EmbeddingCache, Row, row_key
from .features import Identity, TextFeatures, unit_rows

#: What is done with a text that is longer than the context.
LONG_TEXT = ("truncate", "mean", "max")
#: Lengths of the texts in one batch differ by less than this, in tokens.
BUCKET = 8
Ids = tuple[int, ...]


class TextTower(Protocol):
    """A text tower."""

    def __call__(self, ids: Tensor, ends: Tensor) -> Tensor:
        """Raw embeddings [B, P] of token ids int64 [B, L], pooled at the positions ``ends`` [B]."""

    def memory_bytes(self, batch: int, device: torch.device) -> int:
        """About how many bytes a batch needs on the device beside the weights."""


@dataclass(frozen=True, kw_only=True)
class TextEncoder:
    """A text tower with its tokenizer and placement."""

    tower: TextTower
    tokenizer: Tokenizer
    placement: Placement
    #: Builds the same in fp32, where its numbers may be too large for fp16 and nobody chose that.
    in_fp32: Callable[[], TextEncoder] | None = None

    def memory_bytes(self, batch: int) -> int:
        """About how many bytes a batch needs beside the weights."""
        return self.tower.memory_bytes(batch, self.placement.device)

    def rows(self, batch: Sequence[TokenizedText]) -> Row:
        """Raw embeddings of a batch, float32 [B, P]."""
        self.placement.ready(self.memory_bytes(len(batch)))
        ids, ends = batch_of(batch, self.tokenizer)
        device = self.placement.device
        with torch.inference_mode():
            raw = self.tower(torch.from_numpy(ids).to(device), torch.from_numpy(ends).to(device))  # [B, P]
        rows: Row = float32_on_cpu(raw).numpy()
        return rows


class SentenceEncoder:
    """Encodes texts by one text encoder; remembers between calls how many fit into a batch."""

    def __init__(
        self, text: TextEncoder, identity: Identity, cache: EmbeddingCache, budget_bytes: int | None = None
    ) -> None:
        self.text = text
        self._space, self._dtype = identity.space, identity.dtype
        self._notes: tuple[str, ...] = ()
        self._cache = cache
        tokens = text.tokenizer
        #: Everything that the rows depend on beside the token ids, which themselves depend on the vocabulary, the
        #: cleaning and the truncation: what a text is padded with, and how far.
        self._cache_key = f"{identity.cache_key} text {tokens.pad_id} {tokens.context} {tokens.trims}"
        self._size = batch_size_for(text.memory_bytes(1), text.placement, budget_bytes)

    def encode(
        self, texts: str | Sequence[str], long_text: str, batch_size: int | None, progress: Progress | None
    ) -> TextFeatures:
        """See ``Encoder.encode_texts``."""
        if long_text not in LONG_TEXT:
            raise InputError(f"long_text is {long_text!r}; it must be one of {', '.join(LONG_TEXT)}")
        if isinstance(texts, str):
            texts = (texts,)
        if not isinstance(texts, Iterable):
            raise InputError(f"texts are a {type(texts).__name__}; give a string or a list of strings")
        texts = tuple(texts)
        if not texts:
            raise InputError("no texts were given; give at least one")
        size = self._size if batch_size is None else BatchSize.of(batch_size, self.text.placement)
        tokenizer, in_parts = self.text.tokenizer, long_text != "truncate"
        tokenized = tokenizer.encode(texts)
        parts = [chunks(one.text, tokenizer) if in_parts and one.dropped else [one] for one in tokenized]
        rows = self._rows({part.ids: part for several in parts for part in several}, size, progress)
        self._cache.flush()
        pooled = [self._pooled([rows[part.ids] for part in several], several, long_text) for several in parts]
        unit = unit_rows(np.stack(pooled), [repr(text[:40]) for text in texts])
        dropped = tuple(several[-1].dropped for several in parts)
        return TextFeatures(unit, texts, self._space, dropped, (*self._notes, *size.notes))

    def _rows(
        self, distinct: Mapping[Ids, TokenizedText], size: BatchSize, progress: Progress | None
    ) -> dict[Ids, Row]:
        """The raw row of each distinct list of ids, from the cache or computed."""
        keys = {ids: row_key(ids, self._cache_key) for ids in distinct}
        rows = {ids: row for ids in distinct if (row := self._cache.get(keys[ids])) is not None}
        unknown = [text for ids, text in distinct.items() if ids not in rows]
        for bucket in buckets(unknown, self.text.tokenizer.trims, size.size):
            new = self._computed(bucket, size)
            rows |= new
            self._cache.put({keys[ids]: row for ids, row in new.items()})
            if progress:
                progress(len(rows), len(distinct))
        return rows

    def _computed(self, texts: Sequence[TokenizedText], size: BatchSize) -> dict[Ids, Row]:
        """The raw row of each text; raises InputError for numbers that are not finite."""
        rows: dict[Ids, Row] = {}
        for batch, computed in run_shrinking(texts, self.text.rows, size, self.text.placement):
            rows |= {text.ids: row.copy() for text, row in zip(batch, computed, strict=True)}
        broken = [text for text in texts if not np.isfinite(rows[text.ids]).all()]
        if not broken:
            return rows
        if self.text.in_fp32 is None:
            what = f"the model's numbers for the text {broken[0].text[:40]!r} are not finite"
            is_fp32 = self._dtype == "fp32"
            raise InputError(f"{what}; {'its file is damaged, fetch it again' if is_fp32 else FP32_CURE}")
        self.text = self.text.in_fp32()
        self._dtype, self._notes = "fp32", (USES_FP32,)
        logger.warning(USES_FP32)
        return rows | self._computed(broken, size)

    def _pooled(self, rows: Sequence[Row], parts: Sequence[TokenizedText], long_text: str) -> Row:
        """One row [P] for a text: of several parts the mean of their unit vectors, weighted by tokens, or the maximum.

        A text of one part keeps its row.
        """
        if len(rows) == 1:
            return rows[0]
        unit = unit_rows(np.stack(rows), [repr(part.text[:40]) for part in parts])  # [parts, P]
        if long_text == "max":
            largest: Row = unit.max(axis=0)
            return largest
        weights = np.array([len(part.ids) - self.text.tokenizer.marks for part in parts], np.float32)
        mean: Row = weights @ unit / weights.sum()
        return mean


def buckets(texts: Sequence[TokenizedText], trims: bool, size: int) -> Iterator[list[TokenizedText]]:
    """Batches of at most ``size`` texts: of similar length where a batch may be trimmed, else in the given order."""
    if not trims:
        yield from ([*texts[start : start + size]] for start in range(0, len(texts), size))
        return
    bucket: list[TokenizedText] = []
    for text in sorted(texts, key=lambda text: len(text.ids)):
        if bucket and (len(bucket) >= size or len(text.ids) - len(bucket[0].ids) >= BUCKET):
            yield bucket
            bucket = []
        bucket.append(text)
    if bucket:
        yield bucket
