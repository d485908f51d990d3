"""Writing safetensors files tensor by tensor, so that no model is held in memory as a whole."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from ...atomic import FileSet, writing

_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64"}
#: The format aligns the tensors by padding the header.
_ALIGNMENT = 8


@dataclass(frozen=True)
class TensorToWrite:
    """A tensor that is made when it is written."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    #: The tensor, of this shape and dtype.
    make: Callable[[], torch.Tensor]


def ready(tensors: Mapping[str, torch.Tensor]) -> list[TensorToWrite]:
    """Tensors that are there already."""
    return [
        TensorToWrite(name, tuple(tensor.shape), tensor.dtype, partial(_same, tensor))
        for name, tensor in tensors.items()
    ]


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def write_safetensors(
    files: FileSet, path: Path, tensors: Sequence[TensorToWrite], metadata: Mapping[str, str]
) -> None:
    """A safetensors file as one of a set of files; the order of its tensors, and so its bytes, depend on them alone."""
    # wide types first, so that every tensor begins at a multiple of its numbers' size
    ordered = sorted(tensors, key=lambda one: (-one.dtype.itemsize, one.name))
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for one in ordered:
        begin, end = end, end + one.dtype.itemsize * torch.Size(one.shape).numel()
        header[one.name] = {"dtype": _DTYPES[one.dtype], "shape": list(one.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with files.open(path) as file, writing(path):
        file.write(struct.pack("<Q", len(text)) + text)
        for one in ordered:
            tensor = one.make().detach().to("cpu", one.dtype).contiguous()
            if tuple(tensor.shape) != one.shape:
                raise ValueError(f"{one.name} has the shape {list(tensor.shape)}, not {list(one.shape)}")
            file.write(tensor.reshape(-1).view(torch.uint8).numpy().data)
