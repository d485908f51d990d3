"""What an adapter is given of reference pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Reference:
    """One or several pictures as their encoder sees them; several references are separate terms of the attention."""

    #: What the projection takes, one row per picture: embeddings [N, D] or hidden states [N, T, D].
    embeds: torch.Tensor
    #: Face vectors [N, 512], for adapters that take them beside ``embeds`` or instead of it.
    face: torch.Tensor | None = None
    #: Strength of this reference's term.
    weight: float = 1.0
    #: Strength of each picture inside the term; empty: 1 for all.
    picture_weights: tuple[float, ...] = ()
    #: [H, W] or [frames, H, W] in 0..1 of the whole picture: where the term acts.
    mask: torch.Tensor | None = None
    #: Its tokens stand on the unconditional side, instead of the adapter's own.
    negative: bool = False
    #: Picture i belongs to frame i of a batch; otherwise the tokens of all pictures stand in one softmax.
    per_frame: bool = False
    #: Of the encoder that made ``embeds``.
    fingerprint: str = ""
