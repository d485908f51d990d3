"""Tensors out of model files by the names that they have there: safetensors, and pickles where they are allowed."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open

from ...errors import CheckpointError
from ..checkpoint_info import CheckpointInfo
from ..recognition.pickle_files import inspect_zip
from .weight_names import Shape

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
