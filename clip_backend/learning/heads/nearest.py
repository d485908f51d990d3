"""The nearest mean of a class, mixed with the embedding of its name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...encoding.features import Vectors
from ...scoring.scales import Float64s
from .head import HeadKind
from .method import Parts, Setting, cross_validated, log_losses
from .pool import Pool

#: Shares of the text in a mixture, which are tried; half of each first, which stands where none can be checked.
TEXT_SHARES = (0.5, 1.0, 0.75, 0.25, 0.0)


class NearestMethod:
    """Cosines with the mean of a class's pictures and with its name; its setting is the share of the name."""

    kind: HeadKind = "nearest"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        shares = TEXT_SHARES if pool.texts is not None else (0.0,)
        self.settings: tuple[Setting, ...] = tuple({"text_share": share} for share in shares)

    def left_out(self) -> list[Float64s]:
        def predict(train: Pool, features: Vectors) -> list[Float64s]:
            return [features @ _weights(train, setting["text_share"]).T for setting in self.settings]

        return cross_validated(self._pool, predict, len(self.settings))

    def losses(self, left_out: Sequence[Float64s]) -> list[float]:
        return log_losses(left_out, self._pool)

    def parts(self, setting: Setting) -> Parts:
        weights = _weights(self._pool, setting["text_share"])
        return Parts(weights=weights, bias=np.zeros(len(weights)))


def _weights(pool: Pool, text_share: float) -> Float64s:
    """[K, D]: the model's logit scale times the mixture of unit vectors."""
    features = pool.features.astype(np.float64)
    means = np.stack([features[pool.labels == place].mean(axis=0) for place in range(len(pool.classes))])
    mixed = (1 - text_share) * means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    if pool.texts is not None:
        mixed = mixed + text_share * pool.texts
    weights: Float64s = pool.logit_scale * mixed
    return weights
