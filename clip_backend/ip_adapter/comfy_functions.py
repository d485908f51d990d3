"""What attention needs of ComfyUI; whoever may import it hands it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ComfyFunctions:
    """Functions of the running ComfyUI."""

    #: ``comfy.ldm.modules.attention.optimized_attention``.
    attention: Callable[..., torch.Tensor]
    #: A ModelPatcher around a module, loaded and offloaded with the diffusion models.
    manage: Callable[[torch.nn.Module], Any]
    #: Of ComfyUI, for messages.
    version: str = "unknown"
