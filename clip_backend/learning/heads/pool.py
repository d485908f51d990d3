"""What a head learns from: embeddings with classes and groups, and the parts that rows take turns in being left out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ....errors import InputError
from ...encoding.features import Vectors

Ints = NDArray[np.int64]
#: Parts of cross-validation.
FOLDS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """N unit vectors of D numbers with their classes. Raises InputError for fewer than two classes, or none in one.

    Rows of one group, such as near-duplicates, are left out together wherever something is chosen.
    """

    #: float32 [N, D].
    features: Vectors
    #: The class of each row, int64 [N].
    labels: Ints
    classes: tuple[str, ...]
    #: The name of the group of each row [N].
    groups: tuple[str, ...]
    #: Unit vectors of the classes' names, float32 [K, D]; None without a text encoder.
    texts: Vectors | None = None
    #: What the base model multiplies cosines by.
    logit_scale: float = 100.0
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            named = f"only {self.classes[0]!r}" if self.classes else "none"
            raise InputError(f"a head tells classes apart, and there is {named}; give examples of at least two classes")
        counts = self.counts
        if not counts.all():
            empty = [name for name, count in zip(self.classes, counts, strict=True) if not count]
            raise InputError(
                f"there is no picture to learn {', '.join(map(repr, empty))} from; add some, or leave it out"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> Ints:
        """Rows of each class [K]."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    @cached_property
    def group_of(self) -> Ints:
        """The place of each row's group among all groups [N]."""
        _, places = np.unique(np.array(self.groups), return_inverse=True)
        return places.reshape(-1).astype(np.int64)

    @cached_property
    def groups_per_class(self) -> Ints:
        """How many groups hold a row of the class [K]."""
        pairs = np.unique(np.stack([self.labels, self.group_of]), axis=1)
        return np.bincount(pairs[0], minlength=len(self.classes)).astype(np.int64)

    @property
    def checkable(self) -> NDArray[np.bool_]:
        """The rows that can be left out: there is another group of their class [N]."""
        return self.groups_per_class[self.labels] > 1

    def rows(self, keep: NDArray[np.bool_]) -> Pool:
        """These rows alone; all classes must be among them."""
        groups = tuple(group for group, kept in zip(self.groups, keep, strict=True) if kept)
        return replace(self, features=self.features[keep], labels=self.labels[keep], groups=groups)

    def folds(self) -> list[NDArray[np.bool_]]:
        """Rows that are left out together [N], each checkable one once, so that every class stays in the others.

        Groups are dealt out, the largest first, each to the fold with the fewest rows of its classes; equal ones in an
        order that depends on the seed and on their names alone.
        """
        names = sorted(set(self.groups), key=lambda name: hashlib.sha256(f"{self.seed} {name}".encode()).hexdigest())
        order = {name: place for place, name in enumerate(names)}
        rank = np.array([order[group] for group in self.groups])
        held = np.zeros((len(order), len(self.classes)), np.int64)
        np.add.at(held, (rank, self.labels), 1)
        count = min(FOLDS, int(self.groups_per_class.max()))
        filled = np.zeros((count, len(self.classes)))
        fold_of = np.zeros(len(order), np.int64)
        for place in sorted(order.values(), key=lambda place: -int(held[place].sum())):
            own = held[place] > 0
            fewest = np.lexsort((filled.sum(axis=1), filled[:, own].sum(axis=1)))[0]
            fold_of[place] = fewest
            filled[fewest] += held[place]
        folds = [self.checkable & (fold_of[rank] == fold) for fold in range(count)]
        return [fold for fold in folds if fold.any() and self._leaves_all_classes(fold)]

    def _leaves_all_classes(self, fold: NDArray[np.bool_]) -> bool:
        return bool(np.bincount(self.labels[~fold], minlength=len(self.classes)).all())


def check_same_length(features: Vectors, others: Sequence[object], what: str) -> None:
    """Raises InputError unless there is one of them for each row."""
    if len(features) != len(others):
        raise InputError(f"there are {len(features)} embeddings but {len(others)} {what}; give one for each")
