"""A vision tower's output as the states that a caller may want, and why some models cannot give all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..towers.config import TowerConfig
from .image_features import Want

NO_EMBEDDING = (
    "the model file has no visual projection, so that its pictures have states but no embedding; choose a file with "
    "one, such as clip_vision_h or a full CLIP model"
)
NO_TOKEN_PROJECTION = "the model pools its tokens by attention and has no projection for single ones; use patch_tokens"
NO_CLASS_TOKEN = "the model has no class token; use image_embeds"


class VisionStates(Protocol):
    """What a tower gives for a batch of pictures."""

    @property
    def embeds(self) -> Tensor | None:
        """[B, P]."""

    @property
    def last_hidden(self) -> Tensor | None:
        """[B, T, W]; only if states were asked for."""

    @property
    def penultimate(self) -> Tensor | None:
        """[B, T, W]; only if states were asked for."""


class PictureTower(Protocol):
    """A tower that sees pictures."""

    def __call__(self, pixels: Tensor, *, states: bool = False) -> VisionStates:
        """The embeddings of normalised pictures float32 [B, 3, S, S]; with ``states`` those of the tokens too."""

    def project(self, tokens: Tensor) -> Tensor:
        """Final norm and projection of every token: [B, T, W] -> [B, T, P]."""

    def memory_bytes(self, batch: int) -> int:
        """About how much memory a batch needs beside the weights."""


@dataclass(frozen=True, kw_only=True)
class VisionAbility:
    """What a tower gives and of what shape, and why it does not give the rest."""

    width: int
    tokens: int
    #: Rows and columns of patches.
    grid: tuple[int, int]
    #: The length of an embedding; None if there is none.
    projection: int | None
    has_class_token: bool = True
    #: Tokens between the class token and the patches.
    registers: int = 0
    #: Why it gives no states of tokens; empty if it does.
    no_tokens: str = ""
    #: Whether single tokens may go through the projection.
    projects_tokens: bool = True

    def absent(self, wants: Sequence[Want]) -> dict[Want, str]:
        """Why it cannot give some of the wanted states, by state."""
        return {want: reason for want in wants if (reason := self._refusal(want))}

    def _refusal(self, want: Want) -> str:
        if want != "embeds" and self.no_tokens:
            return self.no_tokens
        if want in ("embeds", "projected_patches") and self.projection is None:
            return NO_EMBEDDING
        if want == "projected_patches" and not self.projects_tokens:
            return NO_TOKEN_PROJECTION
        if want == "cls_hidden" and not self.has_class_token:
            return NO_CLASS_TOKEN
        return ""


def ability_of(config: TowerConfig) -> VisionAbility:
    """Of a tower of our own."""
    is_clip = config.kind == "clip"
    return VisionAbility(
        width=config.width,
        tokens=config.tokens,
        grid=(config.grid, config.grid),
        projection=config.embedding,
        has_class_token=is_clip,
        projects_tokens=is_clip,
    )


def states_of(
    tower: PictureTower, pixels: Tensor, wants: Sequence[Want], *, has_class_token: bool, registers: int = 0
) -> dict[Want, Tensor]:
    """The wanted states of a batch, float32 on the processor; those that the tower does not give are left out."""
    with torch.inference_mode():
        output = tower(pixels, states=any(want != "embeds" for want in wants))
        last = output.last_hidden
        makers: Mapping[Want, Callable[[Tensor], Tensor]] = {
            "cls_hidden": lambda states: states[:, 0],
            "patch_tokens": lambda states: states[:, int(has_class_token) + registers :],
            "last_hidden": lambda states: states,
            "projected_patches": tower.project,
        }
        found: dict[Want, Tensor | None] = {"embeds": output.embeds, "penultimate_hidden": output.penultimate}
        found |= {want: make(last) for want, make in makers.items() if last is not None and want in wants}
        return {want: on_cpu(state) for want in wants if (state := found.get(want)) is not None}


def on_cpu(state: Tensor) -> Tensor:
    """The numbers, float32 in main memory."""
    return state.to("cpu", torch.float32).contiguous()
