"""Merging a LoRA or trained weights into a model's own, in float32; and writing them as our own files."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import torch

from ...atomic import file_set
from ...errors import CheckpointError
from .info import CheckpointInfo
from .safetensors_file import ready, write_safetensors
from .trained_file import metadata_of
from .training import Kind, Rule, TrainedFile, TrainedOn, Training
from .weight_names import LOGITS, Shape
from .weights import SafetensorsFiles, Weights, open_weights

#: What the numbers of the logits count as in a model without them: the scale that CLIP's training ends at, no bias.
_UNSTATED = {"logit_scale": math.log(100.0), "logit_bias": 0.0}


class TrainedWeights:
    """The tensors of a trained file, each read when it is asked for.

    ``merged(name, tensor, strength)`` is the one place where training is added to a model.
    """

    def __init__(self, file: TrainedFile) -> None:
        self.file = file
        self._files = SafetensorsFiles([file.file])

    def release(self) -> None:
        """Closes the file; it is opened again when the next tensor is asked for."""
        self._files.release()

    def difference(self, name: str, base: torch.Tensor) -> torch.Tensor:
        """What training at strength 1 adds to a parameter, float32, in the shape of ``base``, the model's own."""
        if one := self.file.low_rank.get(name):
            down, up = self._files.read(one.down).float(), self._files.read(one.up).float()
            return (one.scale * (up @ down)).reshape(base.shape)
        return self._trained(name, base) - base.float()

    def merged(self, name: str, base: torch.Tensor, strength: float) -> torch.Tensor:
        """A parameter with training at a strength, float32; ``base`` itself at 0, and where it was not trained.

        At 1 trained weights are as they are in the file, to the bit.
        """
        if strength == 0 or name not in self.file.names:
            return base
        if strength == 1 and name in self.file.whole:
            return self._trained(name, base)
        return base.float() + strength * self.difference(name, base)

    def _trained(self, name: str, base: torch.Tensor) -> torch.Tensor:
        return self._files.read(self.file.whole[name]).float().reshape(base.shape)

    def check(self, own: Weights, parts: Collection[str]) -> None:
        """Raises CheckpointError for a parameter that the model lacks or has in another shape.

        parts: "vision" and "text", of which encoders the model's file is.
        """
        for name in self.file.names:
            part = "vision" if name.startswith("vis") else "text"
            if name in LOGITS or part not in parts:
                continue
            one = self.file.low_rank.get(name)
            shapes = self._files.shapes
            changed = (*shapes[one.up][:1], *shapes[one.down][1:]) if one else shapes[self.file.whole[name]]
            has = own.shape(name) if name in own else None
            if has is None or [n for n in changed if n != 1] != [n for n in has if n != 1]:
                there = "lacks" if has is None else f"has as {list(has)}"
                reason = f"it changes {name} of shape {list(changed)}, which {Path(own.path).name} {there}"
                raise CheckpointError(str(self.file.path), f"{reason}; choose the model that it was trained on")


class MergedWeights(Weights):
    """The weights of a model with what was trained, merged as they are read."""

    def __init__(self, own: Weights, trainings: Sequence[Training]) -> None:
        self.path = own.path
        self._own = own
        self._trainings = [(TrainedWeights(one.file), one.strength) for one in trainings]

    def check(self, parts: Collection[str]) -> None:
        """Raises CheckpointError for a training that does not fit the model; parts: the encoders of its file."""
        for weights, _ in self._trainings:
            weights.check(self._own, parts)

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._added()

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self._added()

    def _added(self) -> list[str]:
        """Numbers that training gave to a model without them."""
        own = (name for weights, _ in self._trainings for name in weights.file.whole)
        return [name for name in dict.fromkeys(own) if name in LOGITS and name not in self._own]

    def shape(self, name: str) -> Shape:
        return () if name in self._added() else self._own.shape(name)

    def read(self, name: str, shape: Shape | None = None) -> torch.Tensor:
        """A tensor in float32 if it was trained, else in the dtype of the file."""
        own = [(weights, strength) for weights, strength in self._trainings if name in weights.file.names]
        base = torch.tensor(_UNSTATED[name]) if name in self._added() else self._own.read(name, shape)
        if len(own) == 1:
            return own[0][0].merged(name, base, own[0][1])
        for difference in [strength * weights.difference(name, base) for weights, strength in own]:
            base = base.float() + difference
        return base

    def release(self) -> None:
        self._own.release()
        for weights, _ in self._trainings:
            weights.release()


def open_merged(info: CheckpointInfo, *, allow_pickle: bool = False) -> Weights:
    """The weights of a model by the names of Hugging Face, with those that it is computed with merged into them.

    Raises what ``open_weights`` does, and CheckpointError for a trained file that is gone or does not fit the model.
    """
    own = open_weights(info, allow_pickle=allow_pickle)
    if not info.trained:
        return own
    merged = MergedWeights(own, info.trained)
    merged.check([part for part, shape in (("vision", info.vision), ("text", info.text)) if shape])
    return merged


def save_trained_file(
    path: Path,
    tensors: Mapping[str, torch.Tensor],
    kind: Kind,
    base: TrainedOn,
    *,
    strength: float = 1.0,
    alpha: float = 1.0,
    rule: Rule = "alpha/sqrt(r)",
) -> None:
    """Writes a LoRA or trained weights, in one go, as ``read_trained_file`` reads them.

    tensors: of trained weights by Hugging Face's names of parameters; of a LoRA by those of modules with
    ``.lora_A.weight`` [r, in] and ``.lora_B.weight`` [out, r] behind them, beside parameters that were trained whole,
    such as ``logit_scale``. q, k and v are apart. strength: with which it is used where none is given. alpha, rule: of
    a LoRA. Raises OutputError if the file cannot be written.
    """
    metadata = metadata_of(kind, base, strength=strength, alpha=alpha, rule=rule)
    with file_set(path.parent) as files:
        write_safetensors(files, path, ready(tensors), metadata)
