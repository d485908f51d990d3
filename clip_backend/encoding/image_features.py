"""The states of pictures by their names and true shapes, which of them a model gives, and how a tower computes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..preparing.preprocessing import Preprocessing, normalised, prepare
from .batching import Placement, float32_on_cpu
from .features import Features

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import Tensor

    from ..towers.config import TowerConfig
    from ..towers.towers import VisionOutput

StateName = Literal["embeds", "cls_hidden", "patch_tokens", "penultimate_hidden", "last_hidden", "projected_patches"]
#: Where a picture failed.
Stage = Literal["read", "encode"]
STATE_NAMES: tuple[StateName, ...] = get_args(StateName)
#: The field of ImageFeatures for each state.
FIELD_OF: Mapping[str, str] = {want: "image_embeds" if want == "embeds" else want for want in STATE_NAMES}
NO_EMBEDDING = (
    "the model file has no visual projection, so that its pictures have states but no embedding; choose a file with "
    "one, such as clip_vision_h or a full CLIP model"
)
NO_TOKEN_PROJECTION = "the model pools its tokens by attention and has no projection for single ones; use patch_tokens"
NO_CLASS_TOKEN = "the model has no class token; use image_embeds"


@dataclass(frozen=True)
class FailedPicture:
    """A picture without features, and why."""

    #: Its index among the given pictures.
    index: int
    name: str
    #: "read" for a picture that cannot be decoded or prepared, "encode" for one whose numbers are not finite.
    stage: Stage
    reason: str

    def to_dict(self) -> dict[str, str]:
        """Plain JSON values."""
        return {"path": self.name, "reason": self.reason}


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageFeatures:
    """States of N pictures, float32 on the CPU before ``to``; a missing state is None, and ``absent`` says why.

    T counts the class token and the registers, if the model has them, and the patches; W is the tower's width and P
    its projection.
    """

    #: The projected embedding, not normalised [N, P].
    image_embeds: Tensor | None = None
    #: The class token's row of ``last_hidden`` [N, W].
    cls_hidden: Tensor | None = None
    #: The patches' rows of ``last_hidden`` [N, grid, W], row by row of the picture's grid.
    patch_tokens: Tensor | None = None
    #: The states before the last layer, with the class token [N, T, W]: ``hidden_states[-2]`` of transformers.
    penultimate_hidden: Tensor | None = None
    #: The states after the last layer and before the final norm [N, T, W]: ``hidden_states[-1]`` of transformers.
    last_hidden: Tensor | None = None
    #: Every token through final norm and projection [N, T, P]; the class token's row equals ``image_embeds``.
    projected_patches: Tensor | None = None

    #: The name of each row.
    names: tuple[str, ...]
    #: The index of each row among the given pictures.
    kept: tuple[int, ...]
    failed: tuple[FailedPicture, ...] = ()
    #: Why a state is missing, by field.
    absent: Mapping[str, str] = field(default_factory=dict)
    #: Notes for the user, such as that memory ran out and the CPU was used.
    notes: tuple[str, ...] = ()
    #: Contrast and correlation of each picture, by which blank ones and noise are told, float32 [N, 2]; see
    #: ``pixel_statistics``. None unless they were asked for.
    statistics: NDArray[np.float32] | None = None

    #: Rows and columns of patches.
    grid: tuple[int, int]
    hidden_size: int
    #: The length of an embedding; None for a model without projection.
    projection_dim: int | None
    num_tokens: int
    has_class_token: bool = True
    #: Tokens between the class token and the patches, without a position in the picture.
    registers: int = 0
    preprocessing: Preprocessing
    #: The fingerprint of the weights.
    fingerprint: str
    space: str
    #: In which the tower computed: "fp32", "fp16" or "bf16".
    dtype: str

    def __len__(self) -> int:
        return len(self.names)

    @property
    def image_embeds_norm(self) -> Tensor:
        """``image_embeds`` made length 1 [N, P]; raises InputError where they are absent."""
        from torch.nn.functional import normalize

        return normalize(self.require("image_embeds"), dim=-1)

    @property
    def global_features(self) -> Tensor:
        """``image_embeds`` under another usual name [N, P]; raises InputError where they are absent."""
        return self.require("image_embeds")

    def to(self, device: str | torch.device, dtype: torch.dtype | None = None) -> ImageFeatures:
        """A copy with every state on a device, and in another dtype if one is given."""
        states = {name: state for name in FIELD_OF.values() if (state := getattr(self, name)) is not None}
        return replace(self, **{name: state.to(device=device, dtype=dtype) for name, state in states.items()})

    def require(self, name: str) -> Tensor:
        """The state of this name; raises InputError with the reason and the cure if it is not there."""
        name = FIELD_OF.get(name, name)
        if name not in FIELD_OF.values():
            raise InputError(f"there is no state {name!r}; choose from {', '.join(FIELD_OF.values())}")
        state: Tensor | None = getattr(self, name)
        if state is None:
            want = "embeds" if name == "image_embeds" else name
            raise InputError(self.absent.get(name, f"{name} was not asked for; add {want!r} to wants"))
        return state

    def to_features(self, ids: Sequence[str] | None = None) -> Features:
        """The embeddings as unit vectors, named by the pictures or by ``ids``."""
        embeds = self.require("image_embeds").float().cpu().numpy()
        return Features.from_raw(embeds, self.names if ids is None else ids, self.space)


def check_wants(wants: Sequence[str]) -> tuple[StateName, ...]:
    """The wanted states, each once and in a fixed order; raises InputError for an unknown name, or without any."""
    if isinstance(wants, str):
        wants = (wants,)
    asked = {"embeds" if want == "image_embeds" else want for want in wants}
    unknown = sorted(asked - set(STATE_NAMES))
    if unknown or not asked:
        raise InputError(
            f"wants names {', '.join(map(repr, unknown)) or 'nothing'}; choose from {', '.join(STATE_NAMES)}"
        )
    return tuple(want for want in STATE_NAMES if want in asked)


@dataclass(frozen=True, kw_only=True)
class VisionCapabilities:
    """Which states a vision encoder gives, their shapes, and why it does not give the others."""

    width: int
    tokens: int
    #: Rows and columns of patches.
    grid: tuple[int, int]
    #: The length of an embedding; None if there is none.
    projection: int | None
    has_class_token: bool = True
    #: Tokens between the class token and the patches.
    registers: int = 0
    #: Why it gives no token states; empty if it does.
    no_tokens: str = ""
    #: Whether single tokens can be projected.
    projects_tokens: bool = True

    def absent(self, wants: Sequence[StateName]) -> dict[StateName, str]:
        """Why it does not give some of the wanted states, by state."""
        return {want: reason for want in wants if (reason := self._why_absent(want))}

    def _why_absent(self, want: StateName) -> str:
        if want != "embeds" and self.no_tokens:
            return self.no_tokens
        if want in ("embeds", "projected_patches") and self.projection is None:
            return NO_EMBEDDING
        if want == "projected_patches" and not self.projects_tokens:
            return NO_TOKEN_PROJECTION
        if want == "cls_hidden" and not self.has_class_token:
            return NO_CLASS_TOKEN
        return ""


def capabilities_of(config: TowerConfig) -> VisionCapabilities:
    """The capabilities of a tower of ours."""
    is_clip = config.kind == "clip"
    return VisionCapabilities(
        width=config.width,
        tokens=config.tokens,
        grid=(config.grid, config.grid),
        projection=config.embedding,
        has_class_token=is_clip,
        projects_tokens=is_clip,
    )


class VisionTower(Protocol):
    """A vision tower for pictures of one size."""

    def __call__(self, pixels: Tensor, *, states: bool = False) -> VisionOutput:
        """The embeddings of normalised pictures, float32 [B, 3, S, S]; with ``states`` the token states too."""

    def project(self, tokens: Tensor) -> Tensor:
        """Final norm and projection of every token: [B, T, W] -> [B, T, P]."""

    def memory_bytes(self, batch: int, device: torch.device) -> int:
        """About how many bytes a batch needs on the device beside the weights."""


class Preparer(Protocol):
    """The part of a vision encoder that needs no weights."""

    def prepare(self, picture: Image.Image | Tensor, preprocessing: Preprocessing) -> Tensor:
        """uint8 [H, W, 3], as the tower takes it but for the normalisation; called in threads."""


class VisionEncoder(Preparer, Protocol):
    """A vision tower with its preprocessing and placement."""

    @property
    def capabilities(self) -> VisionCapabilities:
        """Which states it gives, and their shapes."""

    @property
    def placement(self) -> Placement:
        """Where it computes."""

    @property
    def in_fp32(self) -> Callable[[], VisionEncoder] | None:
        """What builds the same in fp32; None where that is no use, or not wanted."""

    def memory_bytes(self, batch: int) -> int:
        """About how many bytes a batch needs beside the weights."""

    def states(
        self, prepared: Sequence[Tensor], preprocessing: Preprocessing, wants: Sequence[StateName]
    ) -> dict[StateName, Tensor]:
        """The wanted states of prepared pictures, float32 on the CPU."""


@dataclass(frozen=True, kw_only=True)
class TowerVisionEncoder:
    """The vision encoder of a tower that takes square pictures of one size."""

    tower: VisionTower
    capabilities: VisionCapabilities
    placement: Placement
    #: Builds the same in fp32, where its numbers may be too large for fp16 and nobody chose that.
    in_fp32: Callable[[], VisionEncoder] | None = None

    def memory_bytes(self, batch: int) -> int:
        return self.tower.memory_bytes(batch, self.placement.device)

    def prepare(self, picture: Image.Image | Tensor, preprocessing: Preprocessing) -> Tensor:
        """uint8 [S, S, 3]."""
        return prepare(picture, preprocessing)

    def states(
        self, prepared: Sequence[Tensor], preprocessing: Preprocessing, wants: Sequence[StateName]
    ) -> dict[StateName, Tensor]:
        pixels = normalised(prepared, preprocessing, self.placement.device)
        return tower_states(self.tower, pixels, wants, self.capabilities)


def tower_states(
    tower: VisionTower, pixels: Tensor, wants: Sequence[StateName], capabilities: VisionCapabilities
) -> dict[StateName, Tensor]:
    """The wanted states of a batch, float32 on the CPU; those that the tower does not give are left out."""
    import torch

    not_patches = int(capabilities.has_class_token) + capabilities.registers
    with torch.inference_mode():
        output = tower(pixels, states=any(want != "embeds" for want in wants))
        last = output.last_hidden
        makers: Mapping[StateName, Callable[[Tensor], Tensor]] = {
            "cls_hidden": lambda states: states[:, 0],
            "patch_tokens": lambda states: states[:, not_patches:],
            "last_hidden": lambda states: states,
            "projected_patches": tower.project,
        }
        states: dict[StateName, Tensor | None] = {"embeds": output.embeds, "penultimate_hidden": output.penultimate}
        states |= {want: make(last) for want, make in makers.items() if last is not None and want in wants}
        return {want: float32_on_cpu(state) for want in wants if (state := states.get(want)) is not None}
