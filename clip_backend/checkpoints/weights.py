"""Reading the weights of a model: by the names of its files, or by those of Hugging Face whatever its layout is."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ...errors import CheckpointError
from .detection import find_candidates
from .info import CheckpointInfo, FileState
from .safetensors_header import TensorEntry
from .weight_files import changed, file_states, inspect_zip
from .weight_names import Shape, TensorSource, tensor_sources, unread_problem, unread_tensors

FLOAT_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
#: What is read of a mapped file counts as memory in use; after this many bytes the file is mapped anew.
_MAPPED_BYTES = 128 << 20
#: The first torch whose weights-only unpickler has no known holes (CVE-2026-24747).
SAFE_TORCH = (2, 10)
_INCOMPLETE = "the file is incomplete or its configuration is that of another model"


def open_weights(info: CheckpointInfo, *, allow_pickle: bool = False) -> Weights:
    """The weights of a model by the names of Hugging Face, mapped into memory.

    Raises what ``open_tensors`` does, and CheckpointError for a pickle with tensors that no encoder reads; those of
    other files are in their headers, and known before they are opened.
    """
    files = open_tensors(info, allow_pickle=allow_pickle)
    if isinstance(files, PickleFiles):
        _check_read(info, files)
    return Weights(str(info.path), files, info.prefix)


def _check_read(info: CheckpointInfo, files: PickleFiles) -> None:
    entries = {name: TensorEntry(name, "", shape, 0, 0, info.path) for name, shape in files.shapes.items()}
    chosen = next((one for one in find_candidates(entries) if one.prefix == info.prefix), None)
    if chosen is None:
        return  # a tensor that is missing is named when it is read
    problem = (
        chosen.unsupported.problem if chosen.unsupported else unread_problem(chosen, unread_tensors(chosen, entries))
    )
    if problem:
        raise CheckpointError(str(info.path), problem)


def open_tensors(info: CheckpointInfo, *, allow_pickle: bool = False) -> TensorFiles:
    """The tensors of a model by the names of its files.

    Raises CheckpointError for a model that cannot be loaded, a file that is gone or broken, and a pickle unless they
    are allowed: even read without running code they may crash torch.
    """
    if info.problem:
        raise CheckpointError(str(info.path), info.problem)
    if not info.is_pickle:
        return SafetensorsFiles(info.files, info.states)
    if not allow_pickle:
        reason = "it is a pickle, and these are read only if allowed; allow pickles or convert it to safetensors"
        raise CheckpointError(str(info.path), reason)
    return PickleFiles(info.files, info.states)


class Weights:
    """The tensors of one model by the names of Hugging Face; each is read when it is asked for."""

    def __init__(self, path: str, files: TensorFiles, prefix: str = "") -> None:
        #: The file or folder, for messages.
        self.path = path
        self._files = files
        self._sources = tensor_sources(files.shapes, prefix)

    def __contains__(self, name: object) -> bool:
        return name in self._sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def shape(self, name: str) -> Shape:
        """The shape of a tensor, without reading it; raises CheckpointError if it is missing."""
        source = self._source(name)
        stored = [self._files.shapes[part.name] for part in source.parts]
        counts = [shape[0] if shape else 1 for shape in stored]
        parts = zip(source.parts, counts, strict=True)
        rows = sum((count if part.stop is None else part.stop) - part.start for part, count in parts)
        shape = (rows, *stored[0][1:]) if stored[0] else ()
        return shape[::-1] if source.is_transposed else shape

    def read(self, name: str, shape: Shape | None = None) -> torch.Tensor:
        """A tensor in the dtype of the file; not to be written to.

        shape: what it must have, not counting ones in front on either side. Raises CheckpointError with the tensor's
        name if it is missing, of another shape, or not of floating point.
        """
        source = self._source(name)
        if shape is not None and _without_leading_ones(self.shape(name)) != _without_leading_ones(shape):
            reason = f"{name} has shape {list(self.shape(name))} where {list(shape)} is needed; {_INCOMPLETE}"
            raise CheckpointError(self.path, reason)
        parts = []
        for part in source.parts:
            rows = self._files.read(part.name, part.start, part.stop)
            if rows.dtype not in FLOAT_DTYPES:
                dtype = str(rows.dtype).removeprefix("torch.")
                reason = f"{part.name} holds {dtype} numbers; get the file in float16, bfloat16 or float32"
                raise CheckpointError(self.path, reason)
            parts.append(rows)
        tensor = parts[0] if len(parts) == 1 else torch.cat(parts)
        tensor = tensor.T if source.is_transposed else tensor
        return tensor if shape is None else tensor.reshape(shape)

    def number(self, name: str) -> float | None:
        """``logit_scale`` (a natural logarithm) or ``logit_bias`` as stored; None if the file has none."""
        return float(self.read(name).reshape(-1)[0]) if name in self else None

    def release(self) -> None:
        """Closes the files; they are opened again when the next tensor is asked for."""
        self._files.release()

    def _source(self, name: str) -> TensorSource:
        if name not in self._sources:
            raise CheckpointError(self.path, f"{name} is missing; {_INCOMPLETE}")
        return self._sources[name]


def _without_leading_ones(shape: Shape) -> Shape:
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


class SafetensorsFiles:
    """Files mapped into memory; a tensor is read when it is asked for.

    states: of the files when loading began; without them, as they are now. What is read after one of them was changed
    is refused, so that all tensors are of one model.
    """

    def __init__(self, files: Sequence[Path], states: Sequence[FileState] = ()) -> None:
        self._states = dict(zip(files, states or file_states(files), strict=True))
        self._handles: dict[Path, Any] = {}
        self._read_bytes = 0
        self._file_of: dict[str, Path] = {}
        self.shapes: dict[str, Shape] = {}
        for file in files:
            handle = self._handle(file)
            self._check(file)
            names = handle.keys()
            self._file_of |= dict.fromkeys(names, file)
            self.shapes |= {name: tuple(handle.get_slice(name).get_shape()) for name in names}

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
        """A tensor or some of its rows: the mapped file itself, without a copy."""
        if self._read_bytes > _MAPPED_BYTES:
            self.release()
        file = self._file_of[name]
        handle = self._handle(file)
        self._check(file)
        try:
            tensor: torch.Tensor = handle.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(str(file), f"{name} cannot be read ({error}); fetch the file again") from error
        tensor = tensor if stop is None else tensor[start:stop]
        self._read_bytes += tensor.nbytes
        return tensor

    def _check(self, file: Path) -> None:
        if file_states([file]) != (self._states[file],):
            raise changed(file)

    def release(self) -> None:
        """Closes the files; each stays mapped for as long as a tensor that was read from it is in use."""
        self._handles.clear()
        self._read_bytes = 0


class PickleFiles:
    """Pickles of torch, of which nothing but tensors is read; no code in them is run.

    states: as of ``SafetensorsFiles``.
    """

    def __init__(self, files: Sequence[Path], states: Sequence[FileState] = ()) -> None:
        self._files, self._states = files, tuple(states) or file_states(files)
        self._tensors: dict[str, torch.Tensor] = {}
        for file in files:
            self._tensors |= _unpickled(file)
        self.shapes: dict[str, Shape] = {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}

    def read(self, name: str, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """A tensor or some of its rows: the mapped file itself, without a copy."""
        if file_states(self._files) != self._states:
            raise changed(self._files[0])
        tensor = self._tensors[name]
        return tensor if stop is None else tensor[start:stop]

    def release(self) -> None:
        """Does nothing: the tensors that are in use are not known."""


#: The files of one model, by the names of tensors there; what they give is not to be written to.
TensorFiles = SafetensorsFiles | PickleFiles


def _unpickled(file: Path) -> dict[str, torch.Tensor]:
    content = load_pickle(file)
    if isinstance(content, dict):
        # a state dict, or a training checkpoint with one
        keys = ("state_dict", "model", "model_state_dict")
        inner = next((content[key] for key in keys if isinstance(content.get(key), dict)), content)
        if tensors := {str(name): value for name, value in inner.items() if isinstance(value, torch.Tensor)}:
            return tensors
    raise CheckpointError(str(file), "it is a pickle without a table of tensors; convert it to safetensors")


def load_pickle(file: Path) -> object:
    """What a pickle of torch holds, mapped into memory; no code in it is run.

    Raises CheckpointError for a pickle of more than tensors, for one that is broken, and where torch is too old.
    """
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < SAFE_TORCH:
        reason = f"torch {torch.__version__} does not read pickles safely; update it to 2.10 or convert to safetensors"
        raise CheckpointError(str(file), reason)
    check_pickle(file)
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, UnpicklingError) as error:
        cure = "convert it to safetensors where it came from"
        raise CheckpointError(
            str(file), f"it holds more than tensors or is broken ({_refusal(error)}); {cure}"
        ) from error


def _refusal(error: Exception) -> str:
    """Why torch refuses a pickle, without its advice to run what is in it."""
    called = re.search(r"\bGLOBAL (\S+)", str(error))
    if called:
        return f"it calls {called[1]}"
    first = str(error).split("\n")[0]
    return "torch refuses it" if "weights_only" in first else first


def check_pickle(file: Path) -> None:
    """Raises CheckpointError for what is no plain pickle of tensors, by the names and sizes in the archive alone."""
    if not os.path.isfile(file):
        raise CheckpointError(str(file), "it is gone; look for the models again")
    if not zipfile.is_zipfile(file):
        reason = "it is no archive that torch 1.6 or later wrote; convert it to safetensors where it came from"
        raise CheckpointError(str(file), reason)
    other = inspect_zip(file)
    if not other.is_readable_pickle:
        raise CheckpointError(str(file), other.problem)
