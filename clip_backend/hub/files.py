"""The tensors of DINO and NaFlex models under one set of names: those of transformers 5, whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from ...errors import CheckpointError
from ..checkpoints.config_files import read_json
from ..checkpoints.info import CheckpointInfo
from ..checkpoints.weight_names import Shape
from ..checkpoints.weights import FLOAT_DTYPES, TensorFiles, open_tensors

#: What transformers 4 wrote -> what 5 writes.
_RENAMED = {
    "attention.attention.query.": "attention.q_proj.",
    "attention.attention.key.": "attention.k_proj.",
    "attention.attention.value.": "attention.v_proj.",
    "attention.output.dense.": "attention.o_proj.",
    "mlp.weights_out.": "mlp.down_proj.",
}
#: Beginnings that only one of the two versions writes.
_FRONTS = {"layer.": "model.layer.", "vision_model.": ""}
#: Of transformers 4: gate and value of a gated MLP, one below the other.
_PAIR = "mlp.weights_in."
_GATE, _VALUE = "mlp.gate_proj.", "mlp.up_proj."


@dataclass(frozen=True)
class Share:
    """A tensor of a file, or its first or second half."""

    name: str
    #: 0 for the first half of the rows, 1 for the second; None for all of it.
    half: int | None = None


def canonical(name: str) -> str:
    """The name that transformers 5 has for a tensor; that of a pair of matrices stays."""
    for old, new in _FRONTS.items():
        if name.startswith(old):
            name = new + name[len(old) :]
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name


def sources(wanted: Iterable[str], there: Iterable[str]) -> Mapping[str, tuple[Share, ...]]:
    """Where each wanted tensor stands among those that are there: shares to be put one below the other.

    Either side may have the names of transformers 4 or 5. Those that are not there are left out.
    """
    found: dict[str, Share] = {}
    for name in there:
        target = canonical(name)
        if _PAIR in target:
            found[target.replace(_PAIR, _GATE)] = Share(name, 0)
            found[target.replace(_PAIR, _VALUE)] = Share(name, 1)
        found[target] = Share(name)
    return {name: shares for name in wanted if (shares := _shares(canonical(name), found))}


def _shares(target: str, found: Mapping[str, Share]) -> tuple[Share, ...]:
    if target in found:
        return (found[target],)
    if _PAIR not in target:
        return ()
    halves = target.replace(_PAIR, _GATE), target.replace(_PAIR, _VALUE)
    return tuple(found[half] for half in halves) if all(half in found for half in halves) else ()


class HubFiles:
    """What the files of one vision model hold."""

    def __init__(self, path: str, files: TensorFiles, prefix: str) -> None:
        self.path = path
        self._files = files
        self._prefix = prefix
        #: By the names below the prefix.
        self.shapes: dict[str, Shape] = {
            name[len(prefix) :]: shape for name, shape in files.shapes.items() if name.startswith(prefix)
        }

    def below(self, front: str) -> HubFiles:
        """The tensors whose names begin so, without it; all of them if none does, as in a file of that part alone."""
        if not any(name.startswith(front) for name in self.shapes):
            return self
        return HubFiles(self.path, self._files, self._prefix + front)

    def read(self, share: Share, dtype: torch.dtype) -> torch.Tensor:
        """A copy in this type of number; raises CheckpointError for one that holds NaN, infinity or no numbers."""
        stored = self._files.read(self._prefix + share.name)
        if stored.dtype not in FLOAT_DTYPES:
            kind = str(stored.dtype).removeprefix("torch.")
            raise CheckpointError(self.path, f"{share.name} holds {kind} numbers; get the file in float16 or float32")
        if share.half is not None:
            stored = stored.chunk(2)[share.half]
        tensor = stored.to(dtype, copy=True)
        # a sum needs no memory, and neither NaN nor infinity leaves it
        if not torch.isfinite(tensor.sum(dtype=torch.float32)):
            cure = "is too large for this dtype; choose fp32" if torch.isfinite(stored.sum(dtype=torch.float32)) else (
                "holds NaN or infinity; the file is damaged, fetch it again"
            )  # fmt: skip
            raise CheckpointError(self.path, f"{share.name} {cure}")
        return tensor


def open_hub_files(info: CheckpointInfo, *, allow_pickle: bool = False) -> HubFiles:
    """The files of a model, mapped into memory; raises CheckpointError as ``weights.open_weights`` does."""
    return HubFiles(str(info.path), open_tensors(info, allow_pickle=allow_pickle), info.prefix)


def beside(info: CheckpointInfo, name: str) -> Mapping[str, object]:
    """What a JSON file of a model's folder says; nothing without one, or if the model is a file of another name."""
    folder = info.path if info.path.is_dir() else info.path.parent
    is_own = info.path.is_dir() or info.path.name == "model.safetensors"
    return read_json(folder / name) if is_own and (folder / name).is_file() else {}
