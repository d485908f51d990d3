"""The wrapper around a sampling run: it opens the run's state and puts back patches that other nodes replaced."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

from ...log import logger
from .roles import KEY, Run

#: ("attn2", ("input", 4, 1)): the kind of a replaced part, and which one.
Target = tuple[str, tuple[Any, ...]]
#: In the options of models that ComfyUI compiles.
COMPILED = "torch_compile_kwargs"


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
        if COMPILED in guider.model_options:
            _warn_of_compiling()
        with uncompiled():
            return executor(*args, **kwargs)


@contextmanager
def uncompiled() -> Iterator[None]:
    """Modules that torch.compile made are run as they were before, if there may be any.

    ComfyUI has torch.compile check nothing in ``transformer_options``: what is compiled keeps the patches and the block
    that it saw first, so that references would be left out, or act in other blocks.
    """
    if "torch._dynamo" not in sys.modules:
        yield
        return
    import torch

    with torch.compiler.set_stance("force_eager"):
        yield


@cache
def _warn_of_compiling() -> None:
    logger.warning(
        "IP-Adapter: the model is not compiled while references act, because what torch.compile makes of it ignores "
        "references; take the node that compiles away, or the references, to be as fast"
    )
