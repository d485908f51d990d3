"""How a model is loaded, once every word of the caller is understood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .finding.model_paths import StrPath
from .tokenizing.tokenized import Tokenizer

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .placement import Placement


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How a model is loaded."""

    device: torch.device
    #: "fp32", "fp16" or "bf16".
    dtype: str
    #: Puts a tower where it computes; None for plain torch.
    placement: Callable[[nn.Module], Placement] | None = None
    #: One that is ready, or the vocabulary or folder to take it from; None to look beside the model and elsewhere.
    tokenizer: Tokenizer | StrPath | None = None
    #: Folders with a vocabulary or of a ComfyUI, searched after what lies beside the model.
    vocabularies: tuple[StrPath, ...] = ()
    #: Where embeddings are kept on disk; None for nowhere.
    cache_folder: Path | None = None
    #: Memory that a batch may need beside the weights; None for what suits the device.
    budget_bytes: int | None = None
    allow_pickle: bool = False
    #: Other ways to prepare pictures: fields of Recipe.
    recipe: dict[str, object] = field(default_factory=dict)
