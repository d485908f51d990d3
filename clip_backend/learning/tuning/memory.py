"""Whether training fits into memory, before any weight is read."""

from __future__ import annotations

import torch

from ....errors import LimitError
from ...checkpoints.info import CheckpointInfo, TextShape, VisionShape
from ...encoding.devices import free_bytes
from .trainable import Plan, TowerPlan

_GIB = 1 << 30
#: Bytes of a weight, and of a trained one its gradient, the two moments of AdamW and the best copy too.
_HELD, _TRAINED = 4, 16


def training_bytes(
    vision: CheckpointInfo, text: CheckpointInfo, plan: Plan, *, batch: int, rank: int, targets: int
) -> int:
    """About how many bytes training takes on its device: weights, optimizer, and what the backward pass needs."""
    total = 0
    if vision.vision and not plan.vision.is_frozen:
        shape = vision.vision
        total += _tower_bytes(shape, shape.tokens, 3 * shape.patch**2 * shape.width, plan.vision, batch, rank * targets)
    if text.text and not plan.text.is_frozen:
        table = text.text.vocabulary * text.text.width
        total += _tower_bytes(text.text, text.text.context, table, plan.text, batch, rank * targets)
    return total


def _tower_bytes(
    shape: VisionShape | TextShape, tokens: int, table: int, plan: TowerPlan, batch: int, matrices: int
) -> int:
    width, wide = shape.width, shape.mlp
    layer = 4 * width**2 + 2 * width * wide
    weights = shape.layers * layer + table + tokens * width + width**2
    blocks = shape.layers - plan.first
    trained = 2 * blocks * matrices * width if plan.mode == "lora" else blocks * layer + width**2
    trained = weights if plan.with_embeddings else trained
    # of each token what its layer keeps for the backward pass: norms, q, k, v, mixture, sums, and the wide layer twice
    states = batch * tokens * (10 * width + 2 * wide) * blocks * _HELD
    return weights * _HELD + trained * _TRAINED + states


def check_memory(needed: int, device: torch.device, free: int | None = None) -> None:
    """Raises LimitError, with the cure, where fewer bytes are free; ``free`` is what the device has, if not given."""
    free = free_bytes(device) if free is None else free
    if free is not None and needed > free:
        raise LimitError(
            f"training needs about {needed / _GIB:.1f} GiB and {device} has {free / _GIB:.1f} GiB free; give a smaller "
            "batch, fewer last_blocks or the method lora, close other programs, or choose a smaller model"
        )
