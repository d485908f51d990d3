"""The configuration of one tower, vision or text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ...errors import CheckpointError
from ..checkpoints.info import Activation, CheckpointInfo, Pool, TextPool, TextShape, VisionShape

#: clip pools the class token or the end of the text and projects it; siglip pools by attention or the last position.
Kind = Literal["clip", "siglip"]
#: The families that these towers compute.
KINDS: dict[str, Kind] = {"clip": "clip", "longclip": "clip", "siglip": "siglip", "siglip2": "siglip"}


@dataclass(frozen=True, kw_only=True)
class TowerConfig:
    """The sizes of one tower; ``patch`` and ``image_size`` are 0 for text, ``vocabulary`` is 0 for pictures."""

    kind: Kind
    width: int
    layers: int
    heads: int
    mlp: int
    #: Rows of the position table.
    tokens: int
    activation: Activation
    eps: float
    #: The length of an embedding; None if the tower has none.
    embedding: int | None
    patch: int = 0
    image_size: int = 0
    vocabulary: int = 0
    #: Pooling of the vision encoder; SigLIP pools by attention.
    pool: Pool = "class"
    #: Pooling of the text encoder.
    text_pool: TextPool = "end"
    #: Whether a token of a text sees only those before it.
    is_causal: bool = True

    @property
    def grid(self) -> int:
        """Patches along one side of a picture."""
        return self.image_size // self.patch


def vision_config(info: CheckpointInfo) -> TowerConfig:
    """The vision tower of a model; raises CheckpointError if there is none, or one of another kind."""
    kind, shape = _kind(info), info.vision
    if shape is None:
        raise CheckpointError(str(info.path), "it holds no picture tower; give a file that does")
    # SigLIP's pooling keeps the width, and there is no projection
    embedding = shape.width if kind == "siglip" else info.projection
    config = _config(info, kind, shape, shape.tokens, embedding if info.has_vision_projection else None)
    side = shape.image_size // shape.patch if shape.patch > 0 else 0
    if side * side + (kind == "clip") != shape.tokens:
        reason = (
            f"its position table has {shape.tokens} rows, which does not fit pictures of {shape.image_size} px in "
            f"patches of {shape.patch} px; its configuration belongs to another model"
        )
        raise CheckpointError(str(info.path), reason)
    return replace(config, patch=shape.patch, image_size=shape.image_size, pool=info.pool or "class")


def text_config(info: CheckpointInfo) -> TowerConfig:
    """The text tower of a model; raises CheckpointError if there is none, or one without projection."""
    kind, shape = _kind(info), info.text
    if shape is None:
        raise CheckpointError(str(info.path), "it holds no text tower; give a file that does")
    config = _config(info, kind, shape, shape.context, info.projection)
    if not info.has_text_projection or info.projection is None:
        reason = (
            "its text tower lacks text_projection, without which text cannot be compared with pictures; "
            "give the file of the whole model"
        )
        raise CheckpointError(str(info.path), reason)
    is_clip = kind == "clip"
    return replace(
        config,
        vocabulary=shape.vocabulary,
        activation=info.text_activation or info.activation,
        eps=info.text_eps or info.eps,
        text_pool=info.text_pool or ("end" if is_clip else "last"),
        is_causal=is_clip if info.is_causal is None else info.is_causal,
    )


def _kind(info: CheckpointInfo) -> Kind:
    kind = KINDS.get(info.family)
    if kind is None:
        raise CheckpointError(str(info.path), f"models of the family {info.family!r} have towers of another build")
    return kind


def _config(
    info: CheckpointInfo, kind: Kind, shape: VisionShape | TextShape, tokens: int, embedding: int | None
) -> TowerConfig:
    """What both kinds of tower have in common."""
    if shape.heads < 1 or shape.width % shape.heads:
        reason = f"{shape.heads} heads do not divide its width of {shape.width}; give the right number as heads"
        raise CheckpointError(str(info.path), reason)
    return TowerConfig(
        kind=kind,
        width=shape.width,
        layers=shape.layers,
        heads=shape.heads,
        mlp=shape.mlp,
        tokens=tokens,
        activation=info.activation,
        eps=info.eps,
        embedding=embedding,
    )
