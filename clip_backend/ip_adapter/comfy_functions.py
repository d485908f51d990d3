"""What attention needs of ComfyUI; whoever may import it hands it in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...log import logger

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ComfyFunctions:
    """Functions of the running ComfyUI."""

    #: ``comfy.ldm.modules.attention.optimized_attention``.
    attention: Callable[..., torch.Tensor]
    #: A ModelPatcher around a module, loaded and offloaded with the diffusion models.
    manage: Callable[[torch.nn.Module], Any]
    #: Version of ComfyUI, for messages.
    version: str = "unknown"
    #: A patch for a weight, of ``up`` [out, rank] and ``down`` [rank, in]; None where no LoRA can be added.
    lora: Callable[[torch.Tensor, torch.Tensor], object] | None = None
    #: Shows the user a sentence about a run, from the thread that samples.
    note: Callable[[str], None] = logger.warning


def functions_beside(model: Any) -> ComfyFunctions:
    """The functions of the ComfyUI that a ModelPatcher comes from, whose modules are loaded beside it.

    Raises InputError for an object of another program.
    """
    own = next((one for one in type(model).__mro__ if one.__module__ == "comfy.model_patcher"), None)
    names = ("comfy.ldm.modules.attention", "comfy.model_management", "comfy.weight_adapter")
    if own is None or not all(name in sys.modules for name in names):
        raise InputError(
            f"a {type(model).__name__} is no ModelPatcher of ComfyUI; give one, or a pipeline of diffusers"
        )
    attention, management, adapters = (sys.modules[name] for name in names)

    def manage(module: torch.nn.Module) -> Any:
        patcher: Any = own
        return patcher(module, management.get_torch_device(), management.unet_offload_device())

    def lora(up: torch.Tensor, down: torch.Tensor) -> object:
        # alpha, the middle of LoCon, DoRA and reshaping, which these files do not have
        return adapters.LoRAAdapter(set(), (up, down, None, None, None, None))

    version = getattr(sys.modules.get("comfyui_version"), "__version__", "unknown")
    return ComfyFunctions(attention.optimized_attention, manage, version, lora)
