"""The weights of a model with its training, as they are written: merged in float32, cast at the end, and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import torch

from ....errors import InputError
from ...checkpoints.info import CheckpointInfo
from ...checkpoints.safetensors_file import TensorToWrite
from ...checkpoints.trained_weights import open_merged
from ...checkpoints.weight_names import LOGITS
from ...checkpoints.weights import Weights, open_weights

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass
class Changes:
    """How much training changed the weights that were written, and how much of it their dtype can hold."""

    #: The largest change of a number, and its parameter.
    largest: float = 0.0
    where: str = ""
    #: Numbers that training changed, and those of them that differ from the model's own after the cast.
    changed: int = 0
    survived: int = 0

    @property
    def share(self) -> float:
        """The share of the changed numbers that survived the cast; 1 if none was changed."""
        return self.survived / self.changed if self.changed else 1.0

    def add(self, name: str, own: torch.Tensor, merged: torch.Tensor, dtype: torch.dtype) -> None:
        """Counts a parameter."""
        differs = own.float() != merged.float()
        count = int(differs.sum())
        if not count:
            return
        most = float((merged.float() - own.float()).abs().max())
        if most > self.largest:
            self.largest, self.where = most, name
        self.changed += count
        self.survived += int((own.to(dtype) != merged.to(dtype)).sum())


@dataclass
class Merged:
    """The weights of one model, of one file or two, by Hugging Face's names."""

    infos: tuple[CheckpointInfo, ...]
    dtype: torch.dtype
    #: It grows while tensors are made.
    changes: Changes = field(default_factory=Changes)

    def __post_init__(self) -> None:
        self._merged = [open_merged(info) for info in self.infos]
        self._own = [open_weights(info) for info in self.infos]

    @property
    def vision(self) -> CheckpointInfo:
        """The file with the vision encoder."""
        return self.infos[0]

    @property
    def text(self) -> CheckpointInfo:
        """The file with the text encoder."""
        return self.infos[-1]

    def names(self, part: str) -> list[str]:
        """The parameters of the "vision" or the "text" encoder with its projection, sorted."""
        starts = ("vision_model.", "visual_projection.") if part == "vision" else ("text_model.", "text_projection.")
        weights = self._merged[0 if part == "vision" else -1]
        return sorted(name for name in weights if name.startswith(starts) and "position_ids" not in name)

    def logits(self) -> list[str]:
        """The names of the logits' scale and bias that the model has."""
        return [name for name in LOGITS if any(name in weights for weights in self._merged)]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a parameter as Hugging Face stores it: no leading ones, except SigLIP's probe."""
        shape = tuple(self._of(name, self._merged).shape(name))
        if name in LOGITS:
            # of transformers' SiglipModel they are vectors
            return () if self.vision.family in ("clip", "longclip") else (1,)
        if name.endswith("head.probe"):
            return (1, 1, shape[-1])
        while shape[:1] == (1,) and len(shape) > 1:
            shape = shape[1:]
        return shape

    def tensor(self, name: str) -> torch.Tensor:
        """A parameter in the dtype of the file; raises InputError for one that is too large for it."""
        merged = self._of(name, self._merged).read(name).reshape(self.shape(name))
        if any(name in weights for weights in self._own) and any(info.trained for info in self.infos):
            own = self._of(name, self._own).read(name).reshape(merged.shape)
            self.changes.add(name, own, merged, self.dtype)
        cast = merged.to(self.dtype)
        if not torch.isfinite(cast.sum(dtype=torch.float32)):
            raise InputError(f"{name} holds numbers that are too large for this dtype; choose bf16 or fp32")
        return cast

    def to_write(
        self,
        names: Iterable[str],
        renamed: Callable[[str], str] = str,
        transposed: Callable[[str], bool] = lambda name: False,
    ) -> list[TensorToWrite]:
        """Parameters as they go into a file, each under its new name, the matrices of some transposed."""
        written = []
        for name in names:
            shape, turns = self.shape(name), transposed(name)
            written.append(
                TensorToWrite(
                    renamed(name), shape[::-1] if turns else shape, self.dtype,
                    partial(self._made, name, turns),
                )
            )  # fmt: skip
        return written

    def _made(self, name: str, turns: bool) -> torch.Tensor:
        return self.tensor(name).T if turns else self.tensor(name)

    def _of(self, name: str, weights: list[Weights]) -> Weights:
        return next((one for one in weights if name in one), weights[0])
