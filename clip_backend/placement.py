"""Where a model computes, and who makes room for it: plain torch here, ComfyUI's memory management in its nodes."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn


class Placement(Protocol):
    """The place of one model."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    def ready(self, working_bytes: int) -> None:
        """The weights are on ``device`` and about this much more memory is free there; called before every batch."""

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether the error says that memory ran out."""

    def empty_cache(self) -> None:
        """Give back what is held for reuse, after memory ran out."""

    def move_to_cpu(self) -> None:
        """From now on ``device`` is the processor: the last resort when even one picture does not fit."""


class LocalPlacement:
    """A model that this process moves itself, once, when it is first used."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._model = model
        self._device = device
        self._placed = False

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self._device

    def ready(self, working_bytes: int) -> None:
        """Moves the model at the first call."""
        if not self._placed:
            self._model.to(self._device)
            self._placed = True

    def is_out_of_memory(self, error: BaseException) -> bool:
        """torch's own error, or the processor's, which is a plain RuntimeError or MemoryError."""
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
            return True
        return isinstance(error, RuntimeError) and "not enough memory" in str(error)

    def empty_cache(self) -> None:
        """Of the device's allocator."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def move_to_cpu(self) -> None:
        """Moves the model to main memory."""
        self._device = torch.device("cpu")
        self._model.to(self._device)
        self.empty_cache()
