"""What training made of a model: a LoRA or the trained weights themselves, of which file and at which strength."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["lora", "weights"]
#: How the factor of a LoRA's product follows from its alpha and its rank r; the second is rsLoRA's, and CLIP-LoRA's.
Rule = Literal["alpha/r", "alpha/sqrt(r)"]
#: The weights of a folder that PEFT saved.
ADAPTER_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, kw_only=True)
class TrainedOn:
    """The model that something was trained on; an empty text is not known."""

    #: What ``clip-grid models`` calls it, or the name of its file; never a path of this machine.
    name: str = ""
    #: ``Identity.fingerprint`` of its weights, ``Preprocessing.key`` and ``Tokenizer.fingerprint``.
    fingerprint: str = ""
    preprocessing: str = ""
    tokenizer: str = ""


@dataclass(frozen=True, kw_only=True)
class LowRank:
    """The change of one weight [out, in]: ``scale`` times the product of two matrices."""

    #: The names of the matrices in the file, [r, in] and [out, r].
    down: str
    up: str
    rank: int
    alpha: float
    rule: Rule = "alpha/r"

    @property
    def scale(self) -> float:
        """The factor of the product."""
        return self.alpha / (self.rank if self.rule == "alpha/r" else math.sqrt(self.rank))


@dataclass(frozen=True, kw_only=True)
class TrainedFile:
    """A file with a LoRA or with trained weights, by its header.

    At strength s a LoRA makes ``W + s * scale * up @ down`` of a weight, and trained weights make
    ``W + s * (trained - W)``: both are the line from the model to what was trained, on which WiSE-FT chooses a point.
    """

    #: The file, or the folder of PEFT.
    path: Path
    kind: Kind
    #: By Hugging Face's names of the parameters that were trained: the matrices, or the name of the tensor in the file.
    low_rank: Mapping[str, LowRank] = field(default_factory=dict)
    whole: Mapping[str, str] = field(default_factory=dict)
    base: TrainedOn = TrainedOn()
    #: The strength that training chose; 1 in files of other programs.
    strength: float = 1.0
    #: What the user should know, such as parts that belong to no CLIP.
    notes: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        """The safetensors file itself, also of a folder of PEFT."""
        return self.path / ADAPTER_WEIGHTS if self.path.is_dir() else self.path

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that it changes, sorted."""
        return tuple(sorted({*self.low_rank, *self.whole}))

    @property
    def parts(self) -> tuple[str, ...]:
        """Which of "vision" and "text" it changes; neither for a logit scale alone."""
        starts = {"vision": ("vision_model.", "visual_projection."), "text": ("text_model.", "text_projection.")}
        return tuple(part for part, start in starts.items() if any(name.startswith(start) for name in self.names))


@dataclass(frozen=True, kw_only=True)
class Training:
    """A trained file that a model is computed with."""

    file: TrainedFile
    strength: float
    #: A hash of the file's content.
    digest: str
