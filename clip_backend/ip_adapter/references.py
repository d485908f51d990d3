"""What an adapter is given of reference pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .projections import States


@dataclass(frozen=True, eq=False)
class Reference:
    """One or several pictures; several references are separate terms of the attention."""

    states: States
    #: [1 or N, T, W] of a blank picture, for the unconditional side of adapters that read hidden states.
    blank: torch.Tensor | None = None
    #: Strength of this reference's term.
    weight: float = 1.0
    #: Strength of each picture inside the term; empty: 1 for all.
    picture_weights: tuple[float, ...] = ()
    #: [H, W] or [frames, H, W] in 0..1 of the whole picture: where the term acts.
    mask: torch.Tensor | None = None
    #: Its tokens stand on the unconditional side of all terms, instead of those of a blank picture.
    is_negative: bool = False
    #: Picture i belongs to frame i of a batch, the last one to all later frames; otherwise the tokens of all pictures
    #: share one softmax.
    per_frame: bool = False
    #: Fingerprint of the encoder that made the states; empty if unknown.
    fingerprint: str = ""
