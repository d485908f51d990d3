"""The tensors of a model of transformers' own, without its prefix; nothing is read before it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...errors import CheckpointError
from ..checkpoint_info import CheckpointInfo
from ..recognition.json_files import read_object
from ..towers.weight_files import NUMBERS, TensorFiles, open_files
from ..towers.weight_names import Shape
from .hub_names import Share


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
        if stored.dtype not in NUMBERS:
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
    return HubFiles(str(info.path), open_files(info, allow_pickle=allow_pickle), info.prefix)


def beside(info: CheckpointInfo, name: str) -> Mapping[str, object]:
    """What a JSON file of a model's folder says; nothing without one, or if the model is a file of another name."""
    folder = info.path if info.path.is_dir() else info.path.parent
    is_own = info.path.is_dir() or info.path.name == "model.safetensors"
    return read_object(folder / name) if is_own and (folder / name).is_file() else {}
