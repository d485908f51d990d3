"""The losses of pictures and texts: InfoNCE with several positives, SigLIP's sigmoid loss, and weighted BCE."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def infonce(logits: Tensor, positives: Tensor, *, both_ways: bool = True) -> Tensor:
    """Cross-entropy of each picture over the texts, and of each text over the pictures, averaged.

    logits: scaled cosines [B, M]. positives: bool [B, M]; with several in a row each is an equally good answer, so
    that the same caption twice is no false negative. Rows and columns without any do not count. both_ways: else from
    pictures to texts alone, as for classes. Source: Radford et al. 2021; Khosla et al. 2020, the loss "out".
    """
    by_picture = _cross_entropy(logits, positives)
    return (by_picture + _cross_entropy(logits.T, positives.T)) / 2 if both_ways else by_picture


def _cross_entropy(logits: Tensor, positives: Tensor) -> Tensor:
    counts = positives.sum(dim=1)
    if bool((counts == 1).all()):
        # the plain loss, to the bit
        return functional.cross_entropy(logits, positives.int().argmax(dim=1))
    has_any = counts > 0
    target = positives[has_any] / counts[has_any][:, None]
    # a batch without a positive gives 0 and no gradient, not NaN
    return -(target * functional.log_softmax(logits[has_any], dim=1)).sum() / has_any.sum().clamp(min=1)


def siglip(logits: Tensor, positives: Tensor) -> Tensor:
    """-sum of log sigmoid of (+-logits) over all pairs [B, M], + for positives, by the number of pictures.

    Source: Zhai et al. 2023, algorithm 1; logits hold the scale and the bias.
    """
    signs = positives.to(logits.dtype) * 2 - 1
    return -functional.logsigmoid(signs * logits).sum() / len(logits)


def weighted_bce(logits: Tensor, labels: Tensor, share: float) -> Tensor:
    """Binary cross-entropy of the rows' own logits [B] with their labels [B], both kinds of equal weight in all.

    share: of label 1 in the training data, between 0 and 1.
    """
    weights = torch.where(labels > 0, 0.5 / share, 0.5 / (1 - share))
    return functional.binary_cross_entropy_with_logits(logits, labels, weights)
