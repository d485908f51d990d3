"""References as terms of an attention: which tokens each row looks at, with equal tokens held once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import lcm

import torch
from torch import Tensor

from ...errors import InputError


@dataclass(frozen=True, eq=False)
class PictureTokens:
    """The projected tokens of one reference."""

    #: [N, T, length] of N pictures.
    tokens: Tensor
    #: [M, T, length]: what the unconditional side looks at.
    unconditional: Tensor
    weight: float = 1.0
    #: One per picture; empty: 1.
    picture_weights: tuple[float, ...] = ()
    unconditional_weights: tuple[float, ...] = ()
    #: [frames, H, W] as ``read_mask`` gives it.
    mask: Tensor | None = None
    #: Picture i belongs to frame i, the last one to all later frames; otherwise all tokens share one softmax.
    per_frame: bool = False


@dataclass(frozen=True)
class Side:
    """What one side of the guidance looks at: rows of the held tokens, with a factor on the values of each."""

    rows: tuple[int, ...]
    weights: tuple[float, ...]

    def repeated(self, count: int) -> Side:
        """So many rows, each as often as the others, which leaves the softmax as it is."""
        times = count // len(self.rows)
        return Side(self.rows * times, self.weights * times)

    def of_frame(self, frame: int) -> Side:
        """The one row of a frame."""
        at = min(frame, len(self.rows) - 1)
        return Side(self.rows[at : at + 1], self.weights[at : at + 1])


@dataclass(frozen=True, eq=False)
class Term:
    """One reference."""

    given: Side
    unconditional: Side
    weight: float
    mask: Tensor | None
    per_frame: bool

    def row(self, is_unconditional: bool, frame: int) -> Side:
        """What a row of the attention looks at; as many rows for each frame and each side."""
        side = self.unconditional if is_unconditional else self.given
        if self.per_frame:
            return side.of_frame(frame)
        return side.repeated(lcm(len(self.given.rows), len(self.unconditional.rows)))


@dataclass(frozen=True, eq=False)
class TermRows:
    """What the rows of one attention look at."""

    #: [B, n] rows of the held tokens; None: row i looks at the held row i.
    index: Tensor | None
    #: [B, n, 1, 1] factors on the values; None: 1.
    scale: Tensor | None

    def take(self, held: Tensor) -> Tensor:
        """[B, n * T, width] of [R, T, width]."""
        if self.index is None:
            return held
        return held[self.index].flatten(1, 2)

    def take_scaled(self, held: Tensor) -> Tensor:
        """As ``take``, times the factors."""
        if self.index is None or self.scale is None:
            return self.take(held)
        return (held[self.index] * self.scale.to(held.dtype)).flatten(1, 2)


def plan_rows(
    term: Term, entries: Sequence[bool], frames: Sequence[int], held: int, device: torch.device
) -> TermRows:
    """The rows of an attention: of each entry, which is unconditional or not, all frames.

    held: how many rows of tokens there are.
    """
    sides = [term.row(is_unconditional, frame) for is_unconditional in entries for frame in frames]
    index = [side.rows for side in sides]
    is_plain = all(weight == 1 for side in sides for weight in side.weights)
    if is_plain and index == [(row,) for row in range(held)]:
        return TermRows(None, None)
    scale = None if is_plain else torch.tensor([side.weights for side in sides], device=device)[..., None, None]
    return TermRows(torch.tensor(index, device=device), scale)


def gather_terms(references: Sequence[PictureTokens]) -> tuple[Tensor, tuple[Term, ...]]:
    """(tokens [R, T, length], terms): equal tokens of one picture are held once, whoever looks at them.

    Raises InputError for tokens that are not finite, and for weights that are not one per picture.
    """
    held: dict[bytes, int] = {}
    rows: list[Tensor] = []

    def hold(tokens: Tensor, weights: tuple[float, ...], name: str) -> Side:
        if not bool(torch.isfinite(tokens).all()):
            raise InputError(
                f"the tokens of {name} are not finite, which would make the picture black; its embedding is damaged: "
                "encode the picture anew, or take another file of embeddings"
            )
        if weights and len(weights) != len(tokens):
            raise InputError(f"{name} has {len(weights)} weights for {len(tokens)} pictures; give one for each")
        found = []
        for row in tokens.detach().to("cpu", torch.float32).contiguous():
            key = blake2b(row.numpy().tobytes(), digest_size=16).digest()
            if key not in held:
                held[key] = len(rows)
                rows.append(row)
            found.append(held[key])
        return Side(tuple(found), weights or (1.0,) * len(tokens))

    terms = []
    for number, given in enumerate(references, 1):
        name = f"reference {number}"
        # ComfyUI puts the negative in front: held in this order its rows need no index
        unconditional = hold(given.unconditional, given.unconditional_weights, name)
        side = hold(given.tokens, given.picture_weights, name)
        terms.append(Term(side, unconditional, given.weight, given.mask, given.per_frame))
    return torch.stack(rows), tuple(terms)
