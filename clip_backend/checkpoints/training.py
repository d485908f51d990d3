"""What training made of a model: a LoRA or the trained weights themselves, of which file and at which strength."""

from __future__ import annotations

import hashlib
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
#: Trained towers in the folder of a run.
BEST = "best.safetensors"


@dataclass(frozen=True, kw_only=True)
class TrainedOn:
    """The model that something was trained on; an empty text is not known."""

    #: What ``clip-grid models`` calls it, or the name of its file; never a path of this machine.
    name: str = ""
    #: ``Identity.fingerprint`` of its weights, ``Preprocessing.fingerprint`` and ``Tokenizer.fingerprint``.
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
    #: By Hugging Face's name of the trained parameter: its matrices, or the name of the tensor in the file.
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
    def changes(self) -> tuple[str, ...]:
        """Which of "vision", "text" and "scale" it changes, the scale being the numbers that make cosines logits."""
        starts = {"vision": ("vision_model.", "visual_"), "text": ("text_model.", "text_"), "scale": ("logit_",)}
        return tuple(part for part, start in starts.items() if any(name.startswith(start) for name in self.names))


@dataclass(frozen=True, kw_only=True)
class Training:
    """A trained file that a model is computed with."""

    file: TrainedFile
    strength: float
    #: A hash of the file's content; empty before it is loaded.
    digest: str = ""

    @property
    def name(self) -> str:
        """How messages name it: its file or folder, or the folder of its run, and the strength."""
        path = self.file.path
        return f"{path.parent.name if path.name == BEST else path.name} at {self.strength:g}"


def trained_fingerprint(fingerprint: str, has_vision: bool, trained: tuple[Training, ...]) -> str:
    """The fingerprint of a model with what was trained: another one for each encoder that was changed.

    fingerprint: of the model's own file: one part for each encoder, and perhaps one for the scale.
    """
    parts = fingerprint.split("-")
    names = ["vision", "text", "scale"] if has_vision else ["text", "scale"]
    for place, (name, part) in enumerate(zip(names, parts, strict=False)):
        own = [(one.digest, one.strength) for one in trained if name in one.file.changes and one.strength]
        parts[place] = hashlib.sha256(repr((part, own)).encode()).hexdigest()[: len(part)] if own else part
    return "-".join(parts)


def trained_mark(trained: tuple[Training, ...]) -> str:
    """What the id of an embedding space has behind it for a model with what was trained; empty at strength 0."""
    own = [(one.digest, one.strength) for one in trained if one.strength]
    return f"+{hashlib.sha256(repr(own).encode()).hexdigest()[:16]}" if own else ""
