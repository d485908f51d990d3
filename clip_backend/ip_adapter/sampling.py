"""The wrapper around a sampling run: it opens the run's state and puts back patches that other nodes replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .roles import KEY, Run

#: ("attn2", ("input", 4, 1)): the kind of a replaced part, and which one.
Target = tuple[str, tuple[Any, ...]]


class Patch(Protocol):
    """A replacement that knows which adapters act in it."""

    def restored(self, current: Any, of_block: Any) -> Any:
        """What belongs at the target where ``current`` stands now; of_block: what stands for the whole block."""


class RunWrapper:
    """Wraps a run of ComfyUI's guiders.

    A node after ours that replaces the same attention without calling what was there would silently end our effect: the
    run's own copy of the options gets our patch around the newcomer.
    """

    def __init__(self, patches: Mapping[Target, Patch]) -> None:
        self.patches = patches

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        guider = executor.class_obj
        # ComfyUI made this copy for the run, and drops it afterwards
        options = guider.model_options.setdefault("transformer_options", {})
        options[KEY] = Run(guider)
        replaced = options.setdefault("patches_replace", {})
        for (kind, key), patch in self.patches.items():
            of_kind = replaced.setdefault(kind, {})
            of_block = of_kind.get(key[:2]) if len(key) > 2 else None
            of_kind[key] = patch.restored(of_kind.get(key), of_block)
        return executor(*args, **kwargs)
