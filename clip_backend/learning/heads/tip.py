"""Tip-Adapter: the texts of the classes, and the examples that a picture is near to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ....errors import InputError
from ...encoding.features import Vectors
from ...scoring.scales import Float64s
from .head import Examples, HeadKind, example_logits
from .method import Parts, Setting, cross_validated, log_losses
from .pool import Pool

#: What is tried, on log grids: models differ by orders of magnitude in what suits them.
ALPHAS = tuple(float(value) for value in np.logspace(-2, 4, 13))
BETAS = tuple(float(value) for value in np.logspace(-1, 2, 10))


class TipMethod:
    """Logits of the base model plus alpha times the nearness to the examples of each class; see ``example_logits``.

    alpha, beta: 0 for those that are chosen. Raises InputError without texts.
    """

    kind: HeadKind = "tip"

    def __init__(self, pool: Pool, *, alpha: float = 0.0, beta: float = 0.0) -> None:
        if pool.texts is None:
            raise InputError("tip compares with the texts of the classes; choose a model with a text encoder, or ridge")
        self._pool = pool
        pairs = itertools.product([alpha] if alpha else reversed(ALPHAS), [beta] if beta else reversed(BETAS))
        self.settings: tuple[Setting, ...] = tuple({"alpha": one, "beta": two} for one, two in pairs)

    def left_out(self) -> list[Float64s]:
        def predict(train: Pool, features: Vectors) -> list[Float64s]:
            base = features @ self._texts.T
            near = {beta: example_logits(features, _examples(train, 1.0, beta), len(train.classes))
                    for beta in {setting["beta"] for setting in self.settings}}  # fmt: skip
            return [base + setting["alpha"] * near[setting["beta"]] for setting in self.settings]

        return cross_validated(self._pool, predict, len(self.settings))

    def losses(self, left_out: Sequence[Float64s]) -> list[float]:
        return log_losses(left_out, self._pool)

    def parts(self, setting: Setting) -> Parts:
        examples = _examples(self._pool, setting["alpha"], setting["beta"])
        return Parts(weights=self._texts, bias=np.zeros(len(self._texts)), examples=examples)

    @property
    def _texts(self) -> Float64s:
        texts: Float64s = self._pool.logit_scale * np.asarray(self._pool.texts, np.float64)
        return texts


def _examples(pool: Pool, alpha: float, beta: float) -> Examples:
    return Examples(keys=pool.features, classes=pool.labels, alpha=alpha, beta=beta)
