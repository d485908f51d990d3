"""Builds towers from a model's file: empty, then filled layer by layer, so that no weight is held twice."""

from __future__ import annotations

import torch
from torch import nn

from ...errors import CheckpointError
from ..checkpoints.info import CheckpointInfo
from ..checkpoints.weights import Weights
from .config import text_config, vision_config
from .cpu import Linear, can_pack, has_fast_bf16
from .towers import TextTower, Tower, VisionTower

#: Tables with more rows than this are vocabularies.
_VOCABULARY_ROWS = 8192


def build_vision(
    info: CheckpointInfo, weights: Weights, *, device: torch.device | str, dtype: torch.dtype, pack: bool = True
) -> VisionTower:
    """The vision tower of a model, ready to compute.

    dtype: of the weights: float32, float16 or bfloat16. On the processor float16 only saves memory, and so does
    bfloat16 where the processor does not compute in it.
    pack: on the processor, pack the weights for oneDNN; not worth it for a tower that will be moved before it computes.
    Raises CheckpointError with the tensor's name if one is missing, has another shape or holds a NaN.
    """
    with torch.device("meta"):
        tower = VisionTower(vision_config(info))
    _fill(tower, weights, torch.device(device), dtype, pack)
    return tower


def build_text(
    info: CheckpointInfo, weights: Weights, *, device: torch.device | str, dtype: torch.dtype, pack: bool = True
) -> TextTower:
    """The text tower of a model, ready to compute; see ``build_vision``."""
    with torch.device("meta"):
        tower = TextTower(text_config(info))
    _fill(tower, weights, torch.device(device), dtype, pack)
    return tower


def _fill(tower: Tower, weights: Weights, device: torch.device, dtype: torch.dtype, pack: bool) -> None:
    packs = pack and device.type == "cpu" and (dtype != torch.bfloat16 or has_fast_bf16()) and can_pack(dtype)
    for name, module in tower.named_modules():
        _read_parameters(module, f"{name}." if name else "", weights)
        if packs and isinstance(module, Linear):
            module.pack(dtype)
        else:
            _copy_out(module, weights.path, device, dtype)
    weights.release()
    tower.requires_grad_(False).eval()


def _read_parameters(module: nn.Module, prefix: str, weights: Weights) -> None:
    """Its own parameters as the file has them; those of a fused layer are concatenated."""
    for key, parameter in module.named_parameters(recurse=False):
        names = module.names_in_state(prefix, key) if isinstance(module, Linear) else [prefix + key]
        shape = (parameter.shape[0] // len(names), *parameter.shape[1:])
        parts = []
        for name in names:
            parts.append(weights.read(name, shape))
            # the sum is not finite if any number is not, and needs no memory
            if not torch.isfinite(parts[-1].sum(dtype=torch.float32)):
                reason = f"{name} holds NaN or infinity; the file is damaged, fetch it again"
                raise CheckpointError(weights.path, reason)
        tensor = parts[0] if len(parts) == 1 else torch.cat(parts)
        setattr(module, key, nn.Parameter(tensor, requires_grad=False))


def _copy_out(module: nn.Module, path: str, device: torch.device, dtype: torch.dtype) -> None:
    """Copies the parameters out of the mapped file to the device, in their final dtype."""
    is_vocabulary = isinstance(module, nn.Embedding) and module.num_embeddings > _VOCABULARY_ROWS
    for key, parameter in module.named_parameters(recurse=False):
        # rows of a vocabulary are converted when looked up, so it can stay small
        is_small = parameter.dtype in (torch.float16, torch.bfloat16)
        held = parameter.dtype if is_vocabulary and is_small and dtype == torch.float32 else dtype
        tensor = parameter.data.to(device, held, copy=True).contiguous()
        if held == torch.float16 and not torch.isfinite(tensor.sum(dtype=torch.float32)):
            raise CheckpointError(path, f"its {key} is too large for float16; choose bf16 or fp32")
        setattr(module, key, nn.Parameter(tensor, requires_grad=False))
