"""The tensors of DINO and NaFlex checkpoints under the names of transformers 5, whichever version wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from ...errors import CheckpointError
from ..checkpoints.config_files import read_json
from ..checkpoints.info import CheckpointInfo
from ..checkpoints.weight_names import Shape
from ..checkpoints.weights import FLOAT_DTYPES, TensorFiles, open_tensors

#: Names of transformers 4 -> names of transformers 5.
_RENAMED = {
    "attention.attention.query.": "attention.q_proj.",
    "attention.attention.key.": "attention.k_proj.",
    "attention.attention.value.": "attention.v_proj.",
    "attention.output.dense.": "attention.o_proj.",
    "mlp.weights_out.": "mlp.down_proj.",
}
#: Prefixes that only one of the two versions has.
_PREFIXES = {"layer.": "model.layer.", "vision_model.": ""}
#: Gate and value of a gated MLP, which transformers 4 concatenates.
_FUSED = "mlp.weights_in."
_GATE, _VALUE = "mlp.gate_proj.", "mlp.up_proj."


@dataclass(frozen=True)
class TensorPart:
    """A tensor of a file, or the first or second half of its rows."""

    name: str
    #: 0 for the first half of the rows, 1 for the second; None for all of it.
    half: int | None = None


def canonical(name: str) -> str:
    """The name of a tensor in transformers 5; that of a fused pair is unchanged."""
    for old, new in _PREFIXES.items():
        if name.startswith(old):
            name = new + name[len(old) :]
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name


def parts_for(wanted: Iterable[str], available: Iterable[str]) -> Mapping[str, tuple[TensorPart, ...]]:
    """The parts that each wanted tensor is concatenated from; a tensor that is not available is left out.

    Both sides may have the names of transformers 4 or 5.
    """
    parts: dict[str, TensorPart] = {}
    for name in available:
        target = canonical(name)
        if _FUSED in target:
            parts[target.replace(_FUSED, _GATE)] = TensorPart(name, 0)
            parts[target.replace(_FUSED, _VALUE)] = TensorPart(name, 1)
        parts[target] = TensorPart(name)
    return {name: several for name in wanted if (several := _parts_of(canonical(name), parts))}


def _parts_of(target: str, parts: Mapping[str, TensorPart]) -> tuple[TensorPart, ...]:
    if target in parts:
        return (parts[target],)
    if _FUSED not in target:
        return ()
    halves = target.replace(_FUSED, _GATE), target.replace(_FUSED, _VALUE)
    return tuple(parts[half] for half in halves) if all(half in parts for half in halves) else ()


class HubFiles:
    """The tensors of one vision model."""

    def __init__(self, path: str, files: TensorFiles, prefix: str) -> None:
        self.path = path
        self._files = files
        self._prefix = prefix
        #: By the names after the prefix.
        self.shapes: dict[str, Shape] = {
            name[len(prefix) :]: shape for name, shape in files.shapes.items() if name.startswith(prefix)
        }

    def below(self, prefix: str) -> HubFiles:
        """The tensors whose names have the prefix; all of them if none has it, as in a file of that part only."""
        if not any(name.startswith(prefix) for name in self.shapes):
            return self
        return HubFiles(self.path, self._files, self._prefix + prefix)

    def read(self, part: TensorPart, dtype: torch.dtype) -> torch.Tensor:
        """A copy in this dtype; raises CheckpointError for NaN, infinity, and other kinds of numbers."""
        stored = self._files.read(self._prefix + part.name)
        if stored.dtype not in FLOAT_DTYPES:
            kind = str(stored.dtype).removeprefix("torch.")
            raise CheckpointError(self.path, f"{part.name} holds {kind} numbers; get the file in float16 or float32")
        if part.half is not None:
            stored = stored.chunk(2)[part.half]
        tensor = stored.to(dtype, copy=True)
        # the sum is not finite if any number is not, and needs no memory
        if not torch.isfinite(tensor.sum(dtype=torch.float32)):
            cure = "is too large for this dtype; choose fp32" if torch.isfinite(stored.sum(dtype=torch.float32)) else (
                "holds NaN or infinity; the file is damaged, fetch it again"
            )  # fmt: skip
            raise CheckpointError(self.path, f"{part.name} {cure}")
        return tensor


def open_hub_files(info: CheckpointInfo, *, allow_pickle: bool = False) -> HubFiles:
    """The files of a model, mapped into memory; raises CheckpointError as ``weights.open_weights`` does."""
    return HubFiles(str(info.path), open_tensors(info, allow_pickle=allow_pickle), info.prefix)


def folder_json(info: CheckpointInfo, name: str) -> Mapping[str, object]:
    """A JSON file of a model's folder; empty without one, or if the model is a single file of another name."""
    folder = info.path if info.path.is_dir() else info.path.parent
    is_own = info.path.is_dir() or info.path.name == "model.safetensors"
    return read_json(folder / name) if is_own and (folder / name).is_file() else {}
