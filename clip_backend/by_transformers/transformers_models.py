"""Models that transformers computes: built empty, then filled from a checkpoint's files, whole or not at all."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ...errors import CheckpointError, MissingPackage
from ..checkpoint_info import CheckpointInfo
from .hub_configs import HubModel
from .hub_files import HubFiles
from .hub_names import Share, sources

#: What only training needs.
_UNUSED = ("mask_token", "position_ids")
_SHOWN = 3


def build_model(info: CheckpointInfo, told: HubModel, files: HubFiles, dtype: torch.dtype) -> nn.Module:
    """The vision model of a checkpoint, on the processor, with its weights held in ``dtype``.

    Raises CheckpointError with the names of tensors that are missing, of another shape or left over, and
    MissingPackage without a transformers that knows the model.
    """
    config_class, model_class = _classes(info, told)
    with torch.device("meta"):
        model: nn.Module = model_class(config_class(**told.settings))
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    state = _read(files, wanted, dtype)
    model.load_state_dict(state, strict=False, assign=True)
    _make_whole(model, dtype)
    return model.eval().requires_grad_(False)


def _classes(info: CheckpointInfo, told: HubModel) -> tuple[Any, Any]:
    """The classes of configuration and model; straight from their modules, for the package's top needs torchvision."""
    package = f"transformers.models.{told.module}"
    try:
        configs = importlib.import_module(f"{package}.configuration_{told.module}")
        models = importlib.import_module(f"{package}.modeling_{told.module}")
        return getattr(configs, told.config), getattr(models, told.model)
    except (ImportError, AttributeError) as error:
        cure = "install it, or a newer one, with: pip install --upgrade transformers"
        raise MissingPackage(f"{info.path} needs transformers with {told.model} ({error}); {cure}") from error


def _read(files: HubFiles, wanted: Mapping[str, tuple[int, ...]], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Every wanted tensor under the name that this version of transformers has for it."""
    found = sources(wanted, files.shapes)
    used = {share.name for shares in found.values() for share in shares}
    _refuse(files, "lacks", _needed(wanted.keys() - found.keys()), "it is incomplete, fetch it again")
    cure = "it is of another kind than its family, use the model as it was published"
    _refuse(files, "also holds", _needed(files.shapes.keys() - used), cure)
    state = {}
    for name, shares in found.items():
        tensor = _joined(files, shares, dtype)
        if tensor.shape != wanted[name]:
            reason = f"{shares[0].name} has shape {list(tensor.shape)} where {list(wanted[name])} is needed"
            raise CheckpointError(files.path, f"{reason}; it is damaged or its configuration is another model's")
        state[name] = tensor
    return state


def _joined(files: HubFiles, shares: tuple[Share, ...], dtype: torch.dtype) -> torch.Tensor:
    parts = [files.read(share, dtype) for share in shares]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _needed(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.endswith(_UNUSED))


def _refuse(files: HubFiles, verb: str, names: list[str], cure: str) -> None:
    if names:
        more = f" and {len(names) - _SHOWN} more tensors" if len(names) > _SHOWN else ""
        raise CheckpointError(files.path, f"{verb} {', '.join(names[:_SHOWN])}{more}; {cure}")


def _make_whole(model: nn.Module, dtype: torch.dtype) -> None:
    """Everything that no file holds: tables that follow from the configuration, and the token of masked training."""
    for name, module in list(model.named_modules()):
        if any(buffer.is_meta for buffer in module.buffers(recurse=False)):
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, type(module)(module.config))
        for key, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                setattr(module, key, nn.Parameter(torch.zeros(parameter.shape, dtype=dtype)))
