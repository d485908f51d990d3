"""What a model is: the sizes of its towers, how it wants its pictures, and how each of these was found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

#: Families that one loader or another of this package can read, and those that it only recognises.
Family = Literal[
    "clip", "longclip", "siglip", "siglip2", "naflex", "dinov2", "dinov3", "eva", "coca", "resnet", "other"
]
Activation = Literal["quick_gelu", "gelu", "gelu_tanh", "silu"]
Fit = Literal["crop", "squash", "pad"]
Interpolation = Literal["bicubic", "bilinear"]
#: Where a property comes from, the strongest first; "header" stands for what the shapes themselves say.
Source = Literal["argument", "header", "sidecar", "config", "metadata", "fingerprint", "assumed"]


@dataclass(frozen=True, kw_only=True)
class VisionShape:
    """The sizes of a vision transformer."""

    width: int
    layers: int
    heads: int
    mlp: int
    patch: int
    #: Patches and, if there is one, the class token; of a model of any resolution, those of its position table.
    tokens: int
    #: Height and width in pixels of the pictures that it takes.
    image_size: int
    has_class_token: bool = True


@dataclass(frozen=True, kw_only=True)
class TextShape:
    """The sizes of a text transformer."""

    width: int
    layers: int
    heads: int
    mlp: int
    #: Tokens that a text may have, with its marks of beginning and end.
    context: int
    vocabulary: int


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """What a file or folder is, told from its header or configuration alone."""

    path: Path
    #: The files with the weights: one, or the shards.
    files: tuple[Path, ...]
    #: The row of the table of layouts, such as ``hf-clip`` or ``open_clip``.
    layout: str
    family: Family
    #: What stands before every name of a tensor, such as ``cond_stage_model.model.``.
    prefix: str = ""
    vision: VisionShape | None = None
    text: TextShape | None = None
    #: The length of an embedding; None without any projection.
    projection: int | None = None
    has_vision_projection: bool = False
    has_text_projection: bool = False
    #: An id of the embedding space; two files of one space can be put together. None where nothing tells.
    space: str | None = None
    #: Of most of the weights: "float32", "float16", "bfloat16" or another name of torch.
    dtype: str = "float32"
    parameters: int = 0
    size_bytes: int = 0
    #: A hash of shapes and of a few small tensors: equal for equal weights, whatever their layout and type of number.
    fingerprint: str = ""
    activation: Activation = "gelu"
    #: Of the layer norms.
    eps: float = 1e-5
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    fit: Fit = "crop"
    interpolation: Interpolation = "bicubic"
    #: Where each property comes from.
    sources: Mapping[str, Source] = field(default_factory=dict)
    #: Why it cannot be loaded, with the cure; empty if it can.
    problem: str = ""
    #: What the user should know about the file.
    notes: tuple[str, ...] = ()

    @property
    def unknown(self) -> tuple[str, ...]:
        """The properties that nothing tells, and that were assumed from the family."""
        return tuple(name for name, source in self.sources.items() if source == "assumed")
