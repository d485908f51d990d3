"""Captions: finding texts by pictures and pictures by texts, with the base model and with ridge between embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...encoding.features import Vectors
from ..heads.ridge import PENALTIES, Ridge
from ..measures.estimates import Measured
from ..measures.retrieval import Similarities, measure_retrieval
from ..options import TrainOptions
from .rows import PictureRows

if TYPE_CHECKING:
    from ...encoding.encoder import Encoder


@dataclass(frozen=True, kw_only=True, eq=False)
class CaptionArms:
    """Pictures with their texts as one encoder sees them."""

    rows: PictureRows
    encoder: Encoder
    options: TrainOptions

    @cached_property
    def vectors_of(self) -> dict[str, Vectors]:
        """The unit vector of each distinct text [D]."""
        texts = list(dict.fromkeys(text for one in self.rows.examples for text in one.texts))
        return dict(zip(texts, self.encoder.encode_texts(texts).vectors, strict=True))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The distinct texts that are measured on."""
        return tuple(dict.fromkeys(text for place in self.rows.test for text in self.rows.examples[place].texts))

    @cached_property
    def texts_of(self) -> tuple[list[int], ...]:
        """The places among ``texts`` of the texts of each picture that is measured on."""
        places = {text: place for place, text in enumerate(self.texts)}
        return tuple([places[text] for text in self.rows.examples[place].texts] for place in self.rows.test)

    def base(self) -> Measured:
        """Cosines."""
        return self._measured(self.rows.vectors[self.rows.test])

    def chance(self) -> Measured:
        """A random order."""
        random = np.random.default_rng(self.options.seed)

        def among(candidates: int) -> Similarities:
            return lambda part: random.random((part.stop - part.start, candidates))

        return self._by(among(len(self.texts)), among(len(self.rows.test)))

    def ridge(self) -> Measured:
        """Cosines after ridge has moved each picture towards where its texts would be."""
        keep = self.rows.learnt
        pictures = self.rows.vectors.astype(np.float64)
        # float64 [L, D]: the mean of each learnt picture's texts
        own = np.stack(
            [np.mean([self.vectors_of[text] for text in self.rows.examples[place].texts], axis=0) for place in keep]
        )
        moves = own - pictures[keep]
        ridge = Ridge(pictures[keep], moves)
        _, groups = np.unique([self.rows.groups[place] for place in keep], return_inverse=True)
        errors = {
            penalty: float(((ridge.left_out(penalty, groups.reshape(-1)) - moves) ** 2).mean()) for penalty in PENALTIES
        }
        weights, intercept = ridge.solution(min(reversed(PENALTIES), key=errors.__getitem__))
        return self._measured(pictures[self.rows.test] @ weights + intercept + pictures[self.rows.test])

    def _measured(self, pictures: NDArray[np.floating]) -> Measured:
        lengths = np.maximum(np.linalg.norm(pictures, axis=1, keepdims=True), 1e-12)
        unit, texts = pictures / lengths, np.stack([self.vectors_of[text] for text in self.texts])
        return self._by(lambda part: unit[part] @ texts.T, lambda part: texts[part] @ unit.T)

    def _by(self, by_picture: Similarities, by_text: Similarities) -> Measured:
        groups = [self.rows.groups[place] for place in self.rows.test]
        return measure_retrieval(by_picture, by_text, self.texts_of, groups, seed=self.options.seed)
