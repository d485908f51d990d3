"""The weights of an adapter, read from its file or taken from tensors that are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from ...errors import CheckpointError
from ..checkpoints.weights import SafetensorsFiles
from .containers import nested_tensors, pickled_tensors
from .detection import AdapterInfo, detect_adapter, read_adapter_info
from .tensor_names import sort_names


@dataclass(frozen=True, eq=False)
class Pair:
    """The key and value weights [width of the layer, width of a token] of one attention layer."""

    k: Tensor
    v: Tensor
    #: [width of the layer]; only XLabs has them.
    k_bias: Tensor | None = None
    v_bias: Tensor | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Adapter:
    """An adapter and its weights, in the type of the file and not to be written to."""

    info: AdapterInfo
    #: Tensors of the projection, without a prefix.
    image_proj: Mapping[str, Tensor]
    #: In the order of the file: UNets down, up, then the middle block; of FLUX by the number of the block.
    pairs: tuple[Pair, ...]
    #: (number of the attention, "q", "k", "v" or "out", "down" or "up"); empty without a LoRA.
    lora: Mapping[tuple[int, str, str], Tensor] = field(default_factory=dict)


def load_adapter(
    source: str | PathLike[str] | Mapping[str, object], *, variant: str | None = None, allow_pickle: bool = False
) -> Adapter:
    """The adapter in a file, or with these tensors: one table, or ``image_proj`` and ``ip_adapter`` with one each.

    variant, allow_pickle: as of ``read_adapter_info``. Raises what that raises, and CheckpointError for weights that
    are not finite or no floating point numbers, naming the tensor.
    """
    if isinstance(source, Mapping):
        tensors = dict(nested_tensors({**source}))
        info = detect_adapter({name: tuple(tensor.shape) for name, tensor in tensors.items()}, variant=variant)
        dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
        return _adapter(replace(info, dtype=dtype, size_bytes=sum(one.nbytes for one in tensors.values())), tensors)
    info = read_adapter_info(source, variant=variant, allow_pickle=allow_pickle)
    path = Path(source)
    if info.is_pickle:
        return _adapter(info, pickled_tensors(path))
    files = SafetensorsFiles([path])
    adapter = _adapter(info, {name: files.read(name) for name in files.shapes})
    files.release()
    return adapter


def _adapter(info: AdapterInfo, tensors: Mapping[str, Tensor]) -> Adapter:
    names = sort_names(tensors)

    def read(full: str) -> Tensor:
        _check_finite(info, full, tensors[full])
        return tensors[full]

    def bias(number: int, letter: str) -> Tensor | None:
        full = names.pairs.get((number, letter, "bias"))
        return None if full is None else read(full)

    pairs = tuple(
        Pair(
            read(names.pairs[number, "k", "weight"]), read(names.pairs[number, "v", "weight"]),
            bias(number, "k"), bias(number, "v"),
        )
        for number in names.numbers
    )  # fmt: skip
    image_proj = {name: read(full) for name, full in names.image_proj.items()}
    return Adapter(
        info=info, image_proj=image_proj, pairs=pairs, lora={key: read(full) for key, full in names.lora.items()}
    )


def _check_finite(info: AdapterInfo, name: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        reason = f"{name} holds {tensor.dtype} numbers; get the file in float16, bfloat16 or float32"
        raise CheckpointError(info.label, reason.replace("torch.", ""))
    # types of 8 bits know no isfinite
    values = tensor if tensor.element_size() > 1 else tensor.to(torch.float32)
    if not bool(torch.isfinite(values).all()):
        raise CheckpointError(info.label, f"{name} holds numbers that are not finite; it is damaged, fetch it again")
