"""Whether training fits into memory, before any weight is read."""

from __future__ import annotations

import torch

from ....errors import LimitError
from ...checkpoints.info import TextShape, VisionShape
from ...encoding.devices import free_bytes
from ...encoding.encoder import Encoder
from ..options import TrainOptions
from .base import TrainableBase
from .pairs import Kind
from .trainable import Plan, TowerPlan, lora_settings, plan_of

_GIB = 1 << 30
#: Bytes of a weight, and of a trained one its gradient, the two moments of AdamW and the best copy too.
_HELD, _TRAINED = 4, 16


def check_before_loading(encoder: Encoder, kind: Kind, options: TrainOptions) -> None:
    """Raises LimitError where training the encoder's towers, whose own weights are not read yet, needs too much memory.

    Raises InputError for an encoder whose towers cannot be trained, and for options that would train nothing.
    """
    base = TrainableBase.of(encoder)
    plan = plan_of(base.vision, base.text, kind, options, base.device)
    infos = [base.vision] if base.text is base.vision else [base.vision, base.text]
    check_memory(training_bytes(base, plan, options) + _HELD * sum(info.parameters for info in infos), base.device)


def training_bytes(base: TrainableBase, plan: Plan, options: TrainOptions) -> int:
    """About how many bytes training takes on its device: weights, optimizer, and what the backward pass needs."""
    total, lora = 0, lora_settings(options)
    matrices = lora.rank * len(lora.targets)
    if (shape := base.vision.vision) and not plan.vision.is_frozen:
        table = 3 * shape.patch**2 * shape.width
        total += _tower_bytes(shape, shape.tokens, table, plan.vision, options.batch, matrices)
    if (text := base.text.text) and not plan.text.is_frozen:
        total += _tower_bytes(text, text.context, text.vocabulary * text.width, plan.text, options.batch, matrices)
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
