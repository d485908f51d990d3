"""The tensors of DINO and NaFlex checkpoints under the names of transformers 5, whichever version wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from ...errors import CheckpointError
from ..checkpoints.info import CheckpointInfo
from ..checkpoints.weight_files import read_json
from ..checkpoints.weight_names import Shape
from ..checkpoints.weights import FLOAT_DTYPES, TensorFiles

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
#: The name of a tensor of a file, and 0 for the first half of its rows, 1 for the second, None for all of them.
TensorPart = tuple[str, int | None]


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
    parts: dict[str, tuple[TensorPart, ...]] = {}
    for name in available:
        target = canonical(name)
        if _FUSED in target:
            parts[target.replace(_FUSED, _GATE)] = ((name, 0),)
            parts[target.replace(_FUSED, _VALUE)] = ((name, 1),)
        parts[target] = ((name, None),)
    for gate in [target for target in parts if _GATE in target]:
        if value := parts.get(gate.replace(_GATE, _VALUE)):
            parts.setdefault(gate.replace(_GATE, _FUSED), parts[gate] + value)
    return {name: parts[canonical(name)] for name in wanted if canonical(name) in parts}


class HubFiles:
    """The tensors of one vision model: those of the files whose names have the prefix."""

    def __init__(self, path: str, files: TensorFiles, prefix: str) -> None:
        self.path = path
        self._files = files
        self._prefix = prefix
        #: Shapes by the tensors' names without the prefix.
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
        name, half = part
        stored = self._files.read(self._prefix + name)
        if stored.dtype not in FLOAT_DTYPES:
            kind = str(stored.dtype).removeprefix("torch.")
            raise CheckpointError(self.path, f"{name} holds {kind} numbers; get the file in float16 or float32")
        if half is not None:
            stored = stored.chunk(2)[half]
        tensor = stored.to(dtype, copy=True)
        # the sum is not finite if any number is not, and needs no memory
        if not torch.isfinite(tensor.sum(dtype=torch.float32)):
            reason = "holds NaN or infinity; the file is damaged, fetch it again"
            if torch.isfinite(stored.sum(dtype=torch.float32)):
                reason = "is too large for this dtype; choose fp32"
            raise CheckpointError(self.path, f"{name} {reason}")
        return tensor


def folder_json(info: CheckpointInfo, name: str) -> Mapping[str, object]:
    """A JSON file of a model's folder; empty without one, or if the model is a single file of another name."""
    folder = info.path if info.path.is_dir() else info.path.parent
    is_own = info.path.is_dir() or info.path.name == "model.safetensors"
    return read_json(folder / name) if is_own and (folder / name).is_file() else {}
