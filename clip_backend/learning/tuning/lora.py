"""LoRA on a tower's attention: low-rank additions to its queries, keys and values, which our towers hold as one layer.

Source: Hu et al. 2021; for CLIP, Zanella & Ben Ayed 2024 (CLIP-LoRA).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...towers.cpu import Fusible, Linear
from ...towers.towers import TextTower, VisionTower
from ...towers.transformer import Layer

Rule = Literal["alpha/r", "alpha/sqrt(r)"]
#: The parts of the fused layer, in its order.
TARGETS = ("q", "k", "v")


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """Rank, factor and dropout of all adapters of a model."""

    rank: int = 2
    alpha: float = 1.0
    rule: Rule = "alpha/sqrt(r)"
    #: Some of TARGETS.
    targets: tuple[str, ...] = TARGETS
    #: The share of the input that is left out in training.
    dropout: float = 0.25

    @property
    def scale(self) -> float:
        """The factor of the product of the two matrices."""
        return self.alpha / (self.rank if self.rule == "alpha/r" else math.sqrt(self.rank))


class LoraLinear(nn.Module):
    """``base(x) + strength * scale * B A x`` for some of the three parts of a fused layer [3 W, W].

    A is drawn as by Kaiming (uniform within 1 / sqrt(W)), B is 0, so that at first nothing is added.
    random: gives the dropout; the caller seeds it, so that a step has the same one whenever it is computed.
    """

    def __init__(self, base: Linear, settings: LoraSettings, random: torch.Generator, seed: int) -> None:
        super().__init__()
        rows, width = base.weight.shape
        self.base, self.settings = base, settings
        #: 1 as trained, 0 for the base model.
        self.strength = 1.0
        self._random = random
        self._parts = [TARGETS.index(target) for target in settings.targets]
        drawn = torch.Generator().manual_seed(seed)
        bound = 1 / math.sqrt(width)
        shape = len(self._parts), settings.rank, width
        down = (torch.rand(shape, generator=drawn) * 2 - 1) * bound
        self.down = nn.Parameter(down.to(base.weight.device))  # [P, r, W]
        self.up = nn.Parameter(torch.zeros(len(self._parts), rows // 3, settings.rank, device=base.weight.device))

    @property
    def is_packed(self) -> bool:
        """Never: a layer that is trained has plain weights."""
        return False

    def forward(self, x: Tensor, activation: Fusible = "") -> Tensor:
        """[..., W] -> [..., 3 W]; there is no activation after attention's projections."""
        base: Tensor = self.base(x, activation)
        if self.strength == 0:
            return base
        seen = x
        if self.training and self.settings.dropout > 0:
            kept = 1 - self.settings.dropout
            seen = x * torch.empty_like(x).bernoulli_(kept, generator=self._random) / kept
        low = functional.linear(seen, self.down.flatten(0, 1))  # [..., P r]
        blocks = [base.new_zeros(base.shape[-1] // 3, 0) for _ in TARGETS]
        for place, part in enumerate(self._parts):
            blocks[part] = self.up[place]
        addition = functional.linear(low, _block_diagonal(blocks))  # [..., 3 W]
        return base + self.strength * self.settings.scale * addition

    def matrices(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """For each target: its name, A [r, W] and B [W, r]."""
        for target, down, up in zip(self.settings.targets, self.down, self.up, strict=True):
            yield target, down.detach(), up.detach()


def _block_diagonal(blocks: Sequence[Tensor]) -> Tensor:
    """[3 W, P r] from three blocks [W, r], or [W, 0] for a part without an adapter."""
    widths = [block.shape[1] for block in blocks]
    rows = [
        functional.pad(block, (sum(widths[:place]), sum(widths[place + 1 :]))) for place, block in enumerate(blocks)
    ]
    return torch.cat(rows)


def add_lora(
    tower: VisionTower | TextTower, layers: Sequence[int], settings: LoraSettings, random: torch.Generator, seed: int
) -> None:
    """Gives the layers of a tower adapters, whose matrices alone can be trained then."""
    tower.unpack()
    tower.requires_grad_(False)
    model = tower.vision_model if isinstance(tower, VisionTower) else tower.text_model
    # adapters of two towers and of all layers are drawn apart
    first = seed * 2 + isinstance(tower, TextTower)
    for layer in layers:
        attention = cast(Layer, model.encoder.layers[layer]).self_attn
        adapter = LoraLinear(attention.qkv, settings, random, (first << 16) + layer)
        # a module takes the place of another of the same use
        attention.add_module("qkv", adapter)


def adapters(tower: nn.Module) -> Iterator[tuple[str, LoraLinear]]:
    """Each adapter, with Hugging Face's name of its attention and a dot behind it."""
    for name, module in tower.named_modules():
        if isinstance(module, LoraLinear):
            yield name.removesuffix("qkv"), module
