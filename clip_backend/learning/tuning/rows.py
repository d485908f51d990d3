"""The rows of training and val over one list of pictures and one of texts, and the batches of each step."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import InputError
from .pairs import Floats, Ints, Kind, Pairs, Retention

#: Texts of classes in a step; of more classes those of the batch and random others.
MOST_CLASSES = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Rows as places in the lists of all pictures and texts; see ``Pairs``."""

    kind: Kind
    picture_of: Ints
    text_of: Ints
    labels: Floats
    #: The places of all classes' texts, in their order; empty for other kinds.
    classes: Ints
    #: Texts in the list.
    texts: int

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def _together(self) -> Ints:
        """Picture and text of each matching row as one number, sorted."""
        is_match = self.labels > 0
        return np.unique(self.picture_of[is_match] * self.texts + self.text_of[is_match])

    def positives(self, pictures: Ints, texts: Ints) -> NDArray[np.bool_]:
        """Which of the pictures belong to which of the texts, bool [P, T]."""
        codes = pictures[:, None] * self.texts + texts[None]
        if not self._together.size:
            return np.zeros(codes.shape, np.bool_)
        places = np.searchsorted(self._together, codes)
        found: NDArray[np.bool_] = self._together.take(places, mode="clip") == codes
        return found

    def without(self, failed: Collection[int]) -> Rows:
        """The rows whose pictures are not among these."""
        kept = ~np.isin(self.picture_of, list(failed))
        return replace(self, picture_of=self.picture_of[kept], text_of=self.text_of[kept], labels=self.labels[kept])


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Rows of one step."""

    #: Places of the pictures [B] and texts [M]; M is B but for classes.
    pictures: Ints
    texts: Ints
    #: bool [B, M].
    positives: NDArray[np.bool_]
    #: Labels of the rows [B].
    labels: Floats
    #: Whether the texts are classes, which the pictures choose from, and not the other way round.
    has_classes: bool = False


def batch_at(rows: Rows, step: int, size: int, seed: int) -> Batch:
    """The rows of a step: those of each epoch in an order of its own, which depends on the seed and the epoch alone.

    So a resumed training sees the rows that an uninterrupted one does, without any state of a random generator.
    """
    size = min(size, len(rows))
    chosen = np.concatenate([
        _order(seed, epoch, len(rows))[begin:end]
        for epoch, begin, end in _spans(step * size, size, len(rows))
    ])  # fmt: skip
    pictures, texts = rows.picture_of[chosen], rows.text_of[chosen]
    if rows.kind == "classes":
        texts = _classes_of(rows, texts, np.random.default_rng((seed, step, 1)))
    return Batch(
        pictures=pictures, texts=texts, positives=rows.positives(pictures, texts), labels=rows.labels[chosen],
        has_classes=rows.kind == "classes",
    )  # fmt: skip


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> Ints:
    return np.random.default_rng((seed, epoch)).permutation(count)


def _spans(start: int, size: int, count: int) -> list[tuple[int, int, int]]:
    """(epoch, begin, end) of each part of the rows ``start`` to ``start + size`` of an endless sequence of epochs."""
    spans = []
    while size:
        epoch, begin = divmod(start, count)
        taken = min(size, count - begin)
        spans.append((epoch, begin, begin + taken))
        start, size = start + taken, size - taken
    return spans


def _classes_of(rows: Rows, texts: Ints, rng: np.random.Generator) -> Ints:
    if len(rows.classes) <= MOST_CLASSES:
        return rows.classes
    own = np.unique(texts)
    others = np.setdiff1d(rows.classes, own)
    more = max(0, MOST_CLASSES - len(own))
    return np.concatenate([own, rng.choice(others, min(more, len(others)), replace=False)])


@dataclass(frozen=True, kw_only=True, eq=False)
class Joined:
    """Training, val and retention over one list of pictures and one of texts."""

    pictures: Sequence[Any]
    texts: Sequence[str]
    train: Rows
    val: Rows | None
    #: Places of the pictures and texts by which it is measured what a model keeps.
    kept_pictures: Ints
    kept_texts: Ints


def joined(train: Pairs, val: Pairs | None, retention: Retention) -> Joined:
    """All of them together; raises InputError for a val of another kind or of other classes."""
    if val is not None and (val.kind != train.kind or (val.kind == "classes" and [*val.texts] != [*train.texts])):
        raise InputError(f"val is of the kind {val.kind} and train of {train.kind}; split one data set")
    parts = [train] if val is None else [train, val]
    texts = list(dict.fromkeys(text for part in parts for text in part.texts))
    texts = list(dict.fromkeys([*texts, *retention.texts]))
    places = {text: place for place, text in enumerate(texts)}
    pictures: list[Any] = []
    rows = []
    for part in parts:
        own = np.array([places[text] for text in part.texts], np.int64)
        rows.append(
            Rows(
                kind=part.kind, picture_of=part.picture_of + len(pictures), text_of=own[part.text_of],
                labels=part.labels, classes=own if part.kind == "classes" else own[:0], texts=len(texts),
            )
        )  # fmt: skip
        pictures += part.pictures
    first = len(pictures)
    return Joined(
        pictures=[*pictures, *retention.pictures], texts=texts, train=rows[0], val=rows[1] if val is not None else None,
        kept_pictures=np.arange(first, first + len(retention.pictures)),
        kept_texts=np.array([places[text] for text in retention.texts], np.int64),
    )  # fmt: skip
