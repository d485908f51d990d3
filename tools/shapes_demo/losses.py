"""What the training makes small: how badly cosines rank true texts, and how badly a fixed limit parts them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy, softplus

#: A text is taught to match a picture when their cosine is above this, a usual limit for CLIP scores.
LIMIT = 0.25


def loss_of(
    cosines: torch.Tensor, scale: torch.Tensor, matches: torch.Tensor, fields: Sequence[tuple[int, int]]
) -> torch.Tensor:
    """The ranks of both texts of each picture in both directions, of the words of each field, and the limit.

    cosines: [N, M] of N pictures and M texts, of which the first N and the next N are the pictures' own; matches: bool
    [N, M], whether a text is true of a picture; fields: the texts that are the words of one field, as (start, end).
    """
    count, total = cosines.shape
    logits = scale * cosines
    ranks = logits.new_zeros(())
    for start in (0, count):
        order = [*range(start, start + count), *range(start), *range(start + count, total)]  # the own ones first
        own = slice(start, start + count)
        ranks = ranks + contrast(logits[:, order], matches[:, order]) / 4
        ranks = ranks + contrast(logits[:, own].T, matches[:, own].T) / 4
    for start, end in fields:
        ranks = ranks + choice(logits[:, start:end], matches[:, start:end]) / len(fields)
    return ranks + parting(scale * (cosines - LIMIT), matches)


def choice(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy of the one column that matches; rows in which none does are left out.

    Full captions mostly differ in their colours, so that shapes and sizes would be learnt late from them alone.
    """
    asked = matches.any(1)
    return cross_entropy(logits[asked], matches[asked].int().argmax(1)) if asked.any() else logits.sum() * 0


def contrast(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy of each row's own column, the n-th of the n-th; other columns that match are left out.

    logits, matches: [N, M], M >= N. Source: CLIP paper (Radford et al. 2021), figure 3; equal texts are no negatives.
    """
    own = torch.eye(*logits.shape, dtype=torch.bool)
    return cross_entropy(logits.masked_fill(matches & ~own, -torch.inf), torch.arange(len(logits)))


def parting(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """The mean loss of telling each pair alone, true pairs counting as much as all others together.

    Source: SigLIP (Zhai et al. 2023), whose bias is here given by LIMIT and not learnt.
    """
    share = torch.where(matches, 0.5 / matches.sum(), 0.5 / (~matches).sum())
    return (share * softplus(torch.where(matches, -logits, logits))).sum()
