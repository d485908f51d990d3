"""The tensors of an adapter by their names in one table, whatever they are nested in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import CheckpointError
from ..checkpoints.safetensors_header import TensorEntry, Tensors
from ..checkpoints.weights import load_pickle

#: Deepest nesting of tables: training checkpoints hold {"state_dict": {"image_proj": {"proj.weight": …}}}.
_DEEPEST = 3


def nested_tensors(content: Mapping[Any, object], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Names joined by dots, with their tensors; what is no tensor is left out."""
    for key, value in content.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, Mapping) and depth < _DEEPEST:
            yield from nested_tensors(value, name, depth + 1)


def pickled_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a pickle, mapped into memory.

    Raises CheckpointError as ``load_pickle``, for one without tensors, and for tensors without numbers for each place.
    """
    content = load_pickle(file)
    tensors = dict(nested_tensors(content)) if isinstance(content, Mapping) else {}
    if not tensors:
        raise CheckpointError(str(file), "it is a pickle without a table of tensors; choose an IP-Adapter file")
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_meta:
            kind = "has no numbers" if tensor.is_meta else "leaves numbers out, as sparse tensors do"
            raise CheckpointError(str(file), f"{name[:80]} {kind}; save it as an ordinary tensor")
    return tensors


def pickled_entries(file: Path) -> Tensors:
    """The names, types and shapes of the tensors of a pickle; raises as ``pickled_tensors``."""
    return {name: _entry(name, tensor, file) for name, tensor in pickled_tensors(file).items()}


def _entry(name: str, tensor: Tensor, file: Path) -> TensorEntry:
    return TensorEntry(name, dtype_name(tensor.dtype), tuple(tensor.shape), 0, tensor.nbytes, file)


def dtype_name(dtype: torch.dtype) -> str:
    """The name of a dtype, such as "float16"."""
    return str(dtype).removeprefix("torch.")
