"""Whether ComfyUI filled the weights of a model from its file: it goes on without, and logs no more than a warning."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

#: A projection that was trained has numbers of about width ** -0.5; memory that nobody filled is far from it.
LEAST_SPREAD, MOST_SPREAD = 1e-3, 1.0


def is_trained_projection(weight: Tensor) -> bool:
    """Whether a matrix looks like weights: numbers of a sane size and no empty row."""
    numbers = weight.detach().float()
    # NaN is in no range
    return LEAST_SPREAD < float(numbers.std()) < MOST_SPREAD and bool(numbers.any(dim=1).all())


def untrained_norms(model: nn.Module) -> list[str]:
    """The norms whose weights are zero or not finite, by name; no trained model has any."""
    norms = ((name, weight) for name, weight in model.named_parameters() if weight.ndim == 1 and "norm" in name)
    weights = [(name, weight.detach().float()) for name, weight in norms if name.endswith("weight")]
    return [name for name, weight in weights if not (bool(weight.isfinite().all()) and bool(weight.any()))]


def source_files(patcher: Any) -> list[Path]:
    """The files that a model of ComfyUI was loaded from; none where it does not say (before 0.30)."""
    _, arguments, *_ = getattr(patcher, "cached_patcher_init", None) or (None, ())
    texts = [text for value in arguments for text in (value if isinstance(value, (list, tuple)) else [value])]
    return [Path(text) for text in texts if isinstance(text, str) and Path(text).is_file()]
