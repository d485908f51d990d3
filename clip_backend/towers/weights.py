"""The tensors of a model under the names and in the orientation of Hugging Face, whatever its file looks like."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ...errors import CheckpointError
from ..checkpoint_info import CheckpointInfo
from .weight_files import NUMBERS, TensorFiles, open_files
from .weight_names import Piece, Place, Shape, places


class Weights:
    """Lazy: a tensor is read when it is asked for."""

    def __init__(self, path: str, files: TensorFiles, prefix: str = "") -> None:
        self._path = path
        self._files = files
        self._places = places(files.shapes, prefix)

    @property
    def path(self) -> str:
        """The file or folder, for messages."""
        return self._path

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def shape(self, name: str) -> Shape:
        """Of a tensor, without reading it."""
        place = self._place(name)
        rows = [self._rows(piece) for piece in place.pieces]
        first = self._files.shapes[place.pieces[0].name]
        shape = (sum(rows), *first[1:]) if first else ()
        return shape[::-1] if place.is_transposed else shape

    def read(self, name: str, shape: Shape | None = None) -> torch.Tensor:
        """A tensor as the file has it, in the file's type of number; not to be written to.

        shape: what it must have; leading ones of either do not count. Raises CheckpointError with the tensor's name if
        it is missing, of another shape, or no plain floating point.
        """
        place = self._place(name)
        if shape is not None and _core(self.shape(name)) != _core(shape):
            reason = f"{name} has shape {list(self.shape(name))} where {list(shape)} is needed; {_CURE}"
            raise CheckpointError(self._path, reason)
        parts = [self._part(piece) for piece in place.pieces]
        tensor = parts[0] if len(parts) == 1 else torch.cat(parts)
        tensor = tensor.T if place.is_transposed else tensor
        return tensor if shape is None else tensor.reshape(shape)

    def number(self, name: str) -> float | None:
        """``logit_scale`` (a natural logarithm) or ``logit_bias`` as stored; None if the file has none."""
        return float(self.read(name).reshape(-1)[0]) if name in self else None

    def release(self) -> None:
        """Lets go of the files; they are opened again when the next tensor is asked for."""
        self._files.release()

    def _place(self, name: str) -> Place:
        if name not in self._places:
            raise CheckpointError(self._path, f"{name} is missing; {_CURE}")
        return self._places[name]

    def _rows(self, piece: Piece) -> int:
        shape = self._files.shapes[piece.name]
        stop = (shape[0] if shape else 1) if piece.stop is None else piece.stop
        return stop - piece.start

    def _part(self, piece: Piece) -> torch.Tensor:
        tensor = self._files.read(piece.name, piece.start, piece.stop)
        if tensor.dtype not in NUMBERS:
            kind = str(tensor.dtype).removeprefix("torch.")
            reason = f"{piece.name} holds {kind} numbers; get the file in float16, bfloat16 or float32"
            raise CheckpointError(self._path, reason)
        return tensor


_CURE = "the file is incomplete or its configuration is that of another model"


def _core(shape: Shape) -> Shape:
    """The shape without ones in front."""
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def open_weights(info: CheckpointInfo, *, allow_pickle: bool = False) -> Weights:
    """The weights of a model, mapped into memory.

    Raises CheckpointError for a model that cannot be loaded, a file that is gone or broken, and a pickle unless they
    are allowed: even read without running code they may bring torch down.
    """
    return Weights(str(info.path), open_files(info, allow_pickle=allow_pickle), info.prefix)
