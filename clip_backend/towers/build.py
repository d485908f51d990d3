"""Towers filled from a model's file: built without memory, then layer by layer, so that nothing is there twice."""

from __future__ import annotations

import torch
from torch import nn

from ...errors import CheckpointError
from ..checkpoints.info import CheckpointInfo
from ..checkpoints.weights import Weights
from .config import text_config, vision_config
from .cpu import Linear, has_fast_bf16, works
from .towers import TextTower, Tower, VisionTower
from .transformer import Mlp


def build_vision(
    info: CheckpointInfo, weights: Weights, *, device: torch.device | str, dtype: torch.dtype, pack: bool = True
) -> VisionTower:
    """The picture tower of a model, ready to compute.

    dtype: float32, float16 or bfloat16, in which the weights are held. On the processor float16 only saves memory, and
    so does bfloat16 where the processor does not compute in it.
    pack: on the processor, put the weights in the order in which it computes fastest; not worth it for a tower that is
    to be moved elsewhere before it computes.
    Raises CheckpointError with the tensor's name if one is missing, has another shape or holds a NaN.
    """
    with torch.device("meta"):
        tower = VisionTower(vision_config(info))
    _fill(tower, weights, torch.device(device), dtype, pack)
    return tower


def build_text(
    info: CheckpointInfo, weights: Weights, *, device: torch.device | str, dtype: torch.dtype, pack: bool = True
) -> TextTower:
    """The text tower of a model, ready to compute; everything as ``build_vision`` has it."""
    with torch.device("meta"):
        tower = TextTower(text_config(info))
    _fill(tower, weights, torch.device(device), dtype, pack)
    return tower


def _fill(tower: Tower, weights: Weights, device: torch.device, dtype: torch.dtype, pack: bool) -> None:
    packs = pack and device.type == "cpu" and _is_packable(dtype)
    gains = packing_gains(tower)
    for name, module in tower.named_modules():
        prefix = f"{name}." if name else ""
        if not isinstance(module, Linear):
            _fill_others(module, prefix, weights)
            _settle(module, weights.path, device, dtype)
            continue
        _fill_linear(module, prefix, weights)
        if packs:
            module.pack(dtype, *gains.get(module, (1.0, 1.0)))
        else:
            _settle(module, weights.path, device, dtype)
    weights.release()
    tower.requires_grad_(False).eval()


def packing_gains(tower: Tower) -> dict[Linear, tuple[float, float]]:
    """By what the weight and the bias of a layer are multiplied when it is packed, where that is not 1."""
    return {
        linear: gain for module in tower.modules() if isinstance(module, Mlp) for linear, gain in module.gains().items()
    }


def _is_packable(dtype: torch.dtype) -> bool:
    if dtype == torch.bfloat16 and not has_fast_bf16():
        return False
    return dtype in (torch.float32, torch.bfloat16) and works(dtype)


def _fill_linear(linear: Linear, prefix: str, weights: Weights) -> None:
    """Its parameters as the file has them, its shares one below the other."""
    for key, parameter in linear.named_parameters(recurse=False):
        names = linear.names_in_state(prefix, key)
        shape = (parameter.shape[0] // len(names), *parameter.shape[1:])
        shares = [_read(weights, name, shape) for name in names]
        _set(linear, key, shares[0] if len(shares) == 1 else torch.cat(shares))


def _fill_others(module: nn.Module, prefix: str, weights: Weights) -> None:
    for key, parameter in module.named_parameters(recurse=False):
        _set(module, key, _read(weights, prefix + key, tuple(parameter.shape)))


def _read(weights: Weights, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    tensor = weights.read(name, shape)
    # a sum is as good as a look at every number, and needs no memory: NaN and infinity do not leave it
    if not torch.isfinite(tensor.sum(dtype=torch.float32)):
        raise CheckpointError(weights.path, f"{name} holds NaN or infinity; the file is damaged, fetch it again")
    return tensor


def _set(module: nn.Module, key: str, tensor: torch.Tensor) -> None:
    setattr(module, key, nn.Parameter(tensor, requires_grad=False))


def _settle(module: nn.Module, path: str, device: torch.device, dtype: torch.dtype) -> None:
    """Copies the parameters out of the mapped file onto the device, in the type in which they are held."""
    for key, parameter in module.named_parameters(recurse=False):
        held = _held_dtype(module, parameter.dtype, dtype)
        tensor = parameter.data.to(device, held, copy=True).contiguous()
        if held == torch.float16 and not torch.isfinite(tensor.sum(dtype=torch.float32)):
            raise CheckpointError(path, f"its {key} is too large for float16; choose bf16 or fp32")
        _set(module, key, tensor)


def _held_dtype(module: nn.Module, in_file: torch.dtype, dtype: torch.dtype) -> torch.dtype:
    """A vocabulary's rows are looked up one by one and converted then, so it can stay as small as the file has it."""
    is_small = in_file in (torch.float16, torch.bfloat16)
    is_words = isinstance(module, nn.Embedding) and module.num_embeddings > _WORDS
    return in_file if is_words and is_small and dtype == torch.float32 else dtype


#: Tables with more rows than this are vocabularies.
_WORDS = 8192
