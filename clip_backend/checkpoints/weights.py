"""Tensors out of model files by the names that they have there: safetensors, and pickles where they are allowed."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open

from ...errors import CheckpointError
from .info import CheckpointInfo
from .weight_listing import inspect_zip
from .weight_names import Piece, Place, Shape, places

NUMBERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
#: Pages that were read from a mapped file count as memory in use; after this much the file is mapped anew.
_HELD_BYTES = 128 << 20
#: The first torch whose weights-only unpickler is not known to have holes (CVE-2026-24747).
SAFE_TORCH = (2, 10)


class TensorFiles(Protocol):
    """The files of one model."""

    @property
    def shapes(self) -> dict[str, Shape]:
        """Of all tensors."""

    def read(self, name: str, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """A tensor, or some of its rows, as it is in the file; valid for as long as it is held, not to be written."""

    def release(self) -> None:
        """Lets go of the files until the next tensor is asked for."""


def open_files(info: CheckpointInfo, *, allow_pickle: bool = False) -> TensorFiles:
    """The files of a model.

    Raises CheckpointError for a model that cannot be loaded, a file that is gone or broken, and a pickle unless they
    are allowed: even read without running code they may bring torch down.
    """
    if info.problem:
        raise CheckpointError(str(info.path), info.problem)
    if not any(file.suffix.lower() in _PICKLES for file in info.files):
        return SafetensorsFiles(info.files)
    if not allow_pickle:
        reason = "it is a pickle, and these are read only if allowed; allow pickles or convert it to safetensors"
        raise CheckpointError(str(info.path), reason)
    return PickleFiles(info.files)


class SafetensorsFiles:
    """Mapped into memory; a tensor is read when it is asked for."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._handles: dict[Path, Any] = {}
        self._held = 0
        self._file_of: dict[str, Path] = {}
        self.shapes: dict[str, Shape] = {}
        for file in files:
            handle = self._handle(file)
            for name in handle.keys():  # noqa: SIM118 - a handle is no mapping
                self._file_of[name] = file
                self.shapes[name] = tuple(handle.get_slice(name).get_shape())

    def _handle(self, file: Path) -> Any:
        if file not in self._handles:
            try:
                self._handles[file] = safe_open(os.fspath(file), framework="pt", device="cpu")
            except FileNotFoundError as error:
                raise CheckpointError(str(file), "it is gone; look for the models again") from error
            except (OSError, SafetensorError) as error:
                reason = f"it cannot be read as safetensors ({error}); fetch it again"
                raise CheckpointError(str(file), reason) from error
        return self._handles[file]

    def read(self, name: str, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Of the mapped file itself, without a copy."""
        if self._held > _HELD_BYTES:
            self.release()
        file = self._file_of[name]
        handle = self._handle(file)
        try:
            tensor: torch.Tensor = handle.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(str(file), f"{name} cannot be read ({error}); fetch the file again") from error
        tensor = tensor if stop is None else tensor[start:stop]
        self._held += tensor.nbytes
        return tensor

    def release(self) -> None:
        """Unmaps the files once the tensors are gone that were read from them."""
        self._handles.clear()
        self._held = 0


class PickleFiles:
    """Pickles of torch, whose tensors alone are read; no code in them is run."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._tensors: dict[str, torch.Tensor] = {}
        for file in files:
            self._tensors |= _unpickled(file)
        self.shapes: dict[str, Shape] = {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}

    def read(self, name: str, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Of the mapped file."""
        tensor = self._tensors[name]
        return tensor if stop is None else tensor[start:stop]

    def release(self) -> None:
        """Nothing: what was unpickled cannot be told apart from what is in use."""


def _unpickled(file: Path) -> dict[str, torch.Tensor]:
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < SAFE_TORCH:
        reason = f"torch {torch.__version__} does not read pickles safely; update it to 2.10 or convert to safetensors"
        raise CheckpointError(str(file), reason)
    check_pickle(file)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, UnpicklingError) as error:
        first = str(error).split("\n")[0]
        reason = f"it holds more than tensors or is broken ({first}); convert it to safetensors where it came from"
        raise CheckpointError(str(file), reason) from error
    return _tensors_in(file, content)


def _tensors_in(file: Path, content: object) -> dict[str, torch.Tensor]:
    """The tensors of a state dict, or of the one inside what a training saved."""
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if isinstance(content, dict):
        tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
        if tensors:
            return tensors
    raise CheckpointError(str(file), "it is a pickle without a table of tensors; convert it to safetensors")


def check_pickle(file: Path) -> None:
    """Raises CheckpointError for what is no plain pickle of tensors, by the table of its archive alone."""
    if not os.path.isfile(file):
        raise CheckpointError(str(file), "it is gone; look for the models again")
    if not zipfile.is_zipfile(file):
        reason = "it is no archive that torch 1.6 or later wrote; convert it to safetensors where it came from"
        raise CheckpointError(str(file), reason)
    kind = inspect_zip(file)
    if not kind.can_be_allowed:
        raise CheckpointError(str(file), kind.problem)


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
