"""One run over texts: each distinct one computed once, in batches of about equal length, long ones in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...imaging import Progress
from ..tokenizing.tokenizer import TokenizedText, Tokenizer, batch_of, chunks
from .batching import BatchSize, Memory, first_size, given_size, run_shrinking
from .cache import EmbeddingCache, Row, row_key
from .devices import Placement
from .features import TextFeatures, unit_rows
from .identity import Identity
from .vision_states import on_cpu

LongText = Literal["truncate", "mean", "max"]
#: What is done with a text that does not fit.
LONG_TEXT: tuple[LongText, ...] = get_args(LongText)
#: Texts in one batch differ in length by less than this, in tokens.
BUCKET = 8


@dataclass(frozen=True, kw_only=True)
class TextJob:
    """How the texts of a run become rows."""

    tokenizer: Tokenizer
    #: Raw rows [B, P] of a batch.
    forward: Callable[[Sequence[TokenizedText]], Row]
    memory: Memory
    size: BatchSize
    cache: EmbeddingCache
    #: Everything that the rows depend on beside the token ids.
    cache_key: str
    long_text: LongText = "truncate"
    progress: Progress | None = None


def check_long_text(given: str) -> LongText:
    """The way of dealing with long texts; raises InputError for another word."""
    for way in LONG_TEXT:
        if way == given:
            return way
    raise InputError(f"long_text is {given!r}; it must be one of {', '.join(LONG_TEXT)}")


def encode(texts: Sequence[str], job: TextJob, space: str) -> TextFeatures:
    """Unit vectors of the texts, in their order."""
    if isinstance(texts, str):
        texts = (texts,)
    if not isinstance(texts, Iterable):
        raise InputError(f"texts are a {type(texts).__name__}; give a string or a list of strings")
    texts = tuple(texts)
    if not texts:
        raise InputError("no texts were given; give at least one")
    parts = _parts(texts, job)
    rows = _rows({part.ids: part for several in parts for part in several}, job)
    job.cache.flush()
    pooled = [_pooled([rows[part.ids] for part in several], several, job) for several in parts]
    unit = unit_rows(np.stack(pooled), [repr(text[:40]) for text in texts])
    dropped = tuple(several[-1].dropped for several in parts)
    return TextFeatures(unit, texts, space, dropped, tuple(job.size.notes))


def _parts(texts: Sequence[str], job: TextJob) -> list[list[TokenizedText]]:
    """Each text as its parts, of which there is but one unless it is long and parts are wanted."""
    tokenized = job.tokenizer.encode(texts)
    if job.long_text == "truncate":
        return [[one] for one in tokenized]
    return [chunks(one.text, job.tokenizer) if one.dropped else [one] for one in tokenized]


def _pooled(rows: Sequence[Row], parts: Sequence[TokenizedText], job: TextJob) -> Row:
    """One row [P] for a text.

    The mean of its parts' unit vectors, each weighed by its number of tokens, or the largest number of them at each
    place. A text of one part keeps its row.
    """
    if len(rows) == 1:
        return rows[0]
    unit = unit_rows(np.stack(rows), [repr(part.text[:40]) for part in parts])  # [parts, P]
    if job.long_text == "max":
        largest: Row = unit.max(axis=0)
        return largest
    weights = np.array([len(part.ids) - job.tokenizer.marks for part in parts], np.float32)
    mean: Row = weights @ unit / weights.sum()
    return mean


def _rows(distinct: dict[tuple[int, ...], TokenizedText], job: TextJob) -> dict[tuple[int, ...], Row]:
    """The raw row of each distinct list of ids."""
    keys = {ids: row_key(ids, job.cache_key) for ids in distinct}
    rows = {ids: row for ids in distinct if (row := job.cache.get(keys[ids])) is not None}
    unknown = [text for ids, text in distinct.items() if ids not in rows]
    for bucket in buckets(unknown, job.tokenizer.trims, job.size.size):
        for batch, found in run_shrinking(bucket, job.forward, job.size, job.memory):
            new = {text.ids: row.copy() for text, row in zip(batch, found, strict=True)}
            rows |= new
            job.cache.put({keys[ids]: row for ids, row in new.items()})
            _report(job, len(rows), len(distinct))
    return rows


def _report(job: TextJob, done: int, total: int) -> None:
    if job.progress:
        job.progress(done, total)


def buckets(texts: Sequence[TokenizedText], trims: bool, size: int) -> Iterator[list[TokenizedText]]:
    """The texts, the shortest first, apart by about how long they are where a batch may be as short as its longest."""
    if not trims:
        yield from ([*texts[start : start + size]] for start in range(0, len(texts), size))
        return
    ordered = sorted(texts, key=lambda text: len(text.ids))
    bucket: list[TokenizedText] = []
    for text in ordered:
        if bucket and (len(bucket) >= size or len(text.ids) - len(bucket[0].ids) >= BUCKET):
            yield bucket
            bucket = []
        bucket.append(text)
    if bucket:
        yield bucket


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
