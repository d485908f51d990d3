"""References as terms of an attention: which tokens each row looks at, with equal tokens held once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import gcd, lcm

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
    """What one side of the guidance looks at: for each picture rows of the held tokens, and a factor on its values."""

    rows: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]

    def of_frame(self, frame: int) -> Side:
        """The one picture of a frame."""
        at = min(frame, len(self.rows) - 1)
        return Side(self.rows[at : at + 1], self.weights[at : at + 1])

    def flat(self, times: int) -> tuple[list[int], list[float]]:
        """(rows, factors), all of them so many times, which leaves the softmax as it is."""
        weights = [weight for rows, weight in zip(self.rows, self.weights, strict=True) for _ in rows]
        return [row for rows in self.rows for row in rows] * times, weights * times

    @property
    def count(self) -> int:
        """How many rows there are."""
        return sum(len(rows) for rows in self.rows)


@dataclass(frozen=True, eq=False)
class Term:
    """One reference."""

    given: Side
    unconditional: Side
    weight: float
    mask: Tensor | None
    per_frame: bool

    def row(self, is_unconditional: bool, frame: int) -> tuple[list[int], list[float]]:
        """(held rows, factors) that a row of the attention looks at; as many for each frame and each side."""
        sides = (self.given, self.unconditional)
        if self.per_frame:
            sides = (self.given.of_frame(frame), self.unconditional.of_frame(frame))
        side = sides[is_unconditional]
        return side.flat(lcm(*(one.count for one in sides)) // side.count)


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
        """The rows of ``take``, times the factors."""
        if self.index is None or self.scale is None:
            return self.take(held)
        return (held[self.index] * self.scale.to(held.dtype)).flatten(1, 2)


def plan_rows(term: Term, entries: Sequence[bool], frames: Sequence[int], held: int, device: torch.device) -> TermRows:
    """The rows of an attention: of each entry, which is unconditional or not, all frames.

    held: how many rows of tokens there are.
    """
    rows = [term.row(is_unconditional, frame) for is_unconditional in entries for frame in frames]
    index, weights = [index for index, _ in rows], [weights for _, weights in rows]
    is_plain = all(weight == 1 for row in weights for weight in row)
    if is_plain and index == [[row] for row in range(held)]:
        return TermRows(None, None)
    scale = None if is_plain else torch.tensor(weights, device=device)[..., None, None]
    return TermRows(torch.tensor(index, device=device), scale)


def gather_terms(references: Sequence[PictureTokens]) -> tuple[Tensor, tuple[Term, ...]]:
    """(tokens [R, T, length], terms): equal tokens are held once, whoever looks at them.

    A picture of several faces has as many rows. Raises InputError for tokens that are not finite, and for weights that
    are not one per picture.
    """
    held = _Held(gcd(*(side.shape[1] for given in references for side in (given.tokens, given.unconditional))))
    terms = []
    for number, given in enumerate(references, 1):
        name = f"reference {number}"
        # ComfyUI puts the negative in front: held in this order its rows need no index
        unconditional = held.side(given.unconditional, given.unconditional_weights, name)
        side = held.side(given.tokens, given.picture_weights, name)
        terms.append(Term(side, unconditional, given.weight, given.mask, given.per_frame))
    return torch.stack(held.tokens), tuple(terms)


class _Held:
    """Distinct rows of so many tokens."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._places: dict[bytes, int] = {}
        self.tokens: list[Tensor] = []

    def side(self, tokens: Tensor, weights: tuple[float, ...], name: str) -> Side:
        """The rows of pictures [N, T, length]."""
        if not bool(torch.isfinite(tokens).all()):
            raise InputError(
                f"the tokens of {name} are not finite, which would make the picture black; its embedding is damaged: "
                "encode the picture anew, or take another file of embeddings"
            )
        if weights and len(weights) != len(tokens):
            raise InputError(f"{name} has {len(weights)} weights for {len(tokens)} pictures; give one for each")
        pictures = tokens.detach().to("cpu", torch.float32)
        pictures = pictures.reshape(len(tokens), -1, self._length, tokens.shape[-1])
        rows = tuple(tuple(self._place(row) for row in picture) for picture in pictures)
        return Side(rows, weights or (1.0,) * len(rows))

    def _place(self, row: Tensor) -> int:
        key = blake2b(row.contiguous().numpy().tobytes(), digest_size=16).digest()
        if key not in self._places:
            self._places[key] = len(self.tokens)
            self.tokens.append(row)
        return self._places[key]
