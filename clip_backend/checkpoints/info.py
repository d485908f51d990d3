"""What is known about a model file: the sizes of its encoders, how it takes pictures, and the source of each fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..shapes_demo import SHAPES_DEMO, shapes_demo_path
from .training import Training

#: Families that a loader of this package can read, and some that are only recognised.
Family = Literal[
    "clip", "longclip", "siglip", "siglip2", "naflex", "dinov2", "dinov3", "eva", "coca", "resnet", "other"
]
Activation = Literal["quick_gelu", "gelu", "gelu_tanh", "silu"]
#: How a picture becomes a square: cut out of its middle, stretched, or padded.
Fit = Literal["crop", "squash", "pad"]
#: Filters of Pillow.
Interpolation = Literal["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]
#: What becomes the embedding of a picture: its class token, or the mean of its patches, before which or after which is
#: the last norm.
Pool = Literal["class", "mean", "mean-then-norm"]
#: The token that becomes the embedding of a text: the end-of-text token, or the last or first of the whole context.
TextPool = Literal["end", "last", "first"]
#: How texts are cleaned before they become tokens, where it is not what is usual in the family: as open_clip does for
#: SigLIP, in lower case and without punctuation.
TextCleaning = Literal["canonicalize"]
Rgb = tuple[int, int, int]
#: Where a property comes from, the strongest first. "header": the shapes of the tensors; "fingerprint": the weights are
#: known; "assumed": no source states it, it is the usual value of the family.
Source = Literal["argument", "header", "sidecar", "config", "metadata", "fingerprint", "assumed"]
#: Device, number, size, and times of the last changes of content and status; one differs once a file is another.
FileState = tuple[int, int, int, int, int]
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True, kw_only=True)
class VisionShape:
    """The sizes of a vision transformer."""

    width: int
    layers: int
    heads: int
    mlp: int
    patch: int
    #: Patches and, if there is one, the class token; of a model for any resolution, the rows of its position table.
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
    #: The most tokens of a text, start and end tokens included.
    context: int
    vocabulary: int


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """What a model file or folder is, read from its header or config alone."""

    path: Path
    #: The files with the weights: one, or the shards.
    files: tuple[Path, ...]
    #: Whose names the tensors have, such as ``hf-clip`` or ``open_clip``; see layouts.py.
    layout: str
    family: Family
    #: The start of the names of all its tensors, such as ``cond_stage_model.model.``.
    prefix: str = ""
    vision: VisionShape | None = None
    text: TextShape | None = None
    #: The length of an embedding; None without any projection.
    projection: int | None = None
    has_vision_projection: bool = False
    has_text_projection: bool = False
    #: An id of the embedding space: encoders of one space can be used together. None if it is unknown.
    space: str | None = None
    #: Dtype of most of the weights: "float32", "float16", "bfloat16" or another name of torch.
    dtype: str = "float32"
    parameters: int = 0
    size_bytes: int = 0
    #: Hash of the sizes and a sample of the weights: equal for equal weights, whatever their layout and dtype.
    fingerprint: str = ""
    #: Hash of a sample of every tensor, bit-exact; empty before it is loaded (``fingerprints.identified``).
    digest: str = ""
    #: State of each file when loading began; what is read later is refused if it differs.
    states: tuple[FileState, ...] = ()
    #: Activation function of the vision encoder, or of the only encoder; so is ``eps``.
    activation: Activation = "gelu"
    #: Epsilon of the layer norms.
    eps: float = 1e-5
    #: The same two of the text encoder; None if they equal those of the vision encoder.
    text_activation: Activation | None = None
    text_eps: float | None = None
    #: How states are pooled, and whether a token sees only those before it; None for what is usual in the family.
    pool: Pool | None = None
    text_pool: TextPool | None = None
    is_causal: bool | None = None
    text_cleaning: TextCleaning | None = None
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    fit: Fit = "crop"
    interpolation: Interpolation = "bicubic"
    #: The short side before the crop, where a file states it, and the color beside a picture where fit is "pad".
    short_side: int | None = None
    pad_color: Rgb | None = None
    #: Where each property comes from.
    sources: Mapping[str, Source] = field(default_factory=dict)
    #: LoRAs and trained weights that it is computed with, each as a difference to the file's own weights.
    trained: tuple[Training, ...] = ()
    #: Why it cannot be loaded, with the cure; empty if it can.
    problem: str = ""
    #: What the user should know about the file.
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How messages name it: by its path, or by the name of the bundled model; with what was trained."""
        own = SHAPES_DEMO if self.path == shapes_demo_path() else str(self.path)
        return " with ".join((own, *(one.name for one in self.trained)))

    @property
    def is_pickle(self) -> bool:
        """Whether its files are pickles, by their names."""
        return any(file.suffix.lower() in _PICKLES for file in self.files)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The properties that no source states, and whose values are assumed."""
        return tuple(name for name, source in self.sources.items() if source == "assumed")

    @property
    def has_both_encoders(self) -> bool:
        """Whether this file alone can compare pictures with texts: two encoders, each with its projection."""
        return bool(self.vision and self.text and self.has_vision_projection and self.has_text_projection)
