"""Pairs with labels 1 and 0: the base model's probabilities, Platt's, ridge on both embeddings, and the share of 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...calibration.calibration import Calibration, fit_calibration, fit_platt
from ...matching.match import match_pictures
from ...matching.result import MatchOptions
from ...scoring.scales import Float64s, sigmoid
from ..heads.ridge import PENALTIES, Ridge
from ..measures.estimates import Measured
from ..measures.pairs import best_f1_threshold, measure_pairs
from ..options import TrainOptions
from .rows import PictureRows

if TYPE_CHECKING:
    from ...encoding.encoder import Encoder

#: How pairs are scored: whole texts, each with its own picture.
MATCH = MatchOptions(mode="pairs", phrases=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class PairArms:
    """Labelled pairs as one encoder scores them."""

    rows: PictureRows
    encoder: Encoder
    options: TrainOptions
    #: What models are compared by: "log-loss" of probabilities, or "ROC-AUC" of their order.
    metric: str

    @cached_property
    def labels(self) -> NDArray[np.bool_]:
        """Whether each pair matches [N]."""
        return np.array([bool(one.label) for one in self.rows.examples])

    @cached_property
    def scores(self) -> tuple[Float64s, Float64s]:
        """z and the base model's own probability of each pair, float64 [N] each."""
        pictures, texts = [one.picture for one in self.rows.examples], [one.text or "" for one in self.rows.examples]
        found = match_pictures(self.encoder, pictures, texts, options=MATCH).results
        return np.array([one.z for one in found], np.float64), np.array([one.probability for one in found], np.float64)

    def calibration(self) -> Calibration:
        """Platt's two numbers, from all pairs that are not measured on; raises as ``fit_calibration``."""
        keep = self.rows.learnt
        return fit_calibration(self.scores[0][keep], self.labels[keep], self.encoder, MATCH)

    def base(self) -> Measured:
        """The probabilities that the model gives without labels."""
        return self._measured(*self.scores)

    def platt(self, calibration: Calibration) -> Measured:
        """Probabilities by a calibration."""
        z = self.scores[0]
        return self._measured(z, calibration.probability(z))

    def chance(self) -> Measured:
        """Every pair is as likely a match as the learnt pairs are."""
        share = (self.labels[self.rows.learnt].sum() + 1) / (len(self.rows.learnt) + 2)
        same = np.full(len(self.labels), share)
        return self._measured(same, same)

    def ridge(self) -> Measured:
        """Ridge on the products of both embeddings, whose sum is the cosine, with Platt's probabilities."""
        texts = self.encoder.encode_texts([one.text or "" for one in self.rows.examples], long_text=MATCH.long_text)
        inputs = self.rows.vectors.astype(np.float64) * texts.vectors
        # the penaltys that are tried are meant for rows of about length 1
        inputs /= np.linalg.norm(inputs, axis=1).mean()
        keep, targets = self.rows.learnt, np.where(self.labels, 1.0, -1.0)
        ridge = Ridge(inputs[keep], targets[keep, None])
        _, groups = np.unique([self.rows.groups[place] for place in keep], return_inverse=True)
        left_out = {penalty: ridge.left_out(penalty, groups.reshape(-1))[:, 0] for penalty in PENALTIES}
        best = min(reversed(PENALTIES), key=lambda penalty: float(((left_out[penalty] - targets[keep]) ** 2).mean()))
        weights, intercept = ridge.solution(best)
        scores = (inputs @ weights + intercept)[:, 0]
        slope, shift = fit_platt(left_out[best], self.labels[keep])
        return self._measured(scores, sigmoid(slope * scores + shift))

    def _measured(self, scores: Float64s, probabilities: Float64s) -> Measured:
        keep, test = self.rows.learnt, self.rows.test
        threshold = best_f1_threshold(self.labels[keep], scores[keep]) if len(keep) else 0.0
        return measure_pairs(
            scores[test], probabilities[test], self.labels[test], [self.rows.groups[place] for place in test],
            f1_threshold=threshold, metric=self.metric, seed=self.options.seed,
        )  # fmt: skip
